"""People come from the mail they write, or from an agent who adds them."""

from collections.abc import Iterable, Mapping

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F

from helpdesk import changes, participants, people
from helpdesk.history import record
from helpdesk.models import (
    Comment,
    OutboundMail,
    Participant,
    Person,
    PersonAddress,
    Ticket,
    Watcher,
)
from helpdesk.models.mail_kinds import To, muteable
from helpdesk.models.person import STAFF_ROLES
from helpdesk.refused import Refused


def person_for(address: str, name: str = "", language: str = "") -> Person:
    """The person with that address; made as a `user` without a password where there is none.

    An existing person is never changed by what a mail says, except that an empty name or language
    is filled in.
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
            made = Person.objects.create_user(address, name=name[:200], language=language)
            people.by_address.put(made.email, made)
            return made
    except IntegrityError:  # another worker made it in the meantime
        return Person.objects.get(email=address.lower())


def people_for(wanted: Mapping[str, tuple[str, str]]) -> dict[str, Person]:
    """`person_for` for all of them at once: address → (name, language); the people by address in
    lower case.

    In a few statements, and in one order for everybody: of two workers that want the same people,
    one waits for the other, and neither for each other. Raises ValueError for what is no address;
    then nobody is made.
    """
    wanted = {address.strip().lower(): known_by for address, known_by in wanted.items()}
    if not all("@" in address for address in wanted):
        raise ValueError("email: must be an e-mail address")
    found = people.find_all(wanted)
    if missing := sorted(wanted.keys() - found.keys()):
        new = [
            Person(email=email, name=wanted[email][0][:200], language=wanted[email][1])
            for email in missing
        ]
        for person in new:
            person.set_unusable_password()
        if changes.are_gathered():
            for person in new:  # their addresses are locked
                person.pk = changes.number_for(Person)
                changes.insert(person)
        else:
            # What another worker is making is waited for here, and read below.
            Person.objects.bulk_create(new, ignore_conflicts=True, batch_size=500)
        found |= people.find_all(missing)
    # Two addresses may be one person's.
    once = {person.pk: person for person in found.values()}
    for address, person in sorted(found.items(), key=lambda item: item[1].pk):
        known_or_new(once[person.pk], address, *wanted[address])
    return {address: once[found[address].pk] for address in wanted}


def add_participant(
    ticket: Ticket, person: Person, role: str, *, source: str, actor: Person | None
) -> bool:
    """Lets a person write into the ticket and sends them its answers; False where they could
    already."""
    _, created = Participant.objects.get_or_create(
        ticket=ticket, person=person, defaults={"role": role, "source": source}
    )
    if created and role != Participant.Role.REQUESTER:
        record(
            ticket, "participant-added", actor, person=person.pk, name=str(person), source=source
        )
    return created


def wrote_from(ticket: Ticket, person: Person, address: str) -> None:
    """Answers to that participant go to the address from which they wrote last."""
    other = "" if address == person.email else address
    row = participants.row_of((ticket.pk, person.pk))
    if row is not None and row.address != other:
        row.address = other
        Participant.objects.filter(ticket=ticket, person=person).update(address=other)


def let_take_part(comment: Comment, *, actor: Person, yes: bool) -> int:
    """What an agent says of the people in To and Cc of a first mail that names too many: all of
    them take part from now on, or nobody does. How many there are; 0 where somebody has decided
    already."""
    with transaction.atomic():
        waiting = Comment.objects.filter(pk=comment.pk).exclude(asks_to_add=[])
        asked: list[list[str]] = waiting.values_list("asks_to_add", flat=True).first() or []
        if not asked or not waiting.update(asks_to_add=[]):
            return 0
        if yes:
            met = people_for({address: (name, "") for name, address in asked})
            theirs = set(
                Participant.objects.filter(ticket=comment.ticket).values_list("person", flat=True)
            )
            Participant.objects.bulk_create(
                [
                    Participant(
                        ticket=comment.ticket,
                        person=person,
                        role=Participant.Role.CC,
                        source="first mail",
                    )
                    for person in {person.pk: person for person in met.values()}.values()
                    if person.pk not in theirs and not person.is_staff
                ],
                ignore_conflicts=True,
            )
        record(
            comment.ticket, "people-let-in" if yes else "people-left-out", actor, number=len(asked)
        )
    return len(asked)


def join(other: Person, person: Person, *, known_by: Comment) -> None:
    """`other`, of whom we know nothing but the held comment `known_by`, is `person` under a further
    address.

    Refused where there is anything else of `other`: an account, a ticket, another word. From is
    whatever its sender typed, and nobody's tickets go to somebody else for it.
    """
    if other.pk == person.pk:
        return
    if (
        other.is_staff
        or person.is_staff
        or other.username
        or other.has_usable_password()
        or not other.is_active
    ):
        raise Refused(f"{other.email} has an account of its own.", "person")
    if (
        Ticket.objects.filter(requester=other).exists()
        or Participant.objects.filter(person=other).exists()
        or Comment.objects.filter(author=other).exclude(pk=known_by.pk).exists()
        or PersonAddress.objects.filter(person=other).exists()
    ):
        raise Refused(
            f"{other.email} has written to us before, as somebody of their own. Admit the mail "
            "instead.",
            "person",
        )
    with transaction.atomic():
        for model, unique in ((Participant, "ticket"), (Watcher, "ticket")):
            has = model._default_manager.filter(person=person).values(unique)
            model._default_manager.filter(person=other, **{f"{unique}__in": has}).delete()
        for relation in Person._meta.related_objects:
            if relation.one_to_many and not relation.many_to_many:
                name = relation.field.name
                relation.related_model._base_manager.filter(**{name: other}).update(
                    **{name: person}
                )
        other.delete()
        PersonAddress.objects.create(person=person, address=other.email)


def remove_participant(ticket: Ticket, person: Person, *, actor: Person) -> bool:
    """The requester stays; everyone else can be taken off, and what still waits to be sent to them
    is not."""
    with transaction.atomic():
        theirs = Participant.objects.filter(ticket=ticket, person=person)
        removed, _ = theirs.exclude(role=Participant.Role.REQUESTER).delete()
        if not removed:
            return False
        OutboundMail.objects.filter(
            ticket=ticket, person=person, state=OutboundMail.State.QUEUED
        ).update(state=OutboundMail.State.CANCELLED, reason="takes part no more")
        record(ticket, "participant-removed", actor, person=person.pk, name=str(person))
    return True


def end_links(ticket: Ticket, *, actor: Person, person: Person | None = None) -> None:
    """The links in mail to that participant, or to all of them, open the ticket no more; later mail
    brings new ones."""
    if not actor.is_staff and person != actor:
        raise Refused("Customers end their own links.", is_permission=True)
    rows = Participant.objects.filter(ticket=ticket, **{"person": person} if person else {})
    with transaction.atomic():
        if rows.update(link_round=F("link_round") + 1):
            record(ticket, "links-ended", actor, to=str(person) if person else "everybody")


def set_away(person: Person, is_away: bool, *, actor: Person) -> None:
    """Whether tickets come to an agent by themselves. Their own affair, or an admin's."""
    if actor.pk != person.pk and not actor.is_superuser:
        raise Refused("Only an admin says that somebody else is away.")
    person.is_away = is_away
    person.save(update_fields=["is_away"])


def choose_mail(person: Person, *, muted: Iterable[str], language: str | None = None) -> None:
    """Which kinds of mail a person gets, and in which language. Kinds that can't be turned off stay
    on."""
    audience = To.STAFF if person.role in STAFF_ROLES else To.CUSTOMER
    allowed = {kind.slug for kind in muteable(audience)}
    person.muted = sorted(allowed & set(muted))
    if language is not None:
        person.language = language if language in dict(settings.LANGUAGES) else ""
    person.save(update_fields=["muted", "language"])
