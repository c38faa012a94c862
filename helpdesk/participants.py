"""Who may write into a ticket by mail, and who is sent its answers: its participants, and nobody
else.

A token or a Message-ID only locates a ticket. Both travel with quotes and forwards, so having one
proves nothing about who writes.
"""

from dataclasses import dataclass

from helpdesk.models import Participant, Person, PersonAddress, Ticket
from helpdesk.people import can_be_written_to


@dataclass(frozen=True, slots=True)
class Decision:
    allowed: bool
    why: str


def may_write(ticket: Ticket, sender: Person | None) -> Decision:
    """Whether a mail that says it is from `sender` becomes a public comment, or is held for an
    agent."""
    if sender is None:
        return Decision(False, "the sender is no participant")
    if sender.is_staff:
        # From is whatever the sender typed; a word in an agent's name must not reach the customer
        # unseen.
        return Decision(False, "in an agent's name")
    if not sender.is_active:
        return Decision(False, "the sender's account is switched off")
    if not takes_part(ticket.pk, sender):
        return Decision(False, "the sender is no participant")
    return Decision(True, "participant")


def takes_part(ticket: int, person: Person) -> bool:
    return Participant.objects.filter(ticket=ticket, person=person).exists()


def readers(ticket: Ticket) -> list[Participant]:
    """The customers who get the ticket's public answers, each with `person` and, in `reply_to`,
    where to."""
    rows = list(
        Participant.objects.filter(ticket=ticket, person__is_active=True)
        .select_related("person")
        .order_by("id")
    )
    wrote_from = {row.address for row in rows if row.address}
    # One that has been taken from them since, or that they gave up, is theirs no more.
    theirs = (
        set(
            PersonAddress.objects.filter(address__in=wrote_from, given_up_at=None).values_list(
                "person", "address"
            )
        )
        if wrote_from
        else set()
    )
    for row in rows:
        row.reply_to = row.address if (row.person_id, row.address) in theirs else row.person.email
    return [row for row in rows if can_be_written_to(row.person)]
