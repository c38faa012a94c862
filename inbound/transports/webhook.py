"""Mail that a provider posts to us, through django-anymail's views: they have checked who posts.

200 follows only after the commit. A fault of ours is 503, so that the provider posts again.
"""

import base64
import binascii
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from io import BytesIO
from typing import Any

from anymail.signals import inbound
from django.conf import settings
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.http.multipartparser import MultiPartParser
from django.http.response import HttpResponseBase
from django.urls import path, re_path
from django.urls.resolvers import RegexPattern
from django.utils.crypto import constant_time_compare
from django.views.decorators.csrf import csrf_exempt

from inbound import store
from inbound.models import Mailbox
from inbound.reading.message import Envelope
from inbound.reading.results import Result

log = logging.getLogger(__name__)

# Where each provider's post holds the mail as it came over the wire, if it was asked to send it: Mailgun and SendGrid
# in a form, the others in JSON (Postmark, Amazon SES, Mandrill, SparkPost, MailerSend).
FORM_FIELDS = ("body-mime", "email")
JSON_FIELDS = (("RawEmail",), ("content",), ("msg", "raw_msg"), ("content", "email_rfc822"), ("data", "raw"), ("raw",))


# In a post, the errors of mails that cannot be stored for their own sake.
_refused: ContextVar[list[Exception] | None] = ContextVar("_refused", default=None)


def on_mail(sender: object, event: Any, esp_name: str, **kwargs: Any) -> None:
    """Stores the mail. Raises the database's errors: `guarded` answers 503. A mail that cannot be stored for its own sake
    has the same answer, but first the others of its post are stored (Mandrill and SparkPost send several at once)."""
    refused = _refused.get()
    try:
        _store(event, esp_name)
    except Exception as error:
        if refused is None or not store.is_its_own(error):
            raise
        log.exception("a mail that %s posted cannot be stored", esp_name)
        refused.append(error)


def _store(event: Any, esp_name: str) -> None:
    message = event.message
    raw = raw_message(event.esp_event) or message.as_bytes()
    recipients = _ours(_envelope_recipients(event)) or _ours(
        address.addr_spec for address in (*(message.to or ()), *(message.cc or ()))
    )
    if not recipients:
        # The provider has accepted it in our name: whoever it was for, it is not thrown away.
        first = Mailbox.objects.filter(is_active=True).order_by("pk").first()
        if first is None:
            raise store.RecipientsChanged("there is no mailbox")
        recipients = [first.address]
    key = f"{esp_name}:{event.event_id}"[:300] if event.event_id else None
    sender = _envelope_sender(event)
    envelope = Envelope(sender, tuple(recipients), esp_name, _results(event.esp_event, sender))
    store.accept(raw, envelope, "webhook", key=key)


def raw_message(post: Any) -> bytes | None:
    """The bytes of the mail, where the provider's post holds them; None where it has taken the mail apart."""
    if isinstance(post, HttpRequest):
        name = next((name for name in FORM_FIELDS if name in post.POST), None)
        return _bytes_of_form(post)[name] if name else None
    for names in JSON_FIELDS:
        value = post
        for name in names:
            value = value.get(name) if isinstance(value, Mapping) else None
        if isinstance(value, str) and (found := _bytes_of_text(value)):
            return found
    return None


def guarded(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Anymail's own answer to an exception is 500, which some providers take for final."""

    @csrf_exempt
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            if knows_the_secret(request.headers.get("Authorization", "")):
                # Once a form has been taken apart its bytes are gone, and with them the mail's.
                request.body  # noqa: B018
            refused: list[Exception] = []
            before = _refused.set(refused)
            try:
                answered = view(request, *args, **kwargs)
            finally:
                _refused.reset(before)
            if not refused:
                return answered
        except (SuspiciousOperation, PermissionDenied, Http404):
            raise
        except store.TEMPORARY as error:
            log.error("a provider's post could not be stored: %s: %s", type(error).__name__, error)
        except Exception:  # what anymail did not expect
            log.exception("a provider's post could not be read")
        return HttpResponse("Try again later.\n", status=503, headers={"Retry-After": "30"}, content_type="text/plain")

    return answer


def guarded_route(route: Any) -> Any:
    """One of anymail's routes with its view guarded; some are plain paths, some regular expressions."""
    if isinstance(route.pattern, RegexPattern):
        return re_path(route.pattern.regex.pattern, guarded(route.callback), name=route.name)
    return path(str(route.pattern), guarded(route.callback), name=route.name)


def connect() -> None:
    inbound.connect(on_mail, weak=False, dispatch_uid="inbound webhook")


def knows_the_secret(authorization: str) -> bool:
    """Whether it pays to read the post; anymail's views decide for themselves."""
    kind, _, given = authorization.partition(" ")
    wanted = base64.b64encode(settings.ANYMAIL_WEBHOOK_SECRET.encode()).decode()
    return kind.lower() == "basic" and constant_time_compare(given.strip(), wanted)


def _envelope_sender(event: Any) -> str | None:
    """None where the post does not say; "" where it says that there is none."""
    sender: str | None = event.message.envelope_sender
    post = event.esp_event
    if not sender and isinstance(post, HttpRequest):
        try:
            return str(json.loads(post.POST["envelope"])["from"])  # SendGrid
        except (ValueError, KeyError, TypeError):
            return post.POST.get("sender") if "sender" in post.POST else None  # Mailgun
    return sender


def _results(post: Any, sender: str | None) -> tuple[Result, ...] | None:
    """What the provider found out about the sender and says beside the mail, where no sender can write it; None where it
    says nothing there."""
    said: dict[str, object] = {}
    if isinstance(post, HttpRequest):
        said = {"spf": post.POST.get("SPF")}  # SendGrid
    elif isinstance(post, Mapping) and isinstance(receipt := post.get("receipt"), Mapping):
        # Amazon SES: PASS, FAIL, GRAY (nothing published, or no answer) or PROCESSING_FAILED
        for method in ("spf", "dmarc"):
            verdict = receipt.get(f"{method}Verdict")
            said[method] = verdict.get("status") if isinstance(verdict, Mapping) else None
    about = {"spf": {"smtp.mailfrom": (sender or "")[:400]}}
    found = tuple(
        Result(method, _AS_RFC.get(value.strip().lower(), value.strip().lower()[:20]), about.get(method, {}))
        for method, value in said.items()
        if isinstance(value, str) and value.strip() and value.isprintable()
    )
    return found or None


_AS_RFC = {"gray": "none", "processing_failed": "temperror"}


def _envelope_recipients(event: Any) -> list[str]:
    """All that the post is for; anymail names the first."""
    post = event.esp_event
    if isinstance(post, HttpRequest):
        try:
            found = json.loads(post.POST.get("envelope", ""))["to"]  # SendGrid
        except (ValueError, KeyError, TypeError):
            found = post.POST.get("recipient", "").split(",")  # Mailgun
    else:
        receipt = post.get("receipt") if isinstance(post, Mapping) else None
        found = receipt.get("recipients") if isinstance(receipt, Mapping) else None  # Amazon SES
    found = [address.strip() for address in found or () if isinstance(address, str) and address.strip()]
    return found or [address for address in (event.message.envelope_recipient,) if address]


def _ours(addresses: Iterable[str]) -> list[str]:
    return [address for address in dict.fromkeys(addresses) if store.mailbox_for(address)]


def _bytes_of_form(request: HttpRequest) -> dict[str, bytes]:
    """The fields as they were sent: in Latin-1 each byte is a letter, so nothing is replaced."""
    if request.content_type == "multipart/form-data":
        fields, _ = MultiPartParser(request.META, BytesIO(request.body), request.upload_handlers, "latin-1").parse()
    else:
        fields = QueryDict(request.body, encoding="latin-1")
    return {name: value.encode("latin-1") for name, value in fields.items() if isinstance(value, str)}


def _bytes_of_text(value: str) -> bytes | None:
    if ":" in value.partition("\n")[0] and "\n" in value:
        return value.encode()  # JSON is Unicode: what was none has been replaced by the provider
    try:
        decoded = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None
    return decoded if b":" in decoded.partition(b"\n")[0] else None
