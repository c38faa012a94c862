"""The one shape of what is said to a program when something is wrong."""

from typing import Any


def problem(code: str, message: str, field: str | None = None) -> dict[str, Any]:
    """The value of `error`: a word for programs, words for people, and the field that is wrong."""
    return {"code": code, "field": field, "message": message}
