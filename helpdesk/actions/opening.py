"""A new ticket."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from helpdesk import alerts, notify
from helpdesk.actions.common import record
from helpdesk.actions.content import Content, write_comment
from helpdesk.models import Assignment, Category, Comment, Participant, Person, Team, Ticket
from helpdesk.remembered import remembered
from helpdesk.sla import clocks
from inbound.models import Mailbox
from tasks.ring import ring


@remembered
def _team_of(mailbox: int) -> Team | None:
    return Team.objects.filter(mailboxes=mailbox).order_by("pk").first()


def open_ticket(
    *,
    requester: Person,
    mailbox: Mailbox,
    subject: str,
    content: Content,
    via: str,
    actor: Person | None,
    cc: Iterable[Person] = (),
    follows: Ticket | None = None,
    acknowledge: bool = True,
    number: int | None = None,
    at: datetime | None = None,
    priority: int = Ticket.Priority.NORMAL,
    category: Category | None = None,
    is_history: bool = False,
    address: str = "",
    asks_to_add: Sequence[Sequence[str]] = (),
    quote: bool = True,
    guest_name: str | None = None,
) -> tuple[Ticket, Comment]:
    """A ticket with its first comment, participants, event and acknowledgement, in one transaction.

    `number` is a reserved ticket id. `cc` may write into the ticket and get its answers, except staff; `asks_to_add`
    ([name, address]) wait for an agent to let them. `address` is the one that the requester wrote from. Without `quote`
    the acknowledgement does not repeat what was written. `guest_name` is what a guest typed, with an address of their choice.
    """
    now = at or timezone.now()
    with transaction.atomic(savepoint=False):
        ticket = Ticket(
            pk=number, subject=subject.strip()[:500] or "(no subject)", requester=requester, mailbox=mailbox,
            team=(category.team if category else None) or _team_of(mailbox.pk), category=category,
            guest_name=guest_name, follows=follows, priority=priority, created_at=now,
            activity_at=now, customer_waits_since=now,
        )  # fmt: skip
        ticket.save(force_insert=True)
        others = {person.pk: person for person in cc if not person.is_staff and person.pk != requester.pk}
        Participant.objects.bulk_create(
            [
                Participant(
                    ticket=ticket, person=requester, role=Participant.Role.REQUESTER, source="requester",
                    address="" if address == requester.email else address,
                ),
                *(
                    Participant(ticket=ticket, person=person, role=Participant.Role.CC, source="first mail")
                    for person in others.values()
                ),
            ]
        )  # fmt: skip
        comment = write_comment(ticket, requester, content, visibility=Comment.Visibility.PUBLIC, via=via)
        if asks_to_add:
            Comment.objects.filter(pk=comment.pk).update(asks_to_add=[list(found) for found in asks_to_add])
        if ticket.team_id:
            Assignment.objects.create(ticket=ticket, team_id=ticket.team_id, started_at=now)
        if is_history:
            # It is over and done with: nobody waits, nothing runs, nobody is told.
            Ticket.objects.filter(pk=ticket.pk).update(
                status=Ticket.Status.CLOSED, closed_at=now, customer_waits_since=None
            )
            record(ticket, "opened", actor, via="archive")
            return ticket, comment
        clocks.opened(ticket)
        data = {"via": via} | ({"follows": follows.pk} if follows else {})
        record(ticket, "opened", actor, **data)
        if follows:
            record(follows, "followed-up", actor, by=ticket.pk)
        if acknowledge and mailbox.send_acknowledgement:
            notify.acknowledgement(ticket, comment, quote=quote)
        if ticket.team and ticket.team.strategy != Team.Strategy.MANUAL:
            ring("tasks.sla.route", ticket.pk)
        alerts.for_team(ticket.team, "opened", ticket, f"New ticket #{ticket.pk}: {ticket.subject}", comment.text)
    return ticket, comment
