"""How output becomes lines and bounded text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from platformctl.core.secret import Secret
from platformctl.process.redact import KnownSecrets
from platformctl.process.streams import Intake, Lines, Tail, lines


def taken(chunks: list[bytes], *secrets: str, capture: int = 1000) -> tuple[str, list[str]]:
    known, heard = KnownSecrets(), list[str]()
    for secret in secrets:
        known.add(Secret(secret))
    intake = Intake(capture, known, heard.append)
    for chunk in chunks:
        intake.feed(chunk)
    intake.finish()
    return intake.kept.text(), heard


@given(st.text("ab\r\n", max_size=40), st.integers(0, 40))
def test_lines_are_the_same_however_the_text_is_cut(text: str, cut: int) -> None:
    cutter = Lines()
    assert [*cutter.feed(text[:cut]), *cutter.feed(text[cut:]), *cutter.finish()] == lines(text)


def test_a_progress_bar_is_the_line_that_was_left_standing() -> None:
    assert lines("10%\r20%\r30%\r\nnext\r\n") == ["30%", "next"]


def test_an_hour_of_progress_without_a_newline_takes_no_memory() -> None:
    cutter = Lines()
    for percent in range(100_000):
        assert list(cutter.feed(f"\r{percent}")) == []
    assert len(cutter._begun) < 20
    assert list(cutter.finish()) == ["99999"]


def test_a_very_long_line_arrives_in_pieces() -> None:
    cutter = Lines(longest=4)
    assert [*cutter.feed("abcdefghij\nk"), *cutter.finish()] == ["abcd", "efgh", "ij", "k"]
    assert list(cutter.feed("abcdef")) == ["abcd"]


def test_bytes_that_are_no_utf8_are_replaced_and_characters_cut_in_two_are_not() -> None:
    euro = "€".encode()
    text, heard = taken([b"a\xffb ", euro[:1], euro[1:], b"\n", euro[:2]])
    assert text == "a\ufffdb €\n\ufffd"
    assert heard == ["a\ufffdb €", "\ufffd"]


def test_a_secret_that_is_cut_in_two_reaches_neither_lines_nor_text() -> None:
    text, heard = taken([b"key hunter2-", b"hunter2\nhunter2-"], "hunter2-hunter2")
    assert text == "key ***\nhunter2-"
    assert heard == ["key ***", "hunter2-"]


def test_only_the_end_is_kept_and_says_so() -> None:
    tail = Tail(8)
    for number in range(10):
        tail.add(f"{number}--")
    assert tail.text() == "--8--9--"
    assert tail.truncated


def test_the_cut_never_shows_half_a_secret() -> None:
    # The bound applies to what was redacted already: a cut through the raw text would leave the secret's end.
    text, _ = taken([b"hunter2-hunter2 ok"], "hunter2-hunter2", capture=6)
    assert text == "*** ok"


def test_a_character_the_cut_goes_through_is_left_out() -> None:
    tail = Tail(4)
    tail.add("€€")
    assert tail.text() == "€"
    assert tail.truncated


def test_what_fits_is_kept_whole() -> None:
    tail = Tail(6)
    tail.add("abc")
    tail.add("def")
    assert tail.text() == "abcdef"
    assert not tail.truncated
