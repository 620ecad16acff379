"""Replaces known secrets in text, at once and in streams. Which values are secret is told, never guessed.

Text is read from the left; where several secrets match, the longest wins. A stream gives the same result however it is
cut into chunks: text is held back as long as it may still become part of a secret.
"""

from __future__ import annotations

import base64
import heapq
import html
import json
import re
import shlex
import threading
import urllib.parse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from platformctl.core.secret import Secret

MASK = "***"

SHORTEST = 6
"""Values with fewer characters are not replaced: they are too likely to be parts of ordinary words, and a log without
its words helps nobody (Buildkite's agent has the same bound). A secret of five characters is not one."""

LONGEST_DOCUMENT = 64 * 1024
"""Characters up to which each line of a value counts as secret by itself: a key, not a rendered document."""

_ANCHOR = 32  # characters by which a form is looked for; the rest is compared where they were found
_USERINFO = 1024  # characters of a URL's user and password that are looked at
# RFC 3986 3.2.1: user information ends with "@" and holds no "/", "?", "#" or space. A token without a password is one
# in http(s) only: "ssh://git@host" names no secret.
_URL = re.compile(
    rf"(?P<web>https?://)[^\s/?#]{{1,{_USERINFO}}}@"
    rf"|(?P<any>://)(?=[^\s/?#@]{{0,{_USERINFO - 1}}}:)[^\s/?#]{{1,{_USERINFO}}}@"
)
_URL_BEGUN = re.compile(rf"(?:h(?:t(?:tp?)?)?|https?|(?:https?)?:(?:/(?:/[^\s/?#]{{0,{_USERINFO}}})?)?)\Z")
_URL_LONGEST = _USERINFO + len("https://") + 1


@dataclass(frozen=True)
class _Found:
    start: int
    end: int
    shown: str


class _Matcher:
    """What to look for. ``forms``: every way in which a secret may be written."""

    def __init__(self, forms: Iterable[str] = ()) -> None:
        self.forms = frozenset(forms)
        self.longest_first = sorted(self.forms, key=lambda form: (-len(form), form))
        self.anchors = sorted({form[:_ANCHOR] for form in self.forms})
        self._long = [form for form in self.longest_first if len(form) > _ANCHOR]
        self._begun = frozenset(anchor[:size] for anchor in self.anchors for size in range(1, len(anchor)))

    def undecided(self, text: str, start: int) -> int:
        """Where the earliest secret may begin that the end of the text cuts off; the text's length if none does."""
        earliest = len(text)
        for form in self._long:
            place = text.find(form[:_ANCHOR], max(start, len(text) - len(form) + 1), earliest)
            while place != -1:
                if form.startswith(text[place:]):
                    earliest = place
                    break
                place = text.find(form[:_ANCHOR], place + 1, earliest)
        for place in range(max(start, len(text) - _ANCHOR + 1), earliest):
            if text[place:] in self._begun:
                earliest = place
                break
        begun = _URL_BEGUN.search(text, max(start, len(text) - _URL_LONGEST))
        return min(earliest, begun.start()) if begun else earliest


class _Scan:
    """The secrets of one text, from left to right. Each anchor is looked for once, by ``str.find``: with many secrets
    several times as fast as one regular expression of them all."""

    def __init__(self, matcher: _Matcher, text: str) -> None:
        self._matcher = matcher
        self._text = text
        self._places: list[tuple[int, int]] = []  # a heap: where the anchor of that index stands next
        for index in range(len(matcher.anchors) + 1):
            self._look(index, 0)

    def next(self, start: int, limit: int) -> _Found | None:
        """The first secret between ``start`` and ``limit``; of several at one place, the longest."""
        while self._places and self._places[0][0] < limit:
            place, index = heapq.heappop(self._places)
            self._look(index, max(place + 1, start))
            if place >= start and (found := self._at(place, index)):
                return found
        return None

    def _look(self, index: int, start: int) -> None:
        if index < len(self._matcher.anchors):
            place = self._text.find(self._matcher.anchors[index], start)
        else:
            url = _URL.search(self._text, start)
            place = url.start() if url else -1
        if place != -1:
            heapq.heappush(self._places, (place, index))

    def _at(self, place: int, index: int) -> _Found | None:
        if index < len(self._matcher.anchors):
            whole = (form for form in self._matcher.longest_first if self._text.startswith(form, place))
            return next((_Found(place, place + len(form), MASK) for form in whole), None)
        url = _URL.match(self._text, place)
        return _Found(place, url.end(), f"{url['web'] or url['any']}{MASK}@") if url else None


class KnownSecrets:
    """The secrets that were told so far. Implements core Redactor; safe for threads.

    URLs lose their user and password always, known or not.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: set[Secret] = set()
        self._added: set[str] = set()
        self._matcher = _Matcher()

    def add(self, secret: Secret) -> None:
        """From now on the value, its usual encodings and each of its lines are replaced wherever text passes."""
        with self._lock:
            if secret not in self._known:
                self._known.add(secret)
                self._added.update(_forms(secret.reveal()))

    def redact(self, text: str) -> str:
        """The text with every known secret replaced by ``***``."""
        stream = self.stream()
        return stream.feed(text) + stream.finish()

    def stream(self) -> RedactedStream:
        """A redactor of one stream of text."""
        return RedactedStream(self)

    @property
    def matcher(self) -> _Matcher:
        """What to look for now; made when it is first needed after an ``add``."""
        with self._lock:
            if not self._added <= self._matcher.forms:
                self._matcher = _Matcher(self._matcher.forms | self._added)
            self._added.clear()
            return self._matcher


class RedactedStream:
    """Redacts text that comes in chunks. Not safe for threads: one per stream."""

    def __init__(self, known: KnownSecrets) -> None:
        self._known = known
        self._held = ""

    def feed(self, chunk: str) -> str:
        """The text that is certain by now."""
        return self._advance(self._held + chunk, last=False)

    def finish(self) -> str:
        """What was held back, once no more comes."""
        return self._advance(self._held, last=True)

    def _advance(self, text: str, *, last: bool) -> str:
        matcher = self._known.matcher

        def certain(place: int) -> int:
            return len(text) if last else matcher.undecided(text, place)

        done, place, limit = [], 0, certain(0)
        scan = _Scan(matcher, text)
        while found := scan.next(place, limit):
            done += [text[place : found.start], found.shown]
            place = found.end
            if limit < place:
                limit = certain(place)
        self._held = text[limit:]
        return "".join((*done, text[place:limit]))


def _forms(value: str) -> Iterator[str]:
    lines = value.splitlines() if len(value) <= LONGEST_DOCUMENT else []
    for text in {value, value.strip(), *lines, *(line.strip() for line in lines)}:
        if len(text.strip()) >= SHORTEST:
            yield from (form for form in _encodings(text) if len(form) >= SHORTEST)


def _encodings(text: str) -> Iterator[str]:
    yield text
    octets = text.encode("utf-8", "surrogatepass")
    yield from (urllib.parse.quote(octets, safe=""), urllib.parse.quote(octets), urllib.parse.quote_plus(octets))
    escaped = json.dumps(text, ensure_ascii=False)[1:-1]
    yield from (escaped, json.dumps(text)[1:-1])
    # Go's encoding/json, and so Terraform and kubectl, escapes these three on top.
    yield escaped.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    yield from (shlex.quote(text), text.replace("'", r"'\''"), html.escape(text))
    yield from _base64(octets)


def _base64(value: bytes) -> Iterator[str]:
    """The part of the base64 text that the value alone decides, wherever in the encoded text it stands: "user:token"
    of HTTP basic authentication moves the token by some bytes."""
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + value).decode("ascii")
        certain = encoded[(before * 8 + 5) // 6 : (before + len(value)) * 8 // 6]
        yield from (certain, certain.translate(str.maketrans("+/", "-_")))
