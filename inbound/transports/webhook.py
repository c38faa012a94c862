"""Mail that a provider posts to us, through django-anymail's views: they have checked who posts.

200 follows only after the commit. A fault of ours is 503, so that the provider posts again.
"""

import base64
import binascii
import logging
from collections.abc import Callable
from typing import Any

from anymail.signals import inbound
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import path, re_path
from django.urls.resolvers import RegexPattern
from django.views.decorators.csrf import csrf_exempt

from inbound import store
from inbound.message import Envelope
from inbound.models import Mailbox

log = logging.getLogger(__name__)

# Where each provider's post holds the message as it came over the wire, if it was asked to send it.
RAW_FIELDS = ("body-mime", "email", "RawEmail", "raw_msg", "raw", "message")


def on_mail(sender: object, event: Any, esp_name: str, **kwargs: Any) -> None:
    """Stores the mail. Raises the database's errors: `guarded` answers 503."""
    message = event.message
    recipients = [found for found in (message.envelope_recipient,) if found] or [
        address.addr_spec for address in (*(message.to or ()), *(message.cc or ()))
    ]
    envelope = Envelope(message.envelope_sender or "", tuple(recipients), esp_name)
    key = f"{esp_name}:{event.event_id}"[:300] if event.event_id else None
    raw = raw_message(event.esp_event) or message.as_bytes()
    try:
        store.accept(raw, envelope, "webhook", key=key)
    except (store.UnknownRecipient, store.RecipientsChanged):
        # The provider has accepted it in our name: whoever it was for, it is not thrown away.
        first = Mailbox.objects.filter(is_active=True).order_by("pk").first()
        if first is None:
            raise store.RecipientsChanged("there is no mailbox") from None
        store.accept(raw, Envelope(envelope.mail_from, (first.address,), esp_name), "webhook", key=key)


def raw_message(post: Any) -> bytes | None:
    """The bytes of the mail, where the provider's post holds them; None where it has taken the mail apart."""
    get = getattr(post, "get", None)
    if get is None:
        return None
    for name in RAW_FIELDS:
        value = get(name)
        if isinstance(value, bytes) and b"\n" in value:
            return value
        if not isinstance(value, str):
            continue
        if "\n" in value and ":" in value.partition("\n")[0]:
            # What JSON or a form made of eight-bit bytes goes back to them.
            return value.encode("utf-8", "surrogateescape")
        try:
            decoded = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            continue
        if b":" in decoded.partition(b"\n")[0]:
            return decoded
    return None


def guarded(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Anymail's own answer to an exception is 500, which some providers take for final."""

    @csrf_exempt
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        except store.TEMPORARY as error:
            log.error("a provider's post could not be stored: %s: %s", type(error).__name__, error)
            return HttpResponse(
                "Try again later.\n", status=503, headers={"Retry-After": "30"}, content_type="text/plain"
            )

    return answer


def guarded_route(route: Any) -> Any:
    """One of anymail's routes with its view guarded; some are plain paths, some regular expressions."""
    if isinstance(route.pattern, RegexPattern):
        return re_path(route.pattern.regex.pattern, guarded(route.callback), name=route.name)
    return path(str(route.pattern), guarded(route.callback), name=route.name)


def connect() -> None:
    inbound.connect(on_mail, weak=False, dispatch_uid="inbound webhook")
