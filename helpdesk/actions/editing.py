"""What is changed or taken away afterwards: a ticket's words and fields, and the whole
ticket."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from helpdesk import search
from helpdesk.actions.common import changing, touch
from helpdesk.actions.editing_comments import delete_files, rewrite
from helpdesk.history import record
from helpdesk.models import (
    Attachment,
    Comment,
    CustomField,
    Event,
    OutboundMail,
    Person,
    Rating,
    Tag,
    Ticket,
)
from helpdesk.refused import Refused
from helpdesk.sla import clocks

MAX_TAGS = 30


def set_subject(ticket: Ticket, subject: str, *, actor: Person, version: int | None = None) -> bool:
    subject = " ".join(subject.split())[:500]
    if not subject:
        raise Refused("The title must not be empty.", "title")
    with changing(ticket, version=version) as current:
        _by_owner_while_open(current, actor)
        if current.subject == subject:
            return False
        record(current, "subject", actor, **{"from": current.subject, "to": subject})
        current.subject = subject
        search.reindex(current)
    return True


def set_description(ticket: Ticket, text: str, *, actor: Person) -> bool:
    """The first comment's words. What came by mail is never changed."""
    with changing(ticket) as current:
        _by_owner_while_open(current, actor)
        first = current.comments.order_by("created_at", "id").first()
        if first is None or first.text == text:
            return False
        if first.mail_id or first.via == Comment.Via.EMAIL:
            raise Refused("What came by mail is never changed.", "description")
        if first.author_id != actor.pk:
            raise Refused("Only its author changes the description.", "description")
        rewrite(first, text, actor)
        touch(current)
    return True


def set_tags(ticket: Ticket, names: Iterable[str], *, actor: Person) -> bool:
    wanted = sorted({" ".join(name.lower().split())[:50] for name in names} - {""})
    if len(wanted) > MAX_TAGS:
        raise Refused(f"A ticket has no more than {MAX_TAGS} tags.", "tags")
    with changing(ticket) as current:
        before = sorted(ticket.tags.values_list("name", flat=True))
        if before == wanted:
            return False
        Tag.objects.bulk_create([Tag(name=name) for name in wanted], ignore_conflicts=True)
        ticket.tags.set(Tag.objects.filter(name__in=wanted))
        record(ticket, "tags", actor, **{"from": before, "to": wanted})
        touch(current)
    return True


def set_custom(
    ticket: Ticket, values: Mapping[str, Any], *, actor: Person, version: int | None = None
) -> bool:
    """The custom fields that `values` names; the others stay. Refused names the field that is
    wrong."""
    with changing(ticket, version=version) as current:
        _by_owner_while_open(current, actor)
        read = read_custom(values, for_customer=not actor.is_staff)
        after = {
            name: value for name, value in {**current.custom, **read}.items() if value is not None
        }
        if after == current.custom:
            return False
        changed = sorted(name for name in read if current.custom.get(name) != after.get(name))
        record(current, "custom", actor, fields=changed)
        current.custom = after
    return True


def read_custom(
    values: Mapping[str, Any], *, for_customer: bool, complete: bool = False
) -> dict[str, Any]:
    """Checked values of custom fields. With `complete`, those that are required must be there."""
    fields = {
        field.slug: field
        for field in CustomField.objects.all()
        if field.for_customers or not for_customer
    }
    read: dict[str, Any] = {}
    for name, value in values.items():
        if name not in fields:
            raise Refused(f"There is no custom field {name!r}.", f"custom_fields.{name}")
        try:
            read[name] = fields[name].read(value)
        except ValueError as error:
            raise Refused(f"{fields[name].label} {error}.", f"custom_fields.{name}") from None
    if complete:
        for name, field in fields.items():
            if field.is_required and read.get(name) is None:
                raise Refused(f"{field.label} is required.", f"custom_fields.{name}")
    return read


def withdraw(ticket: Ticket, *, actor: Person, version: int | None = None) -> None:
    """The owner does not need it any more: it is closed."""
    with changing(ticket, version=version) as current:
        if current.requester_id != actor.pk:
            raise Refused("Only who opened the ticket withdraws it.")
        if current.status == Ticket.Status.CLOSED:
            return
        record(
            current, "status", actor, **{"from": current.status, "to": "closed", "why": "withdrawn"}
        )
        current.status, current.closed_at = Ticket.Status.CLOSED, timezone.now()
        current.customer_waits_since = None
        clocks.moved(current, timezone.now())


def delete_ticket(ticket: Ticket, *, actor: Person, version: int | None = None) -> None:
    """For good, with its comments and files. The rows of the mail it came from stay, so that the
    same mail fetched again is a duplicate and not a new ticket."""
    if not actor.is_superuser:
        raise Refused("Only an admin deletes tickets.")
    with changing(ticket, version=version) as current:
        delete_files(Attachment.objects.filter(comment__ticket=current))
        OutboundMail.objects.filter(ticket=ticket).delete()
        Event.objects.filter(ticket=ticket).delete()
        Comment.objects.filter(ticket=ticket).delete()
        Ticket.objects.filter(pk=ticket.pk).delete()


def rate(ticket: Ticket, score: int, words: str, *, actor: Person) -> None:
    """What the customer thought of the answer."""
    if score not in range(1, 6):
        raise Refused("The rating must be from 1 to 5.", "score")
    with transaction.atomic():
        Rating.objects.update_or_create(
            ticket=ticket,
            defaults={
                "person": actor,
                "score": score,
                "words": words[:2000],
                "created_at": timezone.now(),
            },
        )
        record(ticket, "rated", actor, score=score)


def _by_owner_while_open(ticket: Ticket, actor: Person) -> None:
    if actor.is_staff:
        return
    if ticket.requester_id != actor.pk:
        raise Refused("Only who opened the ticket changes it.", is_permission=True)
    if ticket.status != Ticket.Status.OPEN:
        raise Refused("It is being worked on already: add a comment instead.", "status")
