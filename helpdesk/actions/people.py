"""People come from the mail they write, or from an agent who adds them."""

from django.db import IntegrityError, transaction

from helpdesk import people
from helpdesk.actions.common import record
from helpdesk.models import Participant, Person, Ticket


def person_for(address: str, name: str = "") -> Person:
    """The person with that address; made as a `user` without a password where there is none.

    An existing person is never changed by what a mail says, except that an empty name is filled in.
    """
    if found := people.find(address):
        if name and not found.name and not found.is_staff:
            Person.objects.filter(pk=found.pk, name="").update(name=name[:200])
            found.name = name[:200]
        return found
    try:
        with transaction.atomic():
            return Person.objects.create_user(address, name=name[:200])
    except IntegrityError:  # another worker made it in the meantime
        return Person.objects.get(email=address.lower())


def add_participant(ticket: Ticket, person: Person, role: str, *, source: str, actor: Person | None) -> bool:
    """Lets a person write into the ticket and sends them its answers; False where they could already."""
    _, created = Participant.objects.get_or_create(
        ticket=ticket, person=person, defaults={"role": role, "source": source}
    )
    if created and role != Participant.Role.REQUESTER:
        record(ticket, "participant-added", actor, person=person.pk, name=str(person), source=source)
    return created


def remove_participant(ticket: Ticket, person: Person, *, actor: Person) -> bool:
    """The requester stays; everyone else can be taken off."""
    removed, _ = (
        Participant.objects.filter(ticket=ticket, person=person).exclude(role=Participant.Role.REQUESTER).delete()
    )
    if removed:
        record(ticket, "participant-removed", actor, person=person.pk, name=str(person))
    return bool(removed)
