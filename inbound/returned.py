"""What of an arriving mail is not kept: a code or a link that signs in, which came back with the
mail that held it.

Told by bytes alone, before anything is stored: by the mark in that mail's header, wherever it is
returned, and by its return path. What is quoted, forwarded in words or encoded once more is stored
as it came: whoever processes it ends what is still good of it, and until then no page shows it.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from inbound.addresses import Bounce, read_secret_mark, read_token
from inbound.reading.lines import with_lf
from inbound.reading.ours import MARK_HEADER

NOTE = b"Withheld: this mail of ours holds a code or a link that signs in."
HEAD = 200_000  # bytes in which a header block ends
# marks, return paths, boundaries and returned mails that are looked at: what follows more is not
# kept
MOST = 10
# what looks like a mark: each is reckoned, and a stranger can write a million of them
MOST_LOOKED_AT = 500
_FIELD = MARK_HEADER.lower().encode() + b":"
_MARK = re.compile(rb"[ \t]*([a-z2-7]{18,48})[ \t]*\r?(?:\n|$)", re.IGNORECASE)
_PATH = re.compile(rb"\+(s[a-z2-7]{18,48})@", re.IGNORECASE)
_BOUNDARY = re.compile(rb'boundary=[ \t]*(?:"([^"\r\n]{1,200})|([^\s;"]{1,200}))', re.IGNORECASE)
_RETURNED = re.compile(rb"content-type:[ \t]*message/(?:rfc822|global)\b", re.IGNORECASE)
_MACHINE = re.compile(
    rb"^(?:from:.*(?:mailer-daemon|postmaster)|auto-submitted:[ \t]*auto"
    rb"|content-type:[ \t]*multipart/report)",
    re.IGNORECASE | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Kept:
    raw: bytes
    secret: int | None = None  # the outgoing mail whose words were taken out


def without_secrets(
    raw: bytes, recipients: Sequence[str] = (), mail_from: str | None = None
) -> Kept:
    """The mail as it is kept. `recipients` and `mail_from` are its envelope's; None: nobody told us
    the sender."""
    if not _may_hold_one(raw, recipients):
        return Kept(raw)
    cuts: list[tuple[int, int]] = []
    secret: int | None = None
    lines = with_lf(raw)  # the same places
    for at, outbound in islice(_marks(lines), MOST):
        secret = outbound if secret is None else secret
        cuts.append(
            _body(
                lines,
                _start_of_block(lines, at),
                _end_of_block(lines, at),
                is_last=len(cuts) + 1 == MOST,
            )
        )
    if not cuts and (secret := _by_return_path(lines, recipients)) is not None:
        for found in islice(_RETURNED.finditer(lines), MOST):
            start = _end_of_block(lines, found.start())
            cuts.append(
                _body(lines, start, _end_of_block(lines, start), is_last=len(cuts) + 1 == MOST)
            )
        if not cuts and (
            mail_from == "" if mail_from is not None else _MACHINE.search(lines[:HEAD])
        ):
            cuts.append((_end_of_block(lines, 0), len(raw)))
    kept = _cut(raw, cuts)
    return Kept(raw) if kept is None else Kept(kept, secret)


def _may_hold_one(raw: bytes, recipients: Sequence[str]) -> bool:
    """Whether there is what could be a mark, or a return path in the header: in nearly all mail
    there is not, and looking for more takes five times as long."""
    lower, end = raw.lower(), raw.find(b"\r\n\r\n", 0, HEAD)
    return (
        _FIELD in lower
        or b"+s" in lower[: end if end >= 0 else HEAD]
        or any("+s" in recipient.lower() for recipient in recipients)
    )


def _marks(raw: bytes) -> Iterator[tuple[int, int]]:
    """Where a mark of a secret mail stands, and the mail that it names."""
    lower, at = raw.lower(), -1
    for _ in range(MOST_LOOKED_AT):
        if (at := lower.find(_FIELD, at + 1)) < 0:
            return
        found = _MARK.match(raw, at + len(_FIELD))
        if found and (outbound := read_secret_mark(found[1].decode())) is not None:
            yield at, outbound


def _by_return_path(raw: bytes, recipients: Iterable[str]) -> int | None:
    """The secret mail whose return path the envelope names, or the header: of mail that was
    fetched, a last server's Delivered-To, or To."""
    left = raw[: min(HEAD, _end_of_block(raw, 0))]
    named = (f"x+{found[1].decode()}@x" for found in islice(_PATH.finditer(left), MOST))
    for address in (*recipients, *named):
        if isinstance(token := read_token(address), Bounce) and token.is_secret:
            return token.outbound
    return None


def _start_of_block(raw: bytes, at: int) -> int:
    """Where the header block around `at` begins."""
    lines = raw[max(0, at - HEAD) : at].split(b"\n")
    start = at - len(lines.pop())
    while lines and not _is_empty(lines[-1]):
        start -= len(lines.pop()) + 1
    return start


def _end_of_block(raw: bytes, at: int) -> int:
    """Where the body after the header block around `at` begins."""
    limit = min(len(raw), at + HEAD)
    while at < limit:
        end = raw.find(b"\n", at, limit)
        if end < 0 or _is_empty(raw[at:end]):
            return end + 1 if end >= 0 else limit
        at = end + 1
    return limit


def _is_empty(line: bytes) -> bool:
    return not line.strip(b" \t\r>")  # in a quotation, too


def _body(raw: bytes, block: int, start: int, *, is_last: bool) -> tuple[int, int]:
    """From `start` to the end of the part whose header block begins at `block`: the next boundary
    that was named before it, or the end of the mail."""
    if is_last:
        return start, len(raw)
    before = [
        _BOUNDARY.finditer(raw, 0, min(block, HEAD)),
        _BOUNDARY.finditer(raw, max(0, block - HEAD), block),
    ]
    named = [found for some in before for found in deque(some, maxlen=MOST // 2)]
    ends = [raw.find(b"\n--" + (found[1] or found[2]), max(0, start - 1)) for found in named]
    end = min((found for found in ends if found >= 0), default=len(raw))
    return start, end - 1 if raw[end - 1 : end] == b"\r" and end < len(raw) else end


def _cut(raw: bytes, cuts: list[tuple[int, int]]) -> bytes | None:
    """Without those stretches, a note in the place of each; None where there is nothing in them."""
    pieces: list[bytes] = []
    position = 0
    for start, end in sorted(cuts):
        if start >= position and raw[start:end].strip():
            pieces += [raw[position:start], NOTE, b"" if end < len(raw) else b"\r\n"]
            position = end
    return b"".join([*pieces, raw[position:]]) if pieces else None
