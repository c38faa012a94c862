"""Who wants to hear what happens on a ticket, and telling them now and then."""

from collections import defaultdict

from django.db import transaction
from django.db.models import Exists, OuterRef

from helpdesk import access
from helpdesk.models import Event, Person, Ticket, Watcher
from helpdesk.outbound import notify
from helpdesk.refused import Refused

MAX_TICKETS = 50  # in one digest; the rest comes with the next one
MAX_EVENTS = 20  # of one ticket


def watch(ticket: Ticket, person: Person) -> bool:
    """From now on the person gets digests of what others do on the ticket; False where they did
    already."""
    if not person.is_staff:
        raise Refused("Only agents watch tickets; customers take part in them.")
    if not access.may_be_told(person, ticket):
        raise Refused(f"{person} may not see this ticket.")
    newest = (
        Event.objects.filter(ticket=ticket).order_by("-pk").values_list("pk", flat=True).first()
    )
    _, created = Watcher.objects.get_or_create(
        ticket=ticket, person=person, defaults={"seen_event": newest or 0}
    )
    return created


def unwatch(ticket: Ticket, person: Person) -> bool:
    return bool(Watcher.objects.filter(ticket=ticket, person=person).delete()[0])


def send_digests() -> int:
    """A mail to each watcher on whose tickets others did something since the last one; how many
    mails.

    The mark of what was told moves in the transaction of the mail: nothing is told twice or left
    out.
    """
    news = Event.objects.filter(ticket=OuterRef("ticket"), pk__gt=OuterRef("seen_event"))
    waiting = Watcher.objects.filter(Exists(news), person__is_active=True)
    told = 0
    for person in Person.objects.filter(pk__in=waiting.values("person")):
        with transaction.atomic():
            told += _digest(person)
    return told


def _digest(person: Person) -> bool:
    news = Event.objects.filter(ticket=OuterRef("ticket"), pk__gt=OuterRef("seen_event"))
    rows = (
        Watcher.objects.filter(Exists(news), person=person)
        .select_related("ticket__mailbox")
        .order_by("pk")
    )
    watched = {
        row.ticket_id: row
        for row in rows.select_for_update(of=("self",), no_key=True)[:MAX_TICKETS]
    }
    events: dict[int, list[Event]] = defaultdict(list)
    newest: dict[int, int] = {}
    since = min((row.seen_event for row in watched.values()), default=0)
    found = (
        Event.objects.filter(ticket__in=watched, pk__gt=since)
        .select_related("actor")
        .order_by("pk")
    )
    for event in found:
        if event.pk > watched[event.ticket_id].seen_event:
            newest[event.ticket_id] = event.pk
            if event.actor_id != person.pk:
                events[event.ticket_id].append(event)
    for ticket, pk in newest.items():
        Watcher.objects.filter(pk=watched[ticket].pk).update(seen_event=pk)
    # Who may not see a ticket any more is not told of it, and not told later what happened
    # meanwhile.
    seen = set(access.tickets(person).filter(pk__in=events).values_list("pk", flat=True))
    items = [
        (watched[ticket].ticket, told[-MAX_EVENTS:])
        for ticket, told in events.items()
        if ticket in seen
    ]
    if items and person.is_staff:
        notify.digest(person, items, items[0][0].mailbox)
        return True
    return False
