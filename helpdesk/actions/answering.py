"""What agents say on a ticket: answers, which are mailed, and notes, which are not."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from helpdesk import access, people
from helpdesk.actions.assigning import assign
from helpdesk.actions.common import changing
from helpdesk.actions.content import Content, from_markdown, write_comment
from helpdesk.actions.people import add_participant
from helpdesk.actions.watching import watch
from helpdesk.files.stored import discard_after_commit
from helpdesk.history import record
from helpdesk.models import Comment, OutboundMail, Participant, Person, Ticket
from helpdesk.outbound import notify
from helpdesk.participants import readers
from helpdesk.refused import Refused
from helpdesk.sla import clocks


def reply(
    ticket: Ticket,
    content: Content,
    *,
    actor: Person,
    via: str = Comment.Via.STAFF,
    cc: Iterable[Person] = (),
    bcc: Iterable[Person] = (),
) -> Comment:
    """An agent's answer: public, mailed to every participant. Whoever answers an unassigned ticket
    takes it.

    The text is Markdown. `cc` take part from now on; `bcc` get this one mail, and nobody sees it.
    """
    _must_say_something(content)
    with changing(ticket) as current:
        if current.status == Ticket.Status.CLOSED:
            raise Refused("This ticket is closed. Reopen it to answer.", "status")
        if not people.can_be_written_to(current.requester) and not (
            bcc or readers(current) or [*cc]
        ):
            raise Refused("Nobody here has an address. Add a participant first.", "cc")
        if current.assignee_id is None:
            assign(current, actor, actor=actor)
        for person in cc:
            if not person.is_staff:
                add_participant(current, person, Participant.Role.CC, source="agent", actor=actor)
        comment = write_comment(
            current, actor, _as_written(content, via), visibility=Comment.Visibility.PUBLIC, via=via
        )
        answered(current, comment, actor=actor, bcc=list(bcc))
    return comment


def answered(
    current: Ticket, comment: Comment, *, actor: Person, bcc: Sequence[Person] = ()
) -> None:
    """What follows from an agent's public comment on a locked ticket: it goes out, and nobody waits
    any more."""
    record(
        current,
        "replied",
        actor,
        comment=comment.pk,
        bcc=[person.email for person in bcc],
        waited=current.customer_waits_since.isoformat() if current.customer_waits_since else "",
    )
    current.customer_waits_since = None
    clocks.answered(current, comment.created_at)
    Ticket.objects.filter(pk=current.pk).update(activity_at=timezone.now())
    notify.agent_reply(current, comment, bcc=bcc)


def take_back(comment: Comment, *, actor: Person) -> tuple[str, list[str]]:
    """Undoes an answer of which no mail has left yet: its text and its Bcc, to be written again.
    Its files are gone; who was in Cc goes on taking part. Refused once a mail has left."""
    with changing(comment.ticket) as current:
        mails = OutboundMail.objects.filter(comment=comment, kind="reply")
        # A held mail in their name that a colleague has let in is a mail: it stays.
        by_hand = comment.mail is None or comment.mail.reason == "answer"
        if (
            comment.author_id != actor.pk
            or not by_hand
            or not comment.author
            or not comment.author.is_staff
        ):
            raise Refused("Only your own answer can be taken back.")
        waiting = mails.filter(state=OutboundMail.State.QUEUED, attempts=0)
        # The guarded UPDATE decides between us and the worker that is about to send.
        cancelled = waiting.update(state=OutboundMail.State.CANCELLED, reason="taken back")
        if not cancelled or mails.exclude(
            state__in=[OutboundMail.State.CANCELLED, OutboundMail.State.SUPPRESSED]
        ):
            raise Refused("It is too late: the mail has left.")
        said = (
            current.events.filter(kind="replied", data__comment=comment.pk).order_by("-pk").first()
        )
        if said and said.data.get("waited"):
            current.customer_waits_since = datetime.fromisoformat(said.data["waited"])
        text = comment.text
        discard_after_commit(comment)
        clocks.unanswered(current, comment.created_at)
        record(current, "taken-back", actor)
        comment.delete()
    return text, list(said.data.get("bcc", [])) if said else []


def note(
    ticket: Ticket, content: Content, *, actor: Person, via: str = Comment.Via.STAFF
) -> Comment:
    """An internal note, in Markdown: staff see it. Whoever is named in it with an @ is told, and
    watches, if they may see the ticket."""
    _must_say_something(content)
    with transaction.atomic():
        comment = write_comment(
            ticket,
            actor,
            _as_written(content, via),
            visibility=Comment.Visibility.INTERNAL,
            via=via,
        )
        named = [
            person for person in mentioned_in(content.text) if access.may_be_told(person, ticket)
        ]
        record(
            ticket, "noted", actor, comment=comment.pk, mentioned=[str(person) for person in named]
        )
        Ticket.objects.filter(pk=ticket.pk).update(activity_at=timezone.now())
        for person in named:
            if person.pk != actor.pk:
                watch(ticket, person)
                notify.mentioned(ticket, comment, person)
    return comment


def mentioned_in(text: str) -> list[Person]:
    """The staff whom a note names: @ and the part of their address before the @, or their name
    without blanks."""
    names = {name.lower().rstrip(".-") for name in re.findall(r"(?<![\w@.])@([\w.+-]+)", text)}
    if not names:
        return []
    return [
        person
        for person in access.staff()
        if {
            person.email.partition("@")[0],
            person.name.lower().replace(" ", ""),
            person.name.lower().partition(" ")[0],
        }
        & names
    ]


def _as_written(content: Content, via: str) -> Content:
    """Markdown is for what is typed into our own box: a mail says what it says."""
    return content if via == Comment.Via.EMAIL else from_markdown(content)


def _must_say_something(content: Content) -> None:
    if not content.text.strip() and not content.files:
        raise Refused("Write something first.", "body")
