"""A mail's tree of parts, from the standard library's parser (its compat32 policy keeps every
byte), bounded.

On its own that parser follows nesting until Python's stack ends, makes an object of each of a
million parts, and takes quadratic time for a parameter that is never closed. Here depth and number
are limited: what lies beyond is one part of plain text, so that no word is lost.
"""

from collections.abc import Iterator
from email.errors import MessageDefect
from email.feedparser import BytesFeedParser, NeedMoreData  # type: ignore[attr-defined]
from email.generator import BytesGenerator
from email.message import Message
from email.policy import Compat32
from io import BytesIO
from typing import Any

from inbound.reading.mime.parameters import parameter, parameters

MAX_PARTS = 500
MAX_DEPTH = 40


class Part(Message):
    """A part whose media type and boundary are read by our own grammar, once, in linear time."""

    _media: tuple[str, dict[str, str]] | None = None

    def get_content_type(self) -> str:
        return self.media()[0]

    def get_boundary(self, failobj: Any = None) -> Any:
        # RFC 2046 5.1.1: it does not end with a space.
        return parameter(raw_header(self, "content-type"), "boundary").rstrip() or failobj

    def media(self) -> tuple[str, dict[str, str]]:
        """The media type and parameters; what RFC 2045 5.2 says where it names none."""
        if self._media is None:
            value, found = parameters(raw_header(self, "content-type"))
            value = value.split()[0] if value else ""
            if not _is_media_type(value):
                value = {"text": "text/plain", "html": "text/html"}.get(
                    value, self.get_default_type()
                )
            self._media = value, found
        return self._media

    def set_default_type(self, ctype: str) -> None:
        super().set_default_type(ctype)
        self._media = None


def read_structure(raw: bytes) -> Part:
    """The mail's tree. Its header values and payloads are raw, with surrogate escapes."""
    parser = _Parser(Part, policy=Compat32())
    parser.feed(raw)
    root = parser.close()
    assert isinstance(root, Part)
    return root


def raw_header(part: Message, name: str) -> str:
    """The first header of that name as it stands there, or ""."""
    return next((str(value) for found, value in part.raw_items() if found.lower() == name), "")


def content_type(part: Message) -> tuple[str, dict[str, str]]:
    assert isinstance(part, Part)
    return part.media()


def as_bytes(message: Message) -> bytes:
    """The message as it was, its headers not folded anew."""
    out = BytesIO()
    BytesGenerator(out, mangle_from_=False, policy=_AsItIs()).flatten(message)
    return out.getvalue()


class _AsItIs(Compat32):
    def fold_binary(self, name: str, value: Any) -> bytes:
        return f"{name}: {value}\n".encode("utf-8", "surrogateescape")


class _Parser(BytesFeedParser):  # type: ignore[type-arg]
    """The standard library's, which reads each part by calling `_parsegen` anew."""

    _input: Any
    _cur: Part
    _depth = _count = 0

    def _parsegen(self) -> Iterator[Any]:
        self._count += 1
        if self._depth >= MAX_DEPTH or self._count > MAX_PARTS:
            yield from self._rest()
            return
        self._depth += 1
        yield from super()._parsegen()  # type: ignore[misc]
        self._depth -= 1

    def _rest(self) -> Iterator[Any]:
        """One part, unread: to the end of what it lies in, or of the mail where there are too
        many."""
        self._new_message()  # type: ignore[attr-defined]
        self._cur.defects.append(TooManyParts())
        ends = self._input._eofstack
        if self._count > MAX_PARTS:
            self._input._eofstack = []
        lines = []
        for line in self._input:
            if line is NeedMoreData:
                yield NeedMoreData
                continue
            lines.append(line)
        self._input._eofstack = ends
        self._cur.set_payload("".join(lines))


class TooManyParts(MessageDefect):
    """As a part's defect: it was not taken apart."""


def _is_media_type(value: str) -> bool:
    kind, slash, subtype = value.partition("/")
    return (
        bool(slash and kind and subtype)
        and _LETTERS.issuperset(kind)
        and _LETTERS.issuperset(subtype)
    )


_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789!#$&^_.+-")
