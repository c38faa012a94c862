"""Who is told what: each function writes outbox rows, in the caller's transaction, and sends nothing.

All the mails the product sends are here, a function a kind; their words are in templates/mail/.
"""

import re
import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from helpdesk import participants
from helpdesk.models import Comment, MessageRef, OutboundMail, Person, Ticket
from inbound.headers import one_line
from inbound.models import InboundMail
from tasks.ring import ring

CAP_HOURS = 3


def acknowledgement(ticket: Ticket, comment: Comment) -> None:
    """To the customer: your mail is here, and this is its number. Never in answer to a machine."""
    if comment.is_automatic:
        return
    _queue(
        "acknowledgement", ticket, comment, ticket.requester, is_automatic=True, null_return_path=True,
        parents=[found] if (found := comment.mail.message_id if comment.mail else "") and _fits_header(found) else [],
        context={"quote": comment.text},
    )  # fmt: skip


def agent_reply(ticket: Ticket, comment: Comment) -> None:
    """To every participant but its author: the agent's answer, as a mail of its own with its own reply address."""
    said = ticket.comments.filter(visibility=Comment.Visibility.PUBLIC).exclude(pk=comment.pk).select_related("author")
    context = {"comment": comment, "earlier": said.order_by("-created_at", "-id").first()}
    parents = _customer_thread(ticket)
    for person in participants.readers(ticket):
        if person.pk != comment.author_id:
            _queue(
                "reply", ticket, comment, person, is_automatic=False, parents=parents, context=context,
                from_name=_agent_at(comment.author, ticket),
            )  # fmt: skip


def assigned(ticket: Ticket, assignee: Person, actor: Person | None) -> None:
    """To the agent: this is yours now."""
    first = ticket.comments.filter(visibility=Comment.Visibility.PUBLIC).order_by("created_at", "id").first()
    _queue(
        "assigned", ticket, None, assignee, is_automatic=True, parents=_staff_thread(ticket),
        context={"actor": actor, "first": first},
    )  # fmt: skip


def customer_replied(ticket: Ticket, comment: Comment) -> None:
    """To the assignee: the customer has answered."""
    if ticket.assignee and ticket.assignee.is_active:
        _queue(
            "customer_replied", ticket, comment, ticket.assignee, is_automatic=True, parents=_staff_thread(ticket),
            context={"comment": comment},
        )  # fmt: skip


def _queue(
    kind: str,
    ticket: Ticket,
    comment: Comment | None,
    person: Person,
    *,
    is_automatic: bool,
    parents: Sequence[str],
    context: dict[str, Any],
    null_return_path: bool = False,
    from_name: str = "",
) -> OutboundMail:
    mailbox = ticket.mailbox
    words = {
        "ticket": ticket,
        "person": person,
        "mailbox": mailbox,
        "staff_url": settings.PUBLIC_URL + reverse("admin:ticket", args=[ticket.pk]),
        **context,
    }
    mail = OutboundMail(
        kind=kind, ticket=ticket, comment=comment, person=person, mailbox=mailbox, to_address=person.email,
        to_name=one_line(person.name), from_name=one_line(from_name or mailbox.name),
        subject=one_line(render_to_string(f"mail/{kind}.subject.txt", words))[:600],
        text=_tidy(render_to_string(f"mail/{kind}.txt", words)), html=render_to_string(f"mail/{kind}.html", words),
        message_id=f"{secrets.token_hex(16)}@{mailbox.address.rpartition('@')[2]}",
        in_reply_to=parents[-1] if parents else "", references=" ".join(parents),
        is_automatic=is_automatic, null_return_path=null_return_path,
    )  # fmt: skip
    if is_automatic and _over_cap(person.email):
        mail.state, mail.reason = OutboundMail.State.SUPPRESSED, "too many automatic mails"
    mail.save(force_insert=True)
    MessageRef.objects.create(ticket=ticket, message_id=mail.message_id, kind=MessageRef.Kind.SENT)
    if mail.state == OutboundMail.State.QUEUED:
        ring("tasks.outbound.deliver", mail.pk)
    return mail


def _over_cap(address: str) -> bool:
    """Whether that address had its share of automatic mail, whatever it writes: the end of every loop."""
    since = timezone.now() - timedelta(hours=CAP_HOURS)
    sent = OutboundMail.objects.filter(is_automatic=True, to_address=address, created_at__gt=since)
    sent = sent.exclude(state=OutboundMail.State.SUPPRESSED)
    return sent[: settings.AUTOMATIC_MAILS_PER_ADDRESS].count() >= settings.AUTOMATIC_MAILS_PER_ADDRESS


def _customer_thread(ticket: Ticket) -> list[str]:
    """The ids that a customer's mailer threads our mail under: the first mail and the latest ones.

    RFC 5322 3.6.4: the parent is the last one. It is the last mail that we received, or sent before it.
    """
    sent = OutboundMail.objects.filter(ticket=ticket, kind__in=["acknowledgement", "reply"])
    known = [*sent.order_by("-id").values_list("created_at", "message_id")[:10]]
    mails = InboundMail.objects.filter(
        comment__ticket=ticket, comment__visibility=Comment.Visibility.PUBLIC
    ).exclude(message_id="")  # fmt: skip
    received = [*mails.order_by("-id").values_list("received_at", "message_id")[:10]]
    first = mails.order_by("id").values_list("message_id", flat=True).first() if len(received) == 10 else None
    chain = [message_id for _, message_id in sorted([*known, *received])]
    # The latest received mail is what we answer: it goes last.
    if received:
        latest = received[0][1]
        chain = [found for found in chain if found != latest] + [latest]
    return list(dict.fromkeys(([first] if first else []) + [found for found in chain if _fits_header(found)][-12:]))


def _staff_thread(ticket: Ticket) -> list[str]:
    """One thread per ticket in an agent's mailer, under an id that no mail has and no ticket is found by."""
    return [f"ticket-{ticket.pk}.staff@{ticket.mailbox.address.rpartition('@')[2]}"]


def _fits_header(message_id: str) -> bool:
    return bool(re.fullmatch(r"[\x21-\x7e]{3,250}", message_id)) and "<" not in message_id and ">" not in message_id


def _agent_at(agent: Person | None, ticket: Ticket) -> str:
    name = agent.name if agent else ""
    return f"{name} at {ticket.mailbox.name}" if name and ticket.mailbox.name else name or ticket.mailbox.name


def _tidy(text: str) -> str:
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
