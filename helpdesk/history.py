"""A ticket's events in words."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from helpdesk.models import Event, Ticket

SHOWN = 100


@dataclass(frozen=True, slots=True)
class Line:
    at: datetime
    who: str
    what: str


def lines(ticket: Ticket) -> list[Line]:
    """The newest first."""
    events = ticket.events.select_related("actor").order_by("-id")[:SHOWN]
    return [Line(event.created_at, str(event.actor or "Helpdesk"), describe(event)) for event in events]


def describe(event: Event) -> str:
    data = event.data
    words: dict[str, Callable[[], str]] = {
        "opened": lambda: f"opened the ticket by {data.get('via', '')}" + (f", after #{data['follows']}" if "follows" in data else "") + (f", from #{data['from']}" if "from" in data else ""),
        "followed-up": lambda: f"continued it in #{data['by']}",
        "customer-replied": lambda: "replied",
        "automatic-reply": lambda: "sent an automatic reply",
        "replied": lambda: "answered",
        "noted": lambda: "wrote a note",
        "assigned": lambda: f"assigned it to {data['to']}" + (f" (was {data['from']})" if data["from"] else ""),
        "unassigned": lambda: f"took it from {data['from']}",
        "status": lambda: f"changed the status from {data['from']} to {data['to']}" + (f": {data['why']}" if "why" in data else ""),
        "priority": lambda: f"changed the priority from {data['from']} to {data['to']}",
        "team": lambda: f"moved it from {data['from'] or 'no team'} to {data['to'] or 'no team'}",
        "held": lambda: f"held a mail from {data['sender']}: {data['why']}",
        "admitted": lambda: f"admitted the mail from {data['sender']}",
        "trusted": lambda: f"trusts mail from {data['address']} that is {data['way']}",
        "address-added": lambda: f"added {data['address']} as a further address of {data['name']}",
        "people-let-in": lambda: f"let the {data['number']} people of the first mail take part",
        "people-left-out": lambda: f"left the {data['number']} other people of the first mail out",
        "rejected": lambda: f"rejected the mail from {data['sender']}",
        "confirmed": lambda: "took the request for theirs" + (f" (the name in the form: “{data['name']}”)" if data["name"] else ""),
        "detached": lambda: f"made the mail from {data['sender']} a ticket of its own, #{data['to']}",
        "participant-added": lambda: f"added {data['name']}" + ("" if data["source"] == "agent" else f" ({data['source']})"),
        "participant-removed": lambda: f"removed {data['name']}",
        "spam": lambda: "marked it as spam" + (f" and blocked {data['blocked']}" if data["blocked"] else ""),
        "not-spam": lambda: "took the spam mark off",
        "mail-retried": lambda: f"had the {data['what']} to {data['to']} sent again",
        "mail-cancelled": lambda: f"cancelled the {data['what']} to {data['to']}",
        "mail-failed": lambda: f"could not deliver the {data['what']} to {data['to']}: {data['why']}",
        "category": lambda: f"changed the category from {data['from'] or 'none'} to {data['to'] or 'none'}",
        "sla-warning": lambda: f"warned: {data['target'].lower()} is due {when(data['due'])}",
        "sla-breach": lambda: f"noted that {data['target'].lower()} was missed; it was due {when(data['due'])}",
        "sla-escalation": lambda: f"escalated, {data['after']} min after {data['target'].lower()} was missed",
        "subject": lambda: f"changed the subject from “{data['from']}”",
        "tags": lambda: f"changed the tags to {', '.join(data['to']) or 'none'}",
        "custom": lambda: f"changed {', '.join(data['fields'])}",
        "comment-edited": lambda: "changed a comment",
        "comment-deleted": lambda: f"deleted a comment of {data['author']}",
        "rated": lambda: f"rated it {data['score']} of 5",
        "also-at": lambda: f"got the same mail at {data['mailbox']}, too",
        "archived": lambda: "wrote, in an archive that was imported",
        "taken-back": lambda: "took an answer back before it was sent",
        "address-suppressed": lambda: f"sends no more mail to {data['address']}: {data['why']}",
        "suppression-lifted": lambda: f"lets mail go to {data['address']} again",
        "file-kept-out": lambda: f"kept the file {data['name']} out: the virus scanner found {data['signature']} in it",
        "pin-issued": lambda: f"issued a PIN to {data['name']}",
        "pin-used": lambda: f"signed in with the PIN that {data['issuer']} issued",
        "pin-ended": lambda: f"ended the PIN that {data['issuer']} issued",
        "links-ended": lambda: f"ended the links in mail to {data['to']}",
        "mail-bounced": lambda: f"got the {data['what']} to {data['to']} back: {data['why']}",
    }  # fmt: skip
    return words[event.kind]() if event.kind in words else event.kind


def when(iso: str) -> str:
    return timezone.localtime(datetime.fromisoformat(iso)).strftime("%-d %b %H:%M")
