"""What an agent decides about held mail, and about mail that landed in the wrong ticket."""

from django.db import transaction
from django.utils import timezone

from helpdesk import search
from helpdesk.actions.answering import answered
from helpdesk.actions.assigning import held_by
from helpdesk.actions.commenting import received
from helpdesk.actions.common import changing
from helpdesk.actions.people import add_participant, join, wrote_from
from helpdesk.history import record
from helpdesk.models import (
    BlockedSender,
    Comment,
    MessageRef,
    OutboundMail,
    Participant,
    Person,
    Ticket,
    TrustedWay,
)
from helpdesk.outbound import notify
from helpdesk.participants import takes_part
from helpdesk.refused import Refused
from helpdesk.sla import clocks
from inbound.reading.proof import Verdict


def admit(comment: Comment, *, actor: Person, as_participant: bool, trusting: str = "") -> None:
    """The held mail, or one that was rejected, becomes a public comment; as a participant its
    sender may write from now on. `trusting` is a way that this mail came: what comes from its
    address that way is let in from now on, whatever its domain says. One in an agent's name is that
    agent's answer, and goes out as such."""
    with changing(comment.ticket) as current:
        comment.refresh_from_db()
        if comment.visibility != Comment.Visibility.HELD:
            raise Refused("This mail is not held any more.")
        comment.visibility, comment.rejected_at = Comment.Visibility.PUBLIC, None
        comment.save(update_fields=["visibility", "rejected_at"])
        record(current, "admitted", actor, comment=comment.pk, sender=str(comment.author))
        if trusting:
            _trust(current, comment, trusting, actor)
        if comment.author and comment.author.is_staff:
            answered(current, comment, actor=comment.author)
            return
        if as_participant and comment.author:
            add_participant(
                current, comment.author, Participant.Role.CC, source="admitted", actor=actor
            )
        if comment.author and not comment.is_automatic:
            received(current, comment)


def trust(comment: Comment, way: str, *, actor: Person) -> None:
    """What comes from the address of a mail that is in the ticket already, and comes the same way,
    is let in from now on."""
    with changing(comment.ticket) as current:
        _trust(current, comment, way, actor)


def _trust(current: Ticket, comment: Comment, way: str, actor: Person) -> None:
    mail = comment.mail
    if mail is None or comment.author is None or comment.author.is_staff:
        raise Refused("Only a customer's mail can be trusted by the way it comes.")
    if way not in (mail.proof or {}).get("ways", ()):
        raise Refused("That mail has not come that way.")
    address = str(mail.evidence.get("requester") or mail.from_address)
    TrustedWay.objects.get_or_create(address=address, way=way, defaults={"trusted_by": actor})
    record(current, "trusted", actor, address=address, way=way)


def admit_as(comment: Comment, person: Person, *, address: str, actor: Person) -> None:
    """The held mail is a participant's, written from `address`: it is theirs from now on, and the
    mail a public comment by them. Refused where the address belongs to somebody of whom we know
    more, or is another one by now."""
    with changing(comment.ticket) as current:
        comment = Comment.objects.select_related("author").get(pk=comment.pk)
        if (
            comment.visibility != Comment.Visibility.HELD
            or comment.rejected_at
            or comment.author is None
        ):
            raise Refused("This mail is not held any more.")
        if not takes_part(current.pk, person):
            raise Refused(f"{person} does not take part in this ticket.")
        if comment.author.email != address:
            raise Refused("Somebody has decided about this mail meanwhile.")
        join(comment.author, person, known_by=comment)
        comment.refresh_from_db()
        comment.visibility = Comment.Visibility.PUBLIC
        comment.save(update_fields=["visibility"])
        wrote_from(current, person, address)
        record(current, "address-added", actor, name=str(person), address=address)
        record(current, "admitted", actor, comment=comment.pk, sender=address)
        if not comment.is_automatic:
            received(current, comment)


def reject(comment: Comment, *, actor: Person) -> None:
    """The held mail stays out of the conversation. It is kept, and shown under the ticket's
    rejected mail."""
    with transaction.atomic():
        changed = Comment.objects.filter(
            pk=comment.pk, visibility=Comment.Visibility.HELD, rejected_at=None
        ).update(rejected_at=timezone.now())
        if not changed:
            raise Refused("This mail is not held any more.")
        record(comment.ticket, "rejected", actor, comment=comment.pk, sender=str(comment.author))


def detach(comment: Comment, *, actor: Person) -> Ticket:
    """A mail that doesn't belong here becomes a ticket of its own, with its sender as the
    requester."""
    if comment.mail is None or comment.author is None:
        raise Refused("Only what came by mail can become a ticket of its own.")
    with changing(comment.ticket) as current:
        comment.refresh_from_db()
        first = current.comments.order_by("created_at", "id").first()
        if first is None or first.pk == comment.pk:
            raise Refused("This is the mail that opened the ticket.")
        now = timezone.now()
        ticket = Ticket.objects.create(
            subject=comment.mail.subject or current.subject,
            requester=comment.author,
            mailbox=current.mailbox,
            team=current.team,
            customer_waits_since=comment.created_at,
            activity_at=now,
        )
        add_participant(
            ticket, comment.author, Participant.Role.REQUESTER, source="requester", actor=actor
        )
        held_by(ticket, actor)
        clocks.begin(ticket)
        was_held = comment.visibility == Comment.Visibility.HELD
        comment.ticket, comment.visibility, comment.rejected_at = (
            ticket,
            Comment.Visibility.PUBLIC,
            None,
        )
        comment.save(update_fields=["ticket", "visibility", "rejected_at"])
        search.move(comment, ticket)
        # Answers to this mail belong to the new ticket from now on.
        MessageRef.objects.filter(
            kind=MessageRef.Kind.RECEIVED, ticket=current, message_id=comment.mail.message_id
        ).update(ticket=ticket)
        record(
            current, "detached", actor, comment=comment.pk, to=ticket.pk, sender=str(comment.author)
        )
        record(ticket, "opened", actor, via="detached", **{"from": current.pk})
        is_forged = (comment.mail.proof or {}).get("verdict") == Verdict.FAILED
        if (
            was_held
            and not is_forged
            and not comment.is_automatic
            and current.mailbox.send_acknowledgement
        ):
            notify.acknowledgement(ticket, comment)
    return ticket


def mark_spam(ticket: Ticket, *, actor: Person, block: bool = True) -> None:
    """Closes the ticket as spam, cancels what still waits to be sent on it, and blocks its
    sender."""
    with changing(ticket) as current:
        if current.requester.is_staff:
            raise Refused("An agent's ticket can't be spam.")
        # Whom a forgery names has not sent it: their own mail is let in.
        first = current.comments.select_related("mail").order_by("created_at", "id").first()
        if (
            first is not None
            and first.mail is not None
            and (first.mail.proof or {}).get("verdict") == Verdict.FAILED
        ):
            block = False
        record(current, "spam", actor, blocked=current.requester.email if block else "")
        if current.status != Ticket.Status.CLOSED:
            record(current, "status", actor, **{"from": current.status, "to": "closed"})
        current.status, current.is_spam, current.closed_at = (
            Ticket.Status.CLOSED,
            True,
            timezone.now(),
        )
        current.customer_waits_since = None
        clocks.ended(current)
        OutboundMail.objects.filter(ticket=current, state=OutboundMail.State.QUEUED).update(
            state=OutboundMail.State.CANCELLED, reason="spam", sealed=""
        )
        if block:
            BlockedSender.objects.get_or_create(
                pattern=current.requester.email, defaults={"note": f"spam in #{current.pk}"}
            )


def not_spam(ticket: Ticket, *, actor: Person) -> None:
    """Takes the mark off again: the ticket is open, and its sender is no longer blocked."""
    with changing(ticket) as current:
        if not current.is_spam:
            raise Refused("This ticket is not marked as spam.")
        current.is_spam, current.closed_at = False, None
        current.status = Ticket.Status.ASSIGNED if current.assignee_id else Ticket.Status.OPEN
        BlockedSender.objects.filter(pattern=current.requester.email).delete()
        clocks.begin(current)
        record(current, "not-spam", actor, unblocked=current.requester.email)
