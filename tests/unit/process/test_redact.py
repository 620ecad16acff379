"""What is replaced in text, in whichever form and however the text arrives in pieces."""

from __future__ import annotations

import base64
import itertools
import json
import shlex
import urllib.parse

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from platformctl.core.secret import Secret
from platformctl.process.redact import MASK, SHORTEST, KnownSecrets

TOKEN = "s3cr&t/to+ken='x y'"
KEY = "-----BEGIN KEY-----\nMIIEowIBAAKCAQEA7\nq83vEjRWeJCrze8S\n-----END KEY-----\n"

# Few letters, so that secrets overlap, repeat and begin inside each other.
TEXTS = st.text("ab:/@h tps\n", max_size=60)
VALUES = st.lists(st.text("ab:/@", min_size=SHORTEST, max_size=12) | st.just("ab" * 40), max_size=4)


def known(*values: str) -> KnownSecrets:
    secrets = KnownSecrets()
    for value in values:
        secrets.add(Secret(value, "test"))
    return secrets


def in_pieces(secrets: KnownSecrets, text: str, cuts: list[int]) -> str:
    stream, places = secrets.stream(), [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    pieces = [text[begin:end] for begin, end in itertools.pairwise(places)]
    return "".join([*map(stream.feed, pieces), stream.finish()])


@given(VALUES, TEXTS, st.lists(st.integers(0, 60), max_size=8), st.integers(0, 60))
@settings(max_examples=400)
def test_a_stream_gives_the_same_however_it_is_cut(values: list[str], text: str, cuts: list[int], at: int) -> None:
    secrets = known(*values)
    for value in values:
        text = text[:at] + value + text[at:]
    assert in_pieces(secrets, text, cuts) == secrets.redact(text)
    assert in_pieces(secrets, text, list(range(len(text)))) == secrets.redact(text)


@given(VALUES, TEXTS)
def test_no_secret_is_left(values: list[str], text: str) -> None:
    secrets = known(*values)
    shown = secrets.redact(text + "".join(values) + text)
    for value in values:
        assert value not in shown


@pytest.mark.parametrize(
    "written",
    [
        TOKEN,
        urllib.parse.quote(TOKEN, safe=""),
        urllib.parse.quote_plus(TOKEN),
        json.dumps(TOKEN)[1:-1],
        json.dumps(TOKEN)[1:-1].replace("&", "\\u0026"),
        shlex.quote(TOKEN),
        base64.b64encode(TOKEN.encode()).decode().rstrip("="),
    ],
    ids=["plain", "url", "form", "json", "json of Go", "shell", "base64"],
)
def test_a_secret_is_replaced_in_its_usual_encodings(written: str) -> None:
    shown = known(TOKEN).redact(f"a {written} z")
    assert written not in shown
    assert MASK in shown


@pytest.mark.parametrize("user", ["x", "me", "git", "user"])
def test_a_token_is_found_inside_basic_authentication(user: str) -> None:
    token = "ghp_0123456789abcdef"
    encoded = base64.b64encode(f"{user}:{token}".encode()).decode()
    shown = known(token).redact(f"Authorization: Basic {encoded}")
    assert MASK in shown
    # What is left are the characters that the user's name decides too, and the padding.
    assert len(shown) - len("Authorization: Basic ") <= len(MASK) + 12


def test_each_line_of_a_key_is_a_secret_by_itself() -> None:
    shown = known(KEY).redact("  q83vEjRWeJCrze8S\r\n")
    assert shown == f"  {MASK}\r\n"
    assert known(KEY).redact(json.dumps({"key": KEY})) == '{"key": "***"}'


def test_a_value_too_short_to_tell_from_words_is_left_alone() -> None:
    assert known("short").redact("a short text") == "a short text"
    assert known("longer").redact("a longer text") == f"a {MASK} text"


def test_the_longest_of_several_secrets_wins() -> None:
    assert known("password", "password-2").redact("password-2, password") == f"{MASK}, {MASK}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://me:pw@example.org/x", "https://***@example.org/x"),
        ("https://token@example.org", "https://***@example.org"),
        ("postgres://me:p@ss@db/x", "postgres://***@db/x"),
        ("ssh://git@example.org/x", "ssh://git@example.org/x"),
        ("oci://example.org/x@sha256:12", "oci://example.org/x@sha256:12"),
        ("https://example.org/a@b", "https://example.org/a@b"),
        ("see https://example.org or mail a@b.c", "see https://example.org or mail a@b.c"),
    ],
)
def test_urls_lose_their_credentials_known_or_not(text: str, shown: str) -> None:
    assert known().redact(text) == shown


def test_text_that_cannot_become_a_secret_is_not_held_back() -> None:
    stream = known("hunter2-hunter2").stream()
    assert stream.feed("Apply complete!\n") == "Apply complete!\n"
    assert stream.feed("hunter") == ""
    assert stream.feed(" season\n") == "hunter season\n"


def test_a_secret_told_later_is_replaced_from_then_on() -> None:
    secrets = known()
    stream = secrets.stream()
    assert stream.feed("hunter2-hunter2 ") == "hunter2-hunter2 "
    secrets.add(Secret("hunter2-hunter2"))
    assert stream.feed("hunter2-hunter2 ") == f"{MASK} "


def test_a_value_that_is_no_valid_text_is_replaced_too() -> None:
    assert known("caf\udce9-secret").redact("caf\udce9-secret") == MASK
