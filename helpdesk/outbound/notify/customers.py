"""What a ticket's customers are told."""

from collections.abc import Collection
from datetime import timedelta

from django.conf import settings

from helpdesk import participants, people
from helpdesk.models import Comment, Person, Ticket
from helpdesk.models.mailing import identity_of
from helpdesk.outbound import texts
from helpdesk.outbound.outbox_row import Draft, Reader, queue, reader_of
from helpdesk.outbound.thread_ids import fits_header, received_on, sent_to, thread
from inbound.reading.headers import one_line


def acknowledgement(ticket: Ticket, comment: Comment, *, quote: bool = True) -> None:
    """To the customer: your mail is here, and this is its number. Never in answer to a machine."""
    if comment.is_automatic:
        return
    answered = comment.mail.message_id if comment.mail else ""
    context = {
        # What somebody typed into a form under another's address is not mailed to that address.
        "quote": comment.text if comment.mail and quote else "",
        "comment": comment,
        "answer_by": ticket.first_response_due,
    }
    queue(
        Draft(
            "acknowledgement",
            _requester(ticket),
            ticket.mailbox,
            context,
            ticket,
            comment,
            parents=[answered] if answered and fits_header(answered) else [],
        )
    )


def agent_reply(ticket: Ticket, comment: Comment, *, bcc: Collection[Person] = ()) -> None:
    """To every participant but its author: the agent's answer, as a mail of its own with its own
    reply address.

    `bcc` gets this one answer without being shown to anyone. The mailbox's archive gets a copy.
    """
    mailbox, agent = ticket.mailbox, texts.agent_name(ticket.mailbox, comment.author)
    context = {
        "comment": comment,
        "earlier": _said_before(ticket, comment),
        "agent": agent,
        "signature": texts.signature(mailbox, comment.author),
    }
    before = received_on(ticket)
    readers = _readers(ticket, comment, bcc)
    had = sent_to(ticket, [reader.person.pk for reader in readers if reader.person])
    for reader in readers:
        queue(
            Draft(
                "reply",
                reader,
                mailbox,
                context,
                ticket,
                comment,
                parents=thread(*before, had.get(reader.person.pk if reader.person else 0, [])),
                agent=agent,
                delay=timedelta(seconds=settings.UNDO_SEND_SECONDS),
            )
        )


def status_changed(ticket: Ticket) -> None:
    """To the requester: this is resolved."""
    tells = identity_of(ticket.mailbox).tells_status
    if not tells or not people.can_be_written_to(ticket.requester):
        return
    had = sent_to(ticket, [ticket.requester_id]).get(ticket.requester_id, [])
    parents = thread(*received_on(ticket), had)
    reader = _requester(ticket)
    queue(Draft("status_changed", reader, ticket.mailbox, {}, ticket, parents=parents))


def _said_before(ticket: Ticket, comment: Comment) -> Comment | None:
    said = ticket.comments.filter(visibility=Comment.Visibility.PUBLIC).exclude(pk=comment.pk)
    return said.select_related("author").order_by("-created_at", "-id").first()


def _readers(ticket: Ticket, comment: Comment, bcc: Collection[Person]) -> list[Reader]:
    """Whom an answer goes to; the comment keeps who of them is shown to the others."""
    shown = [row for row in participants.readers(ticket) if row.person_id != comment.author_id]
    comment.shown_to = [[one_line(row.person.name), row.reply_to] for row in shown]
    comment.save(update_fields=["shown_to"])  # once, however many copies there are
    everybody = [Reader(row.reply_to, row.person) for row in shown]
    known = {row.person_id for row in shown}
    everybody += [reader_of(person) for person in bcc if person.pk not in known]
    if archive := identity_of(ticket.mailbox).bcc:
        everybody.append(Reader(archive))
    return everybody


def _requester(ticket: Ticket) -> Reader:
    """Where they wrote from last."""
    return Reader(participants.reply_to(ticket, ticket.requester), ticket.requester)
