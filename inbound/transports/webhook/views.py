"""django-anymail's views with what they read looked at first, so that what a provider has sent
wrongly is told from what is our fault."""

import json
import sys
from typing import Any

from anymail.exceptions import AnymailWebhookValidationFailure
from anymail.signals import inbound, tracking
from django.http import HttpRequest

from inbound.transports.webhook.faults import Unreadable, theirs
from inbound.transports.webhook.mended import MENDED
from inbound.transports.webhook.posted import Posted, TooLarge
from inbound.transports.webhook.provider_api import api

# What an event is about that tells nothing without its mail's id.
_OF_A_MAIL = {"bounced", "complained", "deferred", "delivered", "failed", "rejected"}


def careful(view_class: type) -> Any:
    """The view with what it reads looked at first, and the mail's bytes kept as they came."""
    module = sys.modules[view_class.__module__]
    for name, ours in (("AnymailInboundMessage", Posted), ("requests", api)):
        if hasattr(module, name):
            setattr(module, name, ours)
    mended = [mixin for view, mixin in MENDED.items() if issubclass(view_class, view)]
    bases = (_Careful, *mended, view_class)
    return type(view_class.__name__, bases, {"__module__": view_class.__module__})


class _Careful:
    """Tells what the provider has sent wrongly from what is our fault."""

    signal: Any

    def run_validators(self, request: HttpRequest) -> None:
        with theirs(is_of_keys=True):
            fields = request.headers.items()
            if not all(value.isascii() for name, value in fields if "signature" in name.lower()):
                raise AnymailWebhookValidationFailure("its signature is none")
            super().run_validators(request)  # type: ignore[misc]

    def parse_events(self, request: HttpRequest) -> list[Any]:
        with theirs(is_tracking=self.signal is tracking):
            _not_empty(request)
            found = super().parse_events(request)  # type: ignore[misc]
            events = [event for event in found if event is not None]
            for event in events:
                (_hold_a_mail if self.signal is inbound else _names_a_mail)(event)
            return events


def _not_empty(request: HttpRequest) -> None:
    try:
        is_empty = len(request.body) < 1000 and not json.loads(request.body or b"0")
    except ValueError:  # a form, or what the view will say of it
        return
    if is_empty:
        raise Unreadable("the post is empty")


def _hold_a_mail(event: Any) -> None:
    if event.message is None:
        raise Unreadable("the post names no mail")
    for said in (event.message.envelope_sender, event.message.envelope_recipient):
        if not isinstance(said, str | None):
            raise TypeError
    try:
        event.message.content()
    except TooLarge:
        pass  # on_mail says so


def _names_a_mail(event: Any) -> None:
    if event.event_type in _OF_A_MAIL and not event.message_id:
        raise Unreadable(f"the post tells of a mail ({event.event_type}) and names none")
