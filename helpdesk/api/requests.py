"""What a request to the API brings: its body, its files, and the version that its client saw."""

import re
from typing import Any

from rest_framework import exceptions
from rest_framework.request import Request


def read(kind: Any, request: Request) -> dict[str, Any]:
    """The request's body, checked. Raises ValidationError, which names the fields."""
    if not hasattr(request.data, "keys"):
        raise exceptions.ValidationError("Send an object.")
    serializer = kind(data=request.data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def files_of(request: Request) -> list[Any]:
    """Every file of a multipart request, whatever its field is called."""
    return (
        [upload for _, uploads_ in request.FILES.lists() for upload in uploads_]
        if request.FILES
        else []
    )


def seen_version(request: Request) -> int | None:
    """The version in If-Match (RFC 9110 13.1.1), or None where the request has none."""
    given = request.headers.get("If-Match", "").strip()
    if given in {"", "*"}:
        return None
    if match := re.fullmatch(r'(?:W/)?"?([0-9]{1,9})"?', given):
        return int(match[1])
    raise exceptions.ValidationError({"If-Match": "must be a version in quotes"})
