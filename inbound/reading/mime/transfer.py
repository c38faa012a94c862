"""Transfer encodings (RFC 2045 section 6) undone, as far as they can be."""

import base64
import binascii
import quopri
from email.message import Message

from inbound.reading.lines import with_lf
from inbound.reading.mime.encoded_words import from_base64
from inbound.reading.mime.structure import raw_header


def payload(part: Message) -> bytes:
    """A leaf's content, or what can be read of it."""
    # get_payload() guesses, and raises on some.
    content = part._payload  # type: ignore[attr-defined]
    if not isinstance(content, str):
        return b""
    data = content.encode("utf-8", "surrogateescape")
    named = raw_header(part, "content-transfer-encoding")[:100]
    encoding = named.split(";")[0].strip().strip('"').lower()
    if encoding == "base64":
        try:
            return base64.b64decode(data)
        except binascii.Error:
            return from_base64(data)
    if encoding in {"quoted-printable", "quoted-printible", "qp"}:
        # A CR of its content is written =0D (RFC 2045 6.7).
        return quopri.decodestring(with_lf(data))
    if encoding in {"x-uuencode", "uuencode", "uue", "x-uue"}:
        return _uudecode(data)
    return data


def _uudecode(data: bytes) -> bytes:
    lines = iter(data.splitlines())
    for line in lines:
        if line.startswith(b"begin "):
            break
    decoded = bytearray()
    for line in lines:
        if line.strip() in {b"end", b"`", b""}:
            break
        try:
            decoded += binascii.a2b_uu(line)
        except binascii.Error:
            # Workaround for broken encoders, as in the standard library's uu module.
            count = (((line[0] - 32) & 63) * 4 + 5) // 3
            try:
                decoded += binascii.a2b_uu(line[:count])
            except binascii.Error:
                break
    return bytes(decoded)
