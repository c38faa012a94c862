"""What comes with a request, read in one place: keys and numbers, addresses, text and JSON.

What passes here can be kept by every database and said in every answer; the rest gets an error that
says what it is.
"""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.core.exceptions import BadRequest, ValidationError
from django.core.validators import validate_email
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import register_converter
from django.utils.http import url_has_allowed_host_and_scheme
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

MAX_ADDRESS = 254  # octets, RFC 5321 4.5.3.1.3
_KEY = "[0-9]{1,18}"  # what a key can be at the most; `\d` and isdigit() take "²" and "٣" as well
_PAGES = ("/admin/", "/portal/", "/unsubscribe/")


def whole(value: str) -> int | None:
    """The number that ASCII digits write, if a key can be that large; None for everything else."""
    return int(value) if re.fullmatch(_KEY, value) else None


class Key:
    """In a path: <key:pk>."""

    regex = _KEY

    def to_python(self, value: str) -> int:
        return int(value)

    def to_url(self, value: int) -> str:
        return str(value)


register_converter(Key, "key")


def in_utc(moment: datetime) -> datetime | None:
    """The same moment in UTC; None where that lies outside of what a date can be (year 1,
    +23:59)."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return None


def page_of_ours(value: str) -> str:
    """Where to go next, as a form or an address says it: a path of this site; "" for anything
    else."""
    inside = url_has_allowed_host_and_scheme(value, allowed_hosts=None)
    return value if inside and value.startswith("/") and value.isprintable() else ""


def address(value: str) -> str:
    """An e-mail address in lower case. Raises Django's ValidationError for what is none, or is too
    long to be one."""
    value = value.strip().lower()
    if len(value.encode("utf-8", "surrogatepass")) > MAX_ADDRESS:
        raise ValidationError(validate_email.message, "invalid")
    validate_email(value)
    return value


class AddressField(forms.EmailField):
    """In a form."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=MAX_ADDRESS, **kwargs)

    def clean(self, value: Any) -> str:
        cleaned = str(super().clean(value))
        return address(cleaned) if cleaned else ""


class AddressOfBody(serializers.EmailField):
    """In the body of a request to the API."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=MAX_ADDRESS, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        value = str(super().to_internal_value(data))
        try:
            return address(value)
        except ValidationError as error:
            raise serializers.ValidationError(error.messages, "invalid") from None


class CleanText(serializers.CharField):
    """Text in the body of a request to the API; DRF itself refuses a NUL."""

    def to_internal_value(self, data: Any) -> str:
        value = str(super().to_internal_value(data))
        if not is_text(value):
            self.fail("invalid")
        return value


class StrictJSONParser(JSONParser):
    """JSON that can be written down again: no half of a surrogate pair, no infinity, no bottomless
    nesting."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        try:
            data = super().parse(stream, media_type, parser_context)
        except RecursionError:
            raise ParseError("JSON parse error - nested too deeply") from None
        if not can_be_said(data):
            raise ParseError("JSON parse error - holds what is no text or no number")
        return data


def can_be_said(data: Any) -> bool:
    """Whether an answer can hold it."""
    try:
        json.dumps(data, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):  # UnicodeEncodeError is a ValueError
        return False
    return True


def is_text(value: str) -> bool:
    """No NUL, which PostgreSQL refuses; no half of a surrogate pair, which nobody can write
    down."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in value


class NoText(BadRequest):
    """`field` holds what is no text."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


def only_keys(request: HttpRequest, *names: str) -> None:
    """Raises NoText where a field of a form holds what is no key. Django looks up what was chosen,
    and shows it again, before it says that there is no such choice; it stumbles over words, and
    over what no database has room for."""
    for name in names:
        if any(value and whole(value) is None for value in request.POST.getlist(name)):
            raise NoText("That is no choice.", name)


def text_only(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Addresses of pages and API, and forms of the pages, hold text. 400 for what is none; no
    browser sends it."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if not is_text(request.path_info):
            raise Http404
        if request.path_info.startswith("/anymail/"):
            return get_response(
                request
            )  # whatever a provider posts is read by helpers of its own, or posted again
        forms = [request.GET]
        if request.method == "POST" and request.path_info.startswith(_PAGES):
            forms.append(request.POST)
        for name, values in (field for form in forms for field in form.lists()):
            if not is_text("".join((name, *map(str, values)))):
                raise NoText(
                    "A NUL or half of a surrogate pair is no text.", name if is_text(name) else ""
                )
        return get_response(request)

    return middleware
