"""Numbers out of forms and addresses of pages."""

import re


def whole(value: str) -> int | None:
    """The number that ASCII digits write, if a key can be that large; None for everything else ("²" is a digit, too)."""
    return int(value) if re.fullmatch(r"[0-9]{1,18}", value) else None
