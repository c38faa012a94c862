"""`Idempotency-Key`: the same request again gives the first answer again, byte for byte, for a day.

The key's row is made in the transaction that does the work, so that they cannot disagree: of two
requests at once the second waits at the unique row until the first has committed, and gets its
answer.
"""

import functools
import hashlib
import hmac
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.utils import timezone
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from helpdesk.api.throttling import client
from helpdesk.models import IdempotencyKey
from helpdesk.throttle import client_key
from inbound.secrets import decrypt, encrypt

KEPT_FOR = timedelta(days=1)


class OtherBody(exceptions.APIException):
    status_code = 422
    default_code = "idempotency_key_reused"
    default_detail = "This Idempotency-Key was used with another body."


def creates(handler: Callable[..., Any]) -> Callable[..., Any]:
    """For a view's POST that makes something."""

    @functools.wraps(handler)
    def guarded(self: Any, request: Request, *args: Any, **kwargs: Any) -> Any:
        key = request.headers.get("Idempotency-Key", "").strip()
        if not key:
            with transaction.atomic():
                return handler(self, request, *args, **kwargs)
        if len(key) > 200 or not key.isprintable():
            raise exceptions.ValidationError(
                {"Idempotency-Key": "must have no more than 200 printable characters"}
            )
        print_, found = fingerprint(request), _asked_for(request, key)
        IdempotencyKey.objects.filter(created_at__lt=timezone.now() - KEPT_FOR, **found).delete()
        try:
            row = _first_answer(lambda: handler(self, request, *args, **kwargs), print_, found)
        except IntegrityError:
            first = IdempotencyKey.objects.filter(**found).first()
            if first is None:
                raise
            if first.fingerprint != print_:
                raise OtherBody from None
            row = first
        return HttpResponse(
            decrypt(row.body),
            status=row.status,
            content_type="application/json",
            headers=row.headers,
        )

    return guarded


def _asked_for(request: Request, key: str) -> dict[str, str]:
    """Who asks for what, by which key: a row's unique fields."""
    user = request.user
    owner = (
        f"user {user.pk}"
        if user and user.is_authenticated
        else f"client {client_key(client(request))}"
    )
    return {"owner": owner[:100], "path": request.path[:300], "key": key}


def _first_answer(work: Callable[[], Any], print_: str, found: dict[str, str]) -> IdempotencyKey:
    """Does the work, and keeps its answer. Raises IntegrityError where another request is the
    first."""
    with transaction.atomic():
        with transaction.atomic():
            row = IdempotencyKey.objects.create(fingerprint=print_, **found)
        response = work()
        row.status = response.status_code
        row.body = encrypt(JSONRenderer().render(response.data).decode())
        kept = {"Location", "ETag"}
        row.headers = {name: value for name, value in response.headers.items() if name in kept}
        row.save()
    return row


def fingerprint(request: Request) -> str:
    """Of the request's fields, and its files by their content; a multipart body's boundary is
    another each time."""
    # With a key of ours: a password in the body can't be guessed from what is kept.
    digest = hmac.new(settings.SECRET_KEY.encode(), str(request.method).encode(), hashlib.sha256)
    data = request.data
    if hasattr(data, "lists"):
        for name, values in sorted(data.lists()):
            for value in values:
                if isinstance(value, UploadedFile):
                    value.seek(0)
                    content = hashlib.file_digest(value, "sha256").hexdigest()  # type: ignore[arg-type]
                    value.seek(0)
                    value = f"{value.name}\0{content}"
                digest.update(f"{name}\0{value}\0".encode("utf-8", "surrogatepass"))
    else:
        digest.update(JSONRenderer().render(data))
    return digest.hexdigest()
