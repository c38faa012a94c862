"""What a mail may carry that came from us: the marks of our mail, and links that set a password.

By their look alone: whoever has the keys tells whether they are. Found wherever they are in a mail,
however it is quoted, folded or encoded; what was made a picture is not.
"""

import re
from collections.abc import Iterable

MARK_HEADER = "X-Helpdesk-Mark"  # on every mail we send: what it is known by when it comes back
MOST = 200  # of each kind
_MARK = re.compile(rb"x-helpdesk-mark:[ \t]*([a-z2-7]{18,48})", re.IGNORECASE)
# Django's: seconds since 2001 in base 36, which are six digits until 2069, and half of a SHA-256.
_LINK = re.compile(rb"-[0-9a-f]{32}")
_BETWEEN = b" \t\r\n>|"  # what a mail program puts into a long line that it breaks


def marks(pieces: Iterable[bytes]) -> tuple[str, ...]:
    """The values of our marks, as they stand there."""
    return _some(found[1].lower() for piece in pieces for found in _MARK.finditer(piece))


def links(pieces: Iterable[bytes]) -> tuple[str, ...]:
    """What looks like the token of a link that sets a password."""
    return _some(token for piece in pieces for token in _tokens(piece))


def _tokens(piece: bytes) -> Iterable[bytes]:
    # Soft line breaks of quoted-printable (RFC 2045 6.7) first.
    whole = piece.replace(b"=\r\n", b"").replace(b"=\n", b"").translate(None, _BETWEEN)
    for found in _LINK.finditer(whole):
        before = whole[max(0, found.start() - 6) : found.start()]
        if len(before) == 6 and before.isalnum() and before == before.lower():
            yield before + found[0]


def _some(found: Iterable[bytes]) -> tuple[str, ...]:
    distinct: dict[str, None] = {}
    for one in found:
        distinct[one.decode("ascii")] = None
        if len(distinct) >= MOST:
            break
    return tuple(distinct)
