"""Under which Message-IDs does a reader's mailer thread a mail of ours?"""

import re
from collections.abc import Collection
from datetime import datetime

from helpdesk.models import Comment, OutboundMail, Ticket
from inbound.models import InboundMail


def thread(
    first: str | None, received: list[tuple[datetime, str]], ours: list[tuple[datetime, str]]
) -> list[str]:
    """The ids that a customer's mailer threads our mail under: the first mail and the latest ones.

    RFC 5322 3.6.4: the parent is the last one. It is the last mail that we received, or sent before
    it.
    """
    chain = [message_id for _, message_id in sorted([*ours, *received])]
    # The latest received mail is what we answer: it goes last.
    if received:
        latest = received[0][1]
        chain = [found for found in chain if found != latest] + [latest]
    return list(
        dict.fromkeys(
            ([first] if first else []) + [found for found in chain if fits_header(found)][-12:]
        )
    )


def received_on(ticket: Ticket) -> tuple[str | None, list[tuple[datetime, str]]]:
    """The first mail that we received on the ticket where it is long ago, and the latest ones, the
    newest first."""
    mails = InboundMail.objects.filter(
        comment__ticket=ticket, comment__visibility=Comment.Visibility.PUBLIC
    ).exclude(message_id="")
    received = [*mails.order_by("-id").values_list("received_at", "message_id")[:10]]
    first = (
        mails.order_by("id").values_list("message_id", flat=True).first()
        if len(received) == 10
        else None
    )
    return first, received


def sent_to(ticket: Ticket, readers: Collection[int]) -> dict[int, list[tuple[datetime, str]]]:
    """What each of those people has had from us on the ticket, by their ids: when, and under which
    Message-ID. Nobody is shown the id of somebody else's copy: who knows it could claim that it
    came back."""
    sent = OutboundMail.objects.filter(
        ticket=ticket, person__in=readers, kind__in=["acknowledgement", "reply", "status_changed"]
    ).order_by("-id")
    had: dict[int, list[tuple[datetime, str]]] = {}
    for person, at, own, theirs in sent.values_list(
        "person", "created_at", "message_id", "provider_message_id"
    )[:5000]:
        if len(mine := had.setdefault(person or 0, [])) < 10:
            # A provider that puts in an id of its own: that is the one the customer's mailer knows.
            mine.append((at, theirs or own))
    return had


def staff_thread(ticket: Ticket) -> list[str]:
    """One thread per ticket in an agent's mailer, under an id that no mail has and no ticket is
    found by."""
    return [f"ticket-{ticket.pk}.staff@{ticket.mailbox.address.rpartition('@')[2]}"]


def fits_header(message_id: str) -> bool:
    return (
        bool(re.fullmatch(r"[\x21-\x7e]{3,250}", message_id))
        and "<" not in message_id
        and ">" not in message_id
    )
