"""Whom a posted mail is for and who sent it, as the post says it beside the mail, in each
provider's way."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from django.http import HttpRequest

from inbound import store
from inbound.default_mailbox import default_mailbox
from inbound.glance import named_recipients
from inbound.reading import headers
from inbound.reading.message import Envelope
from inbound.reading.results import Result
from inbound.recipients import mailbox_for

_AS_RFC = {"gray": "none", "processing_failed": "temperror"}
# Where a post in JSON names all that it is for: Amazon SES, MailerSend (objects with an `email`)
# and Resend.
_RECIPIENTS = (
    ("receipt", "recipients"),
    ("data", "recipients", "rcptTo"),
    ("data", "received_for"),
    ("data", "to"),
)


def envelope_of(event: Any, esp_name: str, raw: bytes) -> Envelope:
    """Raises RecipientsChanged where there is no mailbox at all."""
    recipients = _ours(_envelope_recipients(event)) or _ours(named_recipients(raw))
    if not recipients:
        # The provider has accepted it in our name: whoever it was for, it is not thrown away.
        first = default_mailbox()
        if first is None:
            raise store.RecipientsChanged("there is no mailbox")
        recipients = [first.address]
    sender = _envelope_sender(event)
    sender = None if sender is None else headers.one_line(sender)
    return Envelope(sender, tuple(recipients), esp_name, _results(event.esp_event, sender))


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
    """What the provider found out about the sender and says beside the mail, where no sender can
    write it; None where it says nothing there."""
    said: dict[str, object] = {}
    if isinstance(post, HttpRequest):
        said = {"spf": post.POST.get("SPF")}  # SendGrid
    elif isinstance(post, Mapping) and isinstance(receipt := post.get("receipt"), Mapping):
        # Amazon SES: PASS, FAIL, GRAY (nothing published, or no answer) or PROCESSING_FAILED
        for method in ("spf", "dmarc"):
            verdict = receipt.get(f"{method}Verdict")
            said[method] = verdict.get("status") if isinstance(verdict, Mapping) else None
    about = {"spf": {"smtp.mailfrom": (sender or "")[:400]}}
    found = [
        (method, value.strip().lower())
        for method, value in said.items()
        if isinstance(value, str) and value.strip() and value.isprintable()
    ]
    results = (
        Result(method, _AS_RFC.get(value, value[:20]), about.get(method, {}))
        for method, value in found
    )
    return tuple(results) or None


def _envelope_recipients(event: Any) -> list[str]:
    """All that the post is for; anymail names the first."""
    said = _recipients_said(event.esp_event)
    given = (one.get("email") if isinstance(one, Mapping) else one for one in said)
    texts = (one for one in given if isinstance(one, str))
    named = [address.address for one in texts for address in headers.addresses(one)]
    first = event.message.envelope_recipient
    return named or ([first] if isinstance(first, str) and first else [])


def _recipients_said(post: Any) -> list[Any]:
    if isinstance(post, HttpRequest):
        try:
            found = json.loads(post.POST.get("envelope", ""))["to"]  # SendGrid
        except (ValueError, KeyError, TypeError):
            found = post.POST.get("recipient", "").split(",")  # Mailgun
    else:
        found = next(filter(None, (_within(post, names) for names in _RECIPIENTS)), None)
    return found if isinstance(found, list) else []


def _within(post: Any, names: tuple[str, ...]) -> Any:
    for name in names:
        post = post.get(name) if isinstance(post, Mapping) else None
    return post


def _ours(addresses: Iterable[str]) -> list[str]:
    each_once = dict.fromkeys(map(headers.one_line, addresses))
    return [address for address in each_once if mailbox_for(address)]
