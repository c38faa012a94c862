"""Line ends. Mail has CRLF (RFC 5322 2.1), files LF; programs of old Macs, and filters that mend
what was whole, leave CR alone or CR CR LF, or mix them. Where a header block is so written, no
field could be told from the next."""

import re

HEAD = 200_000  # bytes in which a header block ends


def with_line_ends(raw: bytes) -> bytes:
    """The mail with line ends that everything here reads: as it is, unless a CR stands alone in its
    header block.

    A body below a header that is well written is left as it is: there a CR may be what a file has
    in it.
    """
    head = raw[:HEAD]
    end = _BLANK.search(head)
    if not _ALONE.search(head[: end.end()] if end else head):
        return raw
    return with_lf(_DOUBLED.sub(b"\r\n", raw) if _is_doubled(head) else raw)


def with_lf(raw: bytes) -> bytes:
    """With LF for each CR that no LF follows: of the same length, so that what is found there is
    found in `raw`."""
    return b"\r\n".join(line.replace(b"\r", b"\n") for line in raw.split(b"\r\n"))


def _is_doubled(head: bytes) -> bool:
    """Whether CR CR LF ends a line, and is not the end of one and a blank one: another field
    follows, or goes on."""
    found = _DOUBLED.search(head)
    return bool(found and _FIELD.match(head, found.end()))


_ALONE = re.compile(rb"\r(?!\n)")
_DOUBLED = re.compile(rb"\r\r\n")
_FIELD = re.compile(rb"[!-9;-~]{1,100}[ \t]{0,10}:|[ \t]|\r\r\n")
_BLANK = re.compile(rb"(?:\r\n|\n)\r?\n|\r\r(?!\n)")
