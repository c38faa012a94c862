"""JSON that can be written down again: no half of a surrogate pair, no infinity, no bottomless nesting."""

import json
from typing import Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser


class StrictJSONParser(JSONParser):
    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        try:
            data = super().parse(stream, media_type, parser_context)
        except RecursionError:
            raise ParseError("JSON parse error - nested too deeply") from None
        if not can_be_kept(data):
            raise ParseError("JSON parse error - holds what is no text or no number")
        return data


def can_be_kept(data: Any) -> bool:
    """Whether a database and an answer can hold it."""
    try:
        json.dumps(data, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):  # UnicodeEncodeError is a ValueError
        return False
    return True
