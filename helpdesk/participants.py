"""Who may write into a ticket by mail, and who is sent its answers: its participants, and nobody else.

A token or a Message-ID only locates a ticket. Both travel with quotes and forwards, so having one
proves nothing about who writes.
"""

from dataclasses import dataclass

from helpdesk.models import Participant, Person, Ticket


@dataclass(frozen=True, slots=True)
class Decision:
    allowed: bool
    why: str


def may_write(ticket: Ticket, sender: Person | None) -> Decision:
    """Whether a mail that says it is from `sender` becomes a public comment, or is held for an agent."""
    if sender is None:
        return Decision(False, "the sender is no participant")
    if sender.is_staff:
        # From is whatever the sender typed; a word in an agent's name must not reach the customer unseen.
        return Decision(False, "in an agent's name")
    if not sender.is_active:
        return Decision(False, "the sender's account is switched off")
    if not Participant.objects.filter(ticket=ticket, person=sender).exists():
        return Decision(False, "the sender is no participant")
    return Decision(True, "participant")


def readers(ticket: Ticket) -> list[Person]:
    """The customers who get the ticket's public answers."""
    rows = Participant.objects.filter(ticket=ticket, person__is_active=True).select_related("person").order_by("id")
    return [row.person for row in rows]
