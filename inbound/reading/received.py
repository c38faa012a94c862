"""The way a mail came here, as its Received headers tell it. Each line is its writer's word, no
more."""

import re
from collections.abc import Iterator

from inbound.reading import headers
from inbound.reading.lines import with_line_ends
from inbound.reading.mime.structure import read_structure
from inbound.reading.parse import KEPT_HEADER_BYTES

MAX_HOPS, MAX_LINE = 50, 1000  # mail-parser's patterns are not ours to bound


def hops(raw: bytes) -> list[dict[str, str]]:
    """The mail's way here, from its Received headers, the latest first; for the mail's page."""
    import mailparser  # 0.2 s, and pages alone ask

    received = [
        " ".join(value[:MAX_LINE].split())
        for name, value in _header_block(raw)
        if name.lower() == "received"
    ]
    try:
        parsed = mailparser.utils.receiveds_parsing(received[:MAX_HOPS])
    except Exception:  # Received has no grammar that is kept; the lines themselves are shown then
        return [{"line": headers.text(line)} for line in received[:MAX_HOPS]]
    return [
        {
            key: headers.text(str(value))
            for key, value in hop.items()
            if key in {"from", "by", "with", "date", "delay"}
        }
        for hop in parsed
    ]


def _header_block(raw: bytes) -> Iterator[tuple[str, str]]:
    head = re.split(rb"\r?\n\r?\n", with_line_ends(raw[:KEPT_HEADER_BYTES]), maxsplit=1)[0]
    yield from ((name, str(value)) for name, value in read_structure(head + b"\n\n").raw_items())
