"""What a mail provider tells us about mail we sent. django-anymail has checked who says so."""

import re
from collections.abc import Mapping
from typing import Any

from anymail.signals import tracking

from helpdesk import delivery
from helpdesk.models import OutboundMail
from helpdesk.wire import Unwritable, on_the_wire


def on_event(sender: object, event: Any, esp_name: str, **kwargs: Any) -> None:
    """Finds the mail by the provider's id and the recipient, and hands the event on."""
    mail = _mail(str(event.message_id or ""), str(event.recipient or ""))
    if mail is None:
        return
    why = " ".join(filter(None, (event.reject_reason, event.description, event.mta_response)))
    # Blocked for its content or by policy is not a dead address; anymail sorts these out.
    dead = event.event_type == "bounced" and _is_about_the_address(event) and not _will_pass(event)
    delivery.provider_event(mail, str(event.event_type), f"{esp_name}: {why}"[:1000], dead=dead)


def _is_about_the_address(event: Any) -> bool:
    if event.reject_reason is None and isinstance(event.esp_event, Mapping):
        return bool(event.esp_event.get("type") == "bounce")  # SendGrid: anything else is "blocked"
    return event.reject_reason in {"bounced", "invalid"}


def _will_pass(event: Any) -> bool:
    """A full mailbox, a server that was away: anymail calls these bounces, too; the provider's post tells."""
    post = event.esp_event
    said = post if isinstance(post, Mapping) else {}
    bounce = said.get("bounce")
    kind = bounce.get("bounceType") if isinstance(bounce, Mapping) else None
    if said.get("Type") in {"SoftBounce", "Transient", "DnsError"} or kind in {"Transient", "Undetermined"}:
        return True
    return bool(re.match(r"(?:\w+;\s*)?4\d\d\b|4\.\d+\.\d+", str(event.mta_response or "")))


def connect() -> None:
    tracking.connect(on_event, weak=False, dispatch_uid="helpdesk provider events")


def _mail(message_id: str, recipient: str) -> OutboundMail | None:
    if not message_id:
        return None
    bare = message_id.strip("<>")
    rows = OutboundMail.objects.select_related("ticket", "comment__author")
    found = rows.filter(provider_message_id=bare).first() or rows.filter(message_id=bare).first()
    return found if found is not None and recipient.lower() in {"", *_written(found.to_address)} else None


def _written(address: str) -> set[str]:
    try:
        return {address, on_the_wire(address)}
    except Unwritable:
        return {address}
