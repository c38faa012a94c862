"""People come from the mail they write, or from an agent who adds them."""

from collections.abc import Iterable

from django.conf import settings
from django.db import IntegrityError, transaction

from helpdesk import people
from helpdesk.actions.common import Refused, record
from helpdesk.kinds import To, muteable
from helpdesk.models import Participant, Person, Ticket
from helpdesk.models.person import STAFF_ROLES


def person_for(address: str, name: str = "", language: str = "") -> Person:
    """The person with that address; made as a `user` without a password where there is none.

    An existing person is never changed by what a mail says, except that an empty name or language is filled in.
    """
    return known_or_new(people.find(address), address, name, language)


def known_or_new(found: Person | None, address: str, name: str = "", language: str = "") -> Person:
    """`person_for` where the caller has looked already."""
    if found:
        for field, value in (("name", name[:200]), ("language", language)):
            if value and not getattr(found, field) and not found.is_staff:
                Person.objects.filter(pk=found.pk, **{field: ""}).update(**{field: value})
                setattr(found, field, value)
        return found
    try:
        with transaction.atomic():
            return Person.objects.create_user(address, name=name[:200], language=language)
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


def set_away(person: Person, is_away: bool, *, actor: Person) -> None:
    """Whether tickets come to an agent by themselves. Their own affair, or an admin's."""
    if actor.pk != person.pk and not actor.is_superuser:
        raise Refused("Only an admin says that somebody else is away.")
    person.is_away = is_away
    person.save(update_fields=["is_away"])


def choose_mail(person: Person, *, muted: Iterable[str], language: str | None = None) -> None:
    """Which kinds of mail a person gets, and in which language. Kinds that can't be turned off stay on."""
    audience = To.STAFF if person.role in STAFF_ROLES else To.CUSTOMER
    allowed = {kind.slug for kind in muteable(audience)}
    person.muted = sorted(allowed & set(muted))
    if language is not None:
        person.language = language if language in dict(settings.LANGUAGES) else ""
    person.save(update_fields=["muted", "language"])
