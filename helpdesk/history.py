"""A ticket's history: its events, as they are written and in words."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from helpdesk import changes
from helpdesk.models import Event, Person, Ticket

SHOWN = 100


@dataclass(frozen=True, slots=True)
class Line:
    at: datetime
    who: str
    what: str


def record(ticket: Ticket, kind: str, actor: Person | None, **data: Any) -> Event:
    """Writes down what was done, in the caller's transaction. `actor` is None where it was the
    helpdesk itself; a new kind is a row of WORDS."""
    return changes.insert(Event(ticket=ticket, kind=kind, actor=actor, data=data))


def lines(ticket: Ticket) -> list[Line]:
    """The newest first."""
    events = ticket.events.select_related("actor").order_by("-id")[:SHOWN]
    return [
        Line(event.created_at, str(event.actor or "Helpdesk"), describe(event)) for event in events
    ]


def describe(event: Event) -> str:
    words = WORDS.get(event.kind)
    if words is None:
        return event.kind
    return words.format(**event.data) if isinstance(words, str) else words(event.data)


def when(iso: str) -> str:
    return timezone.localtime(datetime.fromisoformat(iso)).strftime("%-d %b %H:%M")


# --- The kinds whose words depend on what is there

Data = dict[str, Any]


def _opened(data: Data) -> str:
    follows = f", after #{data['follows']}" if "follows" in data else ""
    detached = f", from #{data['from']}" if "from" in data else ""
    return f"opened the ticket by {data.get('via', '')}{follows}{detached}"


def _assigned(data: Data) -> str:
    return f"assigned it to {data['to']}" + (f" (was {data['from']})" if data["from"] else "")


def _status(data: Data) -> str:
    why = f": {data['why']}" if "why" in data else ""
    return f"changed the status from {data['from']} to {data['to']}{why}"


def _confirmed(data: Data) -> str:
    name = f" (the name in the form: “{data['name']}”)" if data["name"] else ""
    return f"took the request for theirs{name}"


def _participant_added(data: Data) -> str:
    source = "" if data["source"] == "agent" else f" ({data['source']})"
    return f"added {data['name']}{source}"


def _spam(data: Data) -> str:
    return "marked it as spam" + (f" and blocked {data['blocked']}" if data["blocked"] else "")


def _sla_warning(data: Data) -> str:
    return f"warned: {data['target'].lower()} is due {when(data['due'])}"


def _sla_breach(data: Data) -> str:
    return f"noted that {data['target'].lower()} was missed; it was due {when(data['due'])}"


def _sla_escalation(data: Data) -> str:
    return f"escalated, {data['after']} min after {data['target'].lower()} was missed"


def _from_or(nothing: str, words: str) -> Callable[[Data], str]:
    """`words` with what stands for a value that was, or is now, none."""
    return lambda data: words.format(
        **{**data, "from": data["from"] or nothing, "to": data["to"] or nothing}
    )


# An event's kind → its words, with the event's data in them.
WORDS: dict[str, str | Callable[[Data], str]] = {
    "opened": _opened,
    "followed-up": "continued it in #{by}",
    "customer-replied": "replied",
    "automatic-reply": "sent an automatic reply",
    "replied": "answered",
    "noted": "wrote a note",
    "assigned": _assigned,
    "unassigned": "took it from {from}",
    "status": _status,
    "priority": "changed the priority from {from} to {to}",
    "team": _from_or("no team", "moved it from {from} to {to}"),
    "held": "held a mail from {sender}: {why}",
    "admitted": "admitted the mail from {sender}",
    "trusted": "trusts mail from {address} that is {way}",
    "address-added": "added {address} as a further address of {name}",
    "people-let-in": "let the {number} people of the first mail take part",
    "people-left-out": "left the {number} other people of the first mail out",
    "rejected": "rejected the mail from {sender}",
    "confirmed": _confirmed,
    "detached": "made the mail from {sender} a ticket of its own, #{to}",
    "participant-added": _participant_added,
    "participant-removed": "removed {name}",
    "spam": _spam,
    "not-spam": "took the spam mark off",
    "mail-retried": "had the {what} to {to} sent again",
    "mail-cancelled": "cancelled the {what} to {to}",
    "mail-failed": "could not deliver the {what} to {to}: {why}",
    "category": _from_or("none", "changed the category from {from} to {to}"),
    "sla-warning": _sla_warning,
    "sla-breach": _sla_breach,
    "sla-escalation": _sla_escalation,
    "subject": "changed the subject from “{from}”",
    "tags": lambda data: f"changed the tags to {', '.join(data['to']) or 'none'}",
    "custom": lambda data: f"changed {', '.join(data['fields'])}",
    "comment-edited": "changed a comment",
    "comment-deleted": "deleted a comment of {author}",
    "rated": "rated it {score} of 5",
    "also-at": "got the same mail at {mailbox}, too",
    "archived": "wrote, in an archive that was imported",
    "taken-back": "took an answer back before it was sent",
    "address-suppressed": "sends no more mail to {address}: {why}",
    "suppression-lifted": "lets mail go to {address} again",
    "file-kept-out": "kept the file {name} out: the virus scanner found {signature} in it",
    "pin-issued": "issued a PIN to {name}",
    "pin-used": "signed in with the PIN that {issuer} issued",
    "pin-ended": "ended the PIN that {issuer} issued",
    "links-ended": "ended the links in mail to {to}",
    "mail-bounced": "got the {what} to {to} back: {why}",
}
