"""Vendors' releases from a real HTTP server of this machine: by checksum, or not at all."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from platformctl.core.command import CommandRunner
from platformctl.core.errors import PreconditionError, SpecError, ToolError, TransientError
from platformctl.toolchain import Origin, Toolchain, program, release

CONTENT = b"#!/bin/sh\necho 'kwok version v0.7.0'\n"


class Vendor:
    """A server that answers with what it was given, or with the status it was told."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.status = 200
        self.cut = 0
        vendor = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                content = vendor.files.get(self.path, b"")
                self.send_response(vendor.status if self.path in vendor.files else 404)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content[: len(content) - vendor.cut])

            def log_message(self, *_: object) -> None:  # pytest's output is not the server's log
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    server = Vendor()
    yield server
    server.close()


def zipped(name: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("LICENSE.txt", "words")
        archive.writestr(name, content)
    return packed.getvalue()


def tarred(name: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def pinned(vendor: Vendor, file: bytes, *, member: str = "", path: str = "/kwok") -> release.Release:
    vendor.files[path] = file
    digest = hashlib.sha256(file).hexdigest()
    return release.Release("kwok", "0.7.0", program.platform(), vendor.address + path, digest, member)


def fetch(wanted: release.Release, staging: Path) -> list[tuple[int, int]]:
    received: list[tuple[int, int]] = []
    release.fetch(wanted, staging, "kwok", lambda size, total: received.append((size, total)))
    return received


@pytest.mark.parametrize(
    ("file", "member"),
    [(CONTENT, ""), (zipped("bin/kwok", CONTENT), "bin/kwok"), (tarred("kwok-0.7/kwok", CONTENT), "kwok-0.7/kwok")],
    ids=["plain", "zip", "tar.gz"],
)
def test_a_release_with_the_pinned_checksum_is_unpacked(
    vendor: Vendor, tmp_path: Path, file: bytes, member: str
) -> None:
    received = fetch(pinned(vendor, file, member=member), tmp_path)
    assert (tmp_path / "kwok").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["kwok"]
    assert received[-1] == (len(file), len(file))


def test_one_changed_byte_is_refused_and_nothing_is_unpacked(vendor: Vendor, tmp_path: Path) -> None:
    wanted = pinned(vendor, CONTENT)
    vendor.files["/kwok"] = CONTENT.replace(b"0.7.0", b"0.7.1")
    with pytest.raises(PreconditionError, match=f"pinned is sha256:{wanted.sha256}"):
        fetch(wanted, tmp_path)
    assert not (tmp_path / "kwok").exists()


def test_an_archive_without_the_program_is_named(vendor: Vendor, tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="holds no file 'kwok'"):
        fetch(pinned(vendor, zipped("other", CONTENT), member="kwok"), tmp_path)


def test_a_file_that_is_no_archive_is_named(vendor: Vendor, tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="is no archive"):
        fetch(pinned(vendor, CONTENT, member="kwok"), tmp_path)


@pytest.mark.parametrize(
    ("status", "kind"), [(404, PreconditionError), (403, PreconditionError), (503, TransientError)]
)
def test_a_server_that_refuses_is_quoted(
    vendor: Vendor, tmp_path: Path, status: int, kind: type[PreconditionError | TransientError]
) -> None:
    wanted = pinned(vendor, CONTENT)
    vendor.status = status
    with pytest.raises(kind, match=f"HTTP {status}"):
        fetch(wanted, tmp_path)


def test_a_download_that_ends_early_may_be_tried_again(vendor: Vendor, tmp_path: Path) -> None:
    wanted = pinned(vendor, CONTENT)
    vendor.cut = 5
    with pytest.raises(TransientError):
        fetch(wanted, tmp_path)


def test_a_server_that_is_not_there_is_named_with_what_to_set(vendor: Vendor, tmp_path: Path) -> None:
    wanted = pinned(vendor, CONTENT)
    vendor.close()
    with pytest.raises(TransientError, match=r"cannot be reached: .*refused") as raised:
        fetch(wanted, tmp_path)
    assert release.MIRROR_VARIABLE in raised.value.hint


def pins(root: Path, text: str, mirror: str = "") -> tuple[release.Release, ...]:
    (root / "tools.toml").write_text(text, encoding="utf-8")
    return release.load(root, program.load(), mirror)


ENTRY = f"""
[[release]]
program = "terraform"
version = "1.11.4"
platform = "{program.platform()}"
url = "terraform/terraform.zip"
member = "terraform"
sha256 = "{"0" * 64}"
"""


def test_relative_addresses_start_at_the_roots_mirror_and_the_users_setting_wins(tmp_path: Path) -> None:
    text = 'mirror = "https://a.example.org/tools"\n' + ENTRY
    assert [one.url for one in pins(tmp_path, text)] == ["https://a.example.org/tools/terraform/terraform.zip"]
    urls = [one.url for one in pins(tmp_path, text, "https://b.example.org/")]
    assert urls == ["https://b.example.org/terraform/terraform.zip"]


def test_releases_for_other_machines_are_left_out(tmp_path: Path) -> None:
    text = 'mirror = "https://a.example.org"\n' + ENTRY.replace(program.platform(), "plan9-mips")
    assert pins(tmp_path, text) == ()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (("0" * 64, "0" * 63), "sha256 must be 64 lower-case hex digits"),
        (('program = "terraform"', ""), "program is missing"),
        (("member", "membre"), "unknown key 'membre'"),
        (('"terraform"\nversion', '"teraform"\nversion'), "program 'teraform' is none of"),
        (("1.11.4", "1.5.7"), "version 1.5.7 is not >=1.10"),
        (('"terraform/terraform.zip"', '"https://me:secret@a.example.org/t"'), "url must not hold credentials"),
        (('"terraform/terraform.zip"', '"file:///etc/passwd"'), "url must be http"),
        (("[[release]]", "[[release"), "no TOML"),
    ],
)
def test_a_fault_of_the_roots_pins_is_named(tmp_path: Path, change: tuple[str, str], fault: str) -> None:
    with pytest.raises(SpecError, match=r"tools\.toml") as raised:
        pins(tmp_path, 'mirror = "https://a.example.org"\n' + ENTRY.replace(*change))
    assert fault in raised.value.message
    assert "secret" not in raised.value.message


def test_sync_fetches_what_the_root_pins_and_find_then_finds_it(
    vendor: Vendor, tmp_path: Path, runner: CommandRunner
) -> None:
    file = zipped("terraform", b'#!/bin/sh\necho \'{"terraform_version": "1.11.4"}\'\n')
    vendor.files["/terraform/terraform.zip"] = file
    text = f'mirror = "{vendor.address}"\n' + ENTRY.replace("0" * 64, hashlib.sha256(file).hexdigest())
    (tmp_path / "tools.toml").write_text(text, encoding="utf-8")
    tools = Toolchain(tmp_path, tmp_path / "cache", runner, environ={"PATH": ""})
    with pytest.raises(PreconditionError) as raised:
        tools.find("terraform")
    assert raised.value.hint == "platformctl tools sync terraform"
    made = tools.sync(["terraform"])["terraform"]
    assert (made.version, made.origin, made.path) == ("1.11.4", Origin.RELEASE, tools.find("terraform"))
    vendor.files.clear()
    assert tools.sync(["terraform"])["terraform"] == made  # nothing is fetched twice


def test_we_pin_no_release_whose_checksum_we_could_not_verify() -> None:
    assert release.load(None, program.load()) == ()
