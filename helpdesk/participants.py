"""Who may write into a ticket by mail, and who is sent its answers: its participants, and nobody
else.

A token or a Message-ID only locates a ticket. Both travel with quotes and forwards, so having one
proves nothing about who writes.
"""

from dataclasses import dataclass

from helpdesk.facts import Fact
from helpdesk.models import Participant, Person, PersonAddress, Ticket
from helpdesk.people import can_be_written_to
from inbound.prepared import PreparedRows, padded


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
    return row_of((ticket, person.pk)) is not None


def _read(wanted: list[tuple[int, int]]) -> dict[tuple[int, int], Participant | None]:
    tickets, people = (padded(sorted({key[place] for key in wanted})) for place in (0, 1))
    return {(row.ticket_id, row.person_id): row for row in _rows(tickets, people)}


_rows = PreparedRows(
    lambda tickets, people: Participant.objects.filter(ticket__in=tickets, person__in=people)
)


# How a person takes part in a ticket: by both their numbers.
row_of: Fact[tuple[int, int], Participant | None] = Fact(_read, lambda: None)
row_of.gains(Participant, lambda row: (row.ticket_id, row.person_id), lambda row: row)


def reply_to(ticket: Ticket, person: Person) -> str:
    """Where mail about the ticket reaches that person: where they wrote from last, if that is still
    theirs."""
    row = row_of((ticket.pk, person.pk))
    main = str(person.email)
    if row is None or not row.address:
        return main
    theirs = PersonAddress.objects.filter(address=row.address, person=person, given_up_at=None)
    return row.address if person.is_active and theirs.exists() else main


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
