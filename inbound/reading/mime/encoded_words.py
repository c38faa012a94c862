"""Encoded words in a header (RFC 2047), with the spaces inside that some senders leave there."""

import base64
import binascii
import re
from collections.abc import Iterator

_WORD_BEGINS = re.compile(r"=\?([^?\s]{1,60}+)\?([bBqQ])\?")


def encoded_words(raw: str) -> Iterator[tuple[int, int, str, bytes]]:
    """Where each encoded word stands, its charset, and its bytes."""
    position = 0
    while (begin := raw.find("=?", position)) >= 0:
        head = _WORD_BEGINS.match(raw, begin)
        if head is None:
            position = begin + 1
            continue
        stop = raw.find("?=", head.end())
        if stop < 0:
            return
        yield begin, stop + 2, head[1].split("*")[0], _word_bytes(head[2], raw[head.end() : stop])
        position = stop + 2


def _word_bytes(encoding: str, content: str) -> bytes:
    data = content.encode("ascii", "replace")
    if encoding in "qQ":
        data = data.replace(b"_", b" ")
        return re.sub(rb"=([0-9A-Fa-f]{2})", lambda match: bytes([int(match[1], 16)]), data)
    return from_base64(data)


def from_base64(data: bytes) -> bytes:
    """Base64 that may hold rubbish, white space, or wrong padding: as much as can be read."""
    letters = re.sub(
        rb"[^A-Za-z0-9+/]", b"", data.partition(b"=")[0] if data.rstrip().endswith(b"=") else data
    )
    letters = letters[: len(letters) - (len(letters) % 4 == 1)]
    try:
        return base64.b64decode(letters + b"=" * (-len(letters) % 4))
    except binascii.Error:
        return b""
