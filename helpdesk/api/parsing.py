"""JSON that can be written down again: no half of a surrogate pair, no infinity, no bottomless nesting."""

from typing import Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from helpdesk.posting import can_be_kept


class StrictJSONParser(JSONParser):
    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        try:
            data = super().parse(stream, media_type, parser_context)
        except RecursionError:
            raise ParseError("JSON parse error - nested too deeply") from None
        if not can_be_kept(data):
            raise ParseError("JSON parse error - holds what is no text or no number")
        return data
