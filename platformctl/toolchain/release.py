"""Vendors' releases: which are pinned, and fetching one. What is fetched is unpacked only after its checksum fits."""

from __future__ import annotations

import hashlib
import re
import shutil
import tarfile
import tomllib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urljoin, urlsplit

from platformctl.core.errors import PlatformError, PreconditionError, Problem, SpecError, ToolError, TransientError
from platformctl.toolchain.program import FOLDER, Catalogue, platform
from platformctl.toolchain.version import judge

MIRROR_VARIABLE = "PLATFORMCTL_TOOLS_MIRROR"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FIELDS = {"program", "version", "platform", "url", "member", "sha256", "licence"}
_TIMEOUT = 60.0  # seconds without a byte
_CHUNK = 256 * 1024
_LARGEST = 2 * 1024**3

Received = Callable[[int, int], None]
"""Bytes so far, and of how many (0 when the server does not say)."""


@dataclass(frozen=True)
class Release:
    """One file of a vendor's. ``member`` names the program inside an archive, empty when the file is the program."""

    program: str
    version: str
    platform: str
    url: str
    sha256: str
    member: str = ""
    licence: str = ""

    @property
    def pin(self) -> str:
        """The name of its content in the cache."""
        return self.sha256[:16]


def load(root: Path | None, catalogue: Catalogue, mirror: str = "") -> tuple[Release, ...]:
    """The releases for this machine: those the root pins in ``tools.toml`` first, then ours.

    ``mirror`` (a base address) wins over the file's own. Raises SpecError with every fault of a file.
    """
    files = [root / "tools.toml"] if root is not None and (root / "tools.toml").is_file() else []
    releases = [release for file in (*files, FOLDER / "releases.toml") for release in _read(file, catalogue, mirror)]
    return tuple(release for release in releases if release.platform == platform())


def fetch(release: Release, staging: Path, executable: str, received: Received) -> None:
    """Fetches into ``staging / executable``.

    Raises TransientError (server unreachable or busy), PreconditionError (refused, or another checksum than pinned)
    and ToolError (the archive lacks the member).
    """
    archive = staging / "download"
    actual = _download(release, archive, received)
    if actual != release.sha256:
        raise PreconditionError(
            f"{release.url} has the checksum sha256:{actual}, pinned is sha256:{release.sha256}",
            hint="nothing was installed; the mirror holds something else, or the pin is wrong: compare with the vendor",
        )
    target = staging / executable
    target.parent.mkdir(parents=True, exist_ok=True)
    if release.member:
        _unpack(release, archive, target)
        archive.unlink()
    else:
        archive.rename(target)


def _download(release: Release, target: Path, received: Received) -> str:
    import http.client
    import urllib.error
    import urllib.request

    digest = hashlib.sha256()
    try:
        request = urllib.request.Request(release.url, headers={"User-Agent": "platformctl"})  # noqa: S310 - _read checks
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as response, target.open("wb") as file:  # noqa: S310
            total, size = int(response.headers.get("Content-Length") or 0), 0
            while chunk := response.read(_CHUNK):
                size += len(chunk)
                if size > _LARGEST:
                    raise PreconditionError(f"{release.url} is larger than {_LARGEST // 1024**3} GiB")
                digest.update(chunk)
                file.write(chunk)
                received(size, total)
    except urllib.error.HTTPError as error:
        raise _refused(release, error.code) from error
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        cause = error.reason if isinstance(error, urllib.error.URLError) else error
        raise TransientError(
            f"{release.url} cannot be reached: {cause}", hint=f"set HTTPS_PROXY, or {MIRROR_VARIABLE} to a mirror"
        ) from error
    if total and size != total:
        raise TransientError(f"{release.url} ended after {size} of {total} bytes", hint="run the same command again")
    return digest.hexdigest()


def _refused(release: Release, code: int) -> PlatformError:
    message = f"{release.url} was answered with HTTP {code}"
    if code == 429 or code >= 500:
        return TransientError(message, hint="run the same command again later")
    return PreconditionError(message, hint=f"check the address in tools.toml, or {MIRROR_VARIABLE}")


def _unpack(release: Release, archive: Path, target: Path) -> None:
    missing = ToolError(f"{release.url} holds no file {release.member!r}", hint="check `member` in tools.toml")
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as packed, packed.open(release.member) as source:
                _copy(source, target, release)
            return
        with tarfile.open(archive) as packed_tar:
            member = packed_tar.extractfile(release.member)
            if member is None:
                raise missing
            _copy(member, target, release)
    except KeyError as error:
        raise missing from error
    except (tarfile.TarError, zipfile.BadZipFile) as error:
        raise ToolError(f"{release.url} is no archive we can read: {error}", hint="leave out `member`?") from error


def _copy(source: IO[bytes], target: Path, release: Release) -> None:
    with target.open("wb") as file:
        shutil.copyfileobj(source, file, _CHUNK)
        if file.tell() > _LARGEST:
            raise ToolError(f"{release.member} in {release.url} is larger than {_LARGEST // 1024**3} GiB")


def _read(file: Path, catalogue: Catalogue, mirror: str) -> list[Release]:
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SpecError([Problem(str(file), 0, f"no TOML: {error}")]) from error
    problems: list[Problem] = []
    releases = []
    address = mirror or str(document.get("mirror", ""))
    for number, fields in enumerate(document.get("release", []), start=1):
        faults = _faults(fields, address) or _misfits(fields, catalogue)
        problems += [Problem(str(file), 0, f"release {number}: {fault}") for fault in faults]
        if not faults:
            url = urljoin(address.rstrip("/") + "/", fields["url"]) if address else fields["url"]
            releases.append(Release(**{**fields, "url": url}))
    if problems:
        raise SpecError(problems, hint="docs/guides/toolchain.md shows the form")
    return releases


def _faults(fields: dict[str, Any], mirror: str) -> list[str]:
    faults = [f"unknown key {key!r}" for key in sorted(fields.keys() - _FIELDS)]
    faults += [
        f"{key} is missing" for key in ("program", "version", "platform", "url", "sha256") if not fields.get(key)
    ]
    faults += [f"{key} must be a string" for key, value in fields.items() if not isinstance(value, str)]
    if not faults and not _SHA256.fullmatch(fields["sha256"]):
        faults.append("sha256 must be 64 lower-case hex digits")
    if not faults:
        address = urlsplit(urljoin(mirror, fields["url"]))
        if address.scheme not in {"http", "https"}:
            faults.append("url must be http(s), or relative with a mirror set")
        if address.username or address.password:
            faults.append("url must not hold credentials")
    return faults


def _misfits(fields: dict[str, str], catalogue: Catalogue) -> list[str]:
    program = catalogue.get(fields["program"])
    if program is None:
        return [f"program {fields['program']!r} is none of {', '.join(catalogue)}"]
    judgement = judge(program, fields["version"])
    return [] if judgement.accepted else [judgement.note]
