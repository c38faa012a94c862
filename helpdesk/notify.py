"""Who is told what: each function writes outbox rows, in the caller's transaction, and sends nothing.

All the mails the product sends are here, a function a kind; their words are in templates/mail/, the
kinds themselves in helpdesk.kinds.
"""

import json
import re
import secrets
from collections.abc import Collection, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from helpdesk import access, alerts, participants, people, wording
from helpdesk.kinds import KINDS, Kind, To
from helpdesk.links import ticket_link, works_until
from helpdesk.models import Comment, MessageRef, OutboundMail, Person, SupportPin, Suppression, Ticket
from helpdesk.wire import Unwritable, ascii_domain
from inbound.models import InboundMail, Mailbox
from inbound.prepared import Prepared
from inbound.reading.headers import one_line
from inbound.reading.proof import Verdict
from inbound.secrets import seal
from tasks.ring import ring

CAP_HOURS = 3


@dataclass(frozen=True, slots=True)
class Reader:
    """Whom a mail goes to: somebody we know, or an address that is nobody's (yet)."""

    address: str
    person: Person | None = None

    @property
    def name(self) -> str:
        return self.person.name if self.person else ""


def acknowledgement(ticket: Ticket, comment: Comment, *, quote: bool = True) -> None:
    """To the customer: your mail is here, and this is its number. Never in answer to a machine."""
    if comment.is_automatic:
        return
    _queue(
        "acknowledgement", _requester(ticket), ticket.mailbox, ticket, comment,
        parents=[found] if (found := comment.mail.message_id if comment.mail else "") and _fits_header(found) else [],
        # What somebody typed into a form under another's address is not mailed to that address.
        context={"quote": comment.text if comment.mail and quote else "", "comment": comment, "answer_by": ticket.first_response_due},
    )  # fmt: skip


def agent_reply(ticket: Ticket, comment: Comment, *, bcc: Collection[Person] = ()) -> None:
    """To every participant but its author: the agent's answer, as a mail of its own with its own reply address.

    `bcc` gets this one answer without being shown to anyone. The mailbox's archive gets a copy.
    """
    said = ticket.comments.filter(visibility=Comment.Visibility.PUBLIC).exclude(pk=comment.pk).select_related("author")
    mailbox = ticket.mailbox
    signed = wording.signature(mailbox, comment.author)
    agent = wording.agent_name(mailbox, comment.author)
    context = {
        "comment": comment,
        "earlier": said.order_by("-created_at", "-id").first(),
        "agent": agent,
        "signature": signed,
    }
    before = _received_on(ticket)
    readers = [row for row in participants.readers(ticket) if row.person_id != comment.author_id]
    comment.shown_to = [[one_line(row.person.name), row.reply_to] for row in readers]
    comment.save(update_fields=["shown_to"])  # once, however many copies there are
    delay = timedelta(seconds=settings.UNDO_SEND_SECONDS)
    everybody = [Reader(row.reply_to, row.person) for row in readers]
    known = {row.person_id for row in readers}
    everybody += [_reader(person) for person in bcc if person.pk not in known]
    if archive := getattr(getattr(mailbox, "identity", None), "bcc", ""):
        everybody.append(Reader(archive))
    had = _sent_to(ticket, [reader.person.pk for reader in everybody if reader.person])
    for reader in everybody:
        parents = _thread(*before, had.get(reader.person.pk if reader.person else 0, []))
        _queue(
            "reply", reader, mailbox, ticket, comment, parents=parents, context=context, delay=delay,
            from_name=_agent_at(agent, mailbox),
        )  # fmt: skip


def status_changed(ticket: Ticket) -> None:
    """To the requester: this is resolved."""
    identity = getattr(ticket.mailbox, "identity", None)
    if (identity is None or identity.tells_status) and people.can_be_written_to(ticket.requester):
        had = _sent_to(ticket, [ticket.requester_id]).get(ticket.requester_id, [])
        _queue("status_changed", _requester(ticket), ticket.mailbox, ticket, None,
               parents=_thread(*_received_on(ticket), had), context={})  # fmt: skip


def assigned(ticket: Ticket, assignee: Person, actor: Person | None) -> None:
    """To the agent: this is yours now."""
    first = ticket.comments.filter(visibility=Comment.Visibility.PUBLIC).order_by("created_at", "id").first()
    _tell_staff("assigned", assignee, ticket, None, {"actor": actor, "first": first})


def customer_replied(ticket: Ticket, comment: Comment) -> None:
    """To the assignee: the customer has answered."""
    if ticket.assignee and ticket.assignee.is_active:
        _tell_staff("customer_replied", ticket.assignee, ticket, comment, {"comment": comment})


def held(ticket: Ticket, comment: Comment) -> None:
    """To the assignee, or to everybody in the team of a ticket that nobody has: somebody waits to be let in.

    Once, until somebody has decided about what is held: what answers by itself would be told of its own answer. An agent
    in whose name it is hears that it has not gone out; nobody is told of a machine's.
    """
    waiting = Comment.objects.filter(ticket=ticket, visibility=Comment.Visibility.HELD, rejected_at=None)
    waiting = waiting.exclude(pk=comment.pk)
    if comment.is_automatic:
        return
    if comment.author and comment.author.is_staff and not waiting.filter(author=comment.author).exists():
        proof = (comment.mail.proof if comment.mail else None) or {}
        is_proven = proof.get("verdict") == Verdict.AUTHENTICATED
        _tell_staff("in_your_name", comment.author, ticket, comment, {"comment": comment, "is_proven": is_proven})
    if waiting.exists():
        return
    if ticket.assignee and ticket.assignee.is_active:
        told = [ticket.assignee]
    else:
        told = (
            [person for person in ticket.team.members.filter(is_active=True) if person.is_staff] if ticket.team else []
        )
    for person in told:
        if person.pk != comment.author_id:
            _tell_staff("held", person, ticket, comment, {"comment": comment})


def mentioned(ticket: Ticket, comment: Comment, person: Person) -> None:
    """To an agent whom a colleague named in a note."""
    _tell_staff("mentioned", person, ticket, comment, {"comment": comment, "actor": comment.author})


def delivery_failed(mail: OutboundMail, why: str) -> None:
    """To the agent whose answer did not arrive, or to whoever has the ticket where they have left or may not see it."""
    if mail.ticket is None or mail.kind != "reply":
        return
    author = mail.comment.author if mail.comment else None
    for person in (author, mail.ticket.assignee):
        if person is not None and access.may_be_told(person, mail.ticket):
            _tell_staff("delivery_failed", person, mail.ticket, None, {"mail": mail, "why": why})
            return


def sla_warning(ticket: Ticket, person: Person, target: str, due: datetime) -> None:
    """A target will be missed soon."""
    _tell_staff("sla_warning", person, ticket, None, {"target": target, "due": due})


def sla_breach(ticket: Ticket, person: Person, target: str, due: datetime) -> None:
    """A target is missed, or was a while ago."""
    _tell_staff("sla_breach", person, ticket, None, {"target": target, "due": due})


def sla_breach_of_team(ticket: Ticket, target: str, due: datetime) -> None:
    """To the team's channels."""
    link = settings.PUBLIC_URL + reverse("admin:ticket", args=[ticket.pk])
    alerts.for_team(
        ticket.team, "sla_breach", ticket, f"[#{ticket.pk}] {target} missed: {ticket.subject}",
        f"It was due on {timezone.localtime(due):%d %b %H:%M}. {link}",
    )  # fmt: skip


def digest(person: Person, items: Sequence[tuple[Ticket, Sequence[object]]], mailbox: Mailbox) -> None:
    """To a watcher: what happened on several tickets, in one mail."""
    _queue(
        "digest", _reader(person), mailbox, None, None, parents=[], context={"items": items},
        about=[ticket.pk for ticket, _ in items],
    )  # fmt: skip


def code(address: str, person: Person | None, digits: str, mailbox: Mailbox, *, minutes: int, expires_at: datetime,
         send: bool, language: str = "") -> None:  # fmt: skip
    """A one-time code. With `send` off the same work is done and the row is cancelled: nobody can tell."""
    _queue(
        "code", Reader(address, person), mailbox, None, None, parents=[], language=language, expires_at=expires_at,
        context={"code": digits, "minutes": minutes}, hold_back=not send,
    )  # fmt: skip


def registration(
    address: str, person: Person | None, token: str, mailbox: Mailbox, *, hours: int, expires_at: datetime,
    is_known: bool, send: bool, language: str = "",
) -> None:  # fmt: skip
    """A link that opens the account that was asked for; where there is one already, that there is."""
    link = reverse("portal:sign_in") if is_known else reverse("portal:registration", args=[token])
    _queue(
        "registration", Reader(address, person), mailbox, None, None, parents=[], language=language,
        expires_at=expires_at, hold_back=not send,
        context={"link": settings.PUBLIC_URL + link, "hours": hours, "is_known": is_known},
    )  # fmt: skip


def password_reset(
    address: str, person: Person | None, link: str, mailbox: Mailbox, *, expires_at: datetime, send: bool
) -> None:  # fmt: skip
    """A link that sets a new password. With `send` off as with `code`."""
    _queue(
        "password_reset", Reader(address, person), mailbox, None, None, parents=[], context={"link": link},
        expires_at=expires_at, hold_back=not send,
    )  # fmt: skip


def pin_issued(pin: SupportPin, mailbox: Mailbox, link: str) -> None:
    """To the customer, without the PIN: an agent has made one. The link ends it."""
    _tell_of_pin("pin_issued", pin, mailbox, link)


def pin_used(pin: SupportPin, mailbox: Mailbox, link: str) -> None:
    """To the customer: somebody is signed in as them. The link signs them out."""
    _tell_of_pin("pin_used", pin, mailbox, link)


def test_mail(person: Person, mailbox: Mailbox, said: wording.Words) -> None:
    """A mailbox's own text with sample values, to the admin who wrote it."""
    _save(
        OutboundMail(
            kind="test", person=person, mailbox=mailbox, to_address=person.email, to_name=one_line(person.name),
            from_name=one_line(mailbox.name), subject=said.subject, text=said.text, html=said.html,
            message_id=_new_id(mailbox), is_automatic=True,
        ),
        "tasks.outbound.deliver",
    )  # fmt: skip


def _tell_of_pin(kind: str, pin: SupportPin, mailbox: Mailbox, link: str) -> None:
    """On no ticket: an answer to it is a new one, and does not wait with the agent whom it may be about."""
    agent = wording.agent_name(mailbox, pin.issued_by) or mailbox.name or mailbox.address
    context = {
        "agent": agent, "issued_at": pin.created_at, "valid_until": pin.expires_at, "used_at": pin.used_at, "link": link,
    }  # fmt: skip
    _queue(kind, _reader(pin.person), mailbox, None, None, parents=[], context=context)


def _tell_staff(kind: str, person: Person, ticket: Ticket, comment: Comment | None, context: dict[str, Any]) -> None:
    if not access.may_be_told(person, ticket):
        return
    mail = _queue(
        kind, _reader(person), ticket.mailbox, ticket, comment, parents=_staff_thread(ticket),
        context={**context, "reply_goes": _reply_goes(kind, ticket)},
    )  # fmt: skip
    if mail is not None:
        alerts.for_person(person, kind, ticket, mail.subject, mail.text)


def _reply_goes(kind: str, ticket: Ticket) -> str:
    """Where an agent's reply to that mail goes, if it is proven to be theirs."""
    if not ticket.mailbox.plus_addressing or ticket.status == Ticket.Status.CLOSED:
        return ""
    return "inside" if KINDS[kind].replies_stay_inside else "out"


def _queue(
    kind: str,
    reader: Reader,
    mailbox: Mailbox,
    ticket: Ticket | None,
    comment: Comment | None,
    *,
    parents: Sequence[str],
    context: Mapping[str, Any],
    from_name: str = "",
    delay: timedelta = timedelta(0),
    expires_at: datetime | None = None,
    language: str = "",
    hold_back: bool = False,
    about: Sequence[int] = (),
) -> OutboundMail | None:
    """The outbox row; None where its reader does not want that kind of mail."""
    what, person = KINDS[kind], reader.person
    if person is not None and what.can_mute and kind in person.muted:
        return None
    links: dict[str, Any] = (
        {"staff_url": settings.PUBLIC_URL + reverse("admin:ticket", args=[ticket.pk])} if ticket else {}
    )
    if ticket and person and what.to is To.CUSTOMER and (link := ticket_link(ticket, person)):
        links |= {"link": link, "link_until": works_until()}
    shown, language = {"ticket": ticket, **context}, language or language_of(person, mailbox)
    if ticket is not None and what.to is To.CUSTOMER and not ticket.address_verified:
        shown = _without_the_guests_words(ticket, context, language)
    said = wording.render(
        kind, {"person": person, "mailbox": mailbox, **links, **shown}, mailbox=mailbox, language=language
    )
    mail = OutboundMail(
        kind=kind, ticket=ticket, comment=comment, person=person, mailbox=mailbox, to_address=reader.address,
        to_name=one_line(reader.name), from_name=one_line(from_name or mailbox.name), subject=said.subject, text=said.text, html=said.html,
        message_id=_new_id(mailbox),
        in_reply_to=parents[-1] if parents else "", references=" ".join(parents),
        is_automatic=what.is_automatic, null_return_path=what.null_return_path, is_secret=what.is_secret,
        about=[*about], expires_at=expires_at, next_attempt_at=timezone.now() + delay,
    )  # fmt: skip
    if what.is_secret:
        mail.sealed, mail.text, mail.html = seal(json.dumps([said.text, said.html])), "", ""
    reason = _kept_back(what, reader.address)  # looked up for a row that is held back, too: as `_save` does
    if hold_back:
        mail.state, mail.sealed, mail.reason = OutboundMail.State.CANCELLED, "", "nobody to send it to"
    elif reason:
        mail.state, mail.reason, mail.sealed = OutboundMail.State.SUPPRESSED, reason, ""
    return _save(mail, "" if delay else "tasks.codes.deliver" if what.is_secret else "tasks.outbound.deliver")


def _without_the_guests_words(ticket: Ticket, context: Mapping[str, Any], language: str) -> dict[str, Any]:
    """What our texts, and a mailbox's own, can say of a ticket while anybody may have typed its requester's address: or we
    would carry anybody's words to anybody. `unverified` is set."""
    shown = copy(ticket)
    with translation.override(language):
        shown.subject = _("Your request #%(number)s") % {"number": ticket.pk}
    said = {
        name: None if isinstance(value, Comment) and value.author_id == ticket.requester_id else value
        for name, value in context.items()
    }
    return {**said, "ticket": shown, "unverified": True}


def _save(mail: OutboundMail, task: str) -> OutboundMail:
    mail.save(force_insert=True)
    if mail.ticket_id is not None:
        MessageRef.objects.create(ticket_id=mail.ticket_id, message_id=mail.message_id, kind=MessageRef.Kind.SENT)
    # Rung for a row that was held back too: who asked can't tell by the time it took.
    if task and mail.state in (OutboundMail.State.QUEUED, OutboundMail.State.CANCELLED):
        ring(task, mail.pk)
    return mail


def _new_id(mailbox: Mailbox) -> str:
    return f"{secrets.token_hex(16)}@{_id_domain(mailbox.address.rpartition('@')[2])}"


def _id_domain(domain: str) -> str:
    try:
        return ascii_domain(domain)
    except Unwritable:  # no mail leaves that mailbox; it says why when it is sent
        return "invalid"


def language_of(person: Person | None, mailbox: Mailbox) -> str:
    """The language in which we write to somebody."""
    theirs = person.language if person else ""
    return theirs or getattr(getattr(mailbox, "identity", None), "language", "") or settings.LANGUAGE_CODE


def _kept_back(kind: Kind, address: str) -> str:
    """Why a mail to that address is written down and not sent, or ""."""
    if _suppressed(address):
        return SUPPRESSED
    # What staff get follows from people's work, not from mail that comes in: it can't make a loop.
    # Nor does what a customer must know, which a code or a PIN brings about.
    if kind.is_automatic and kind.can_mute and kind.to is To.CUSTOMER and _over_cap(address):
        return "too many automatic mails"
    return ""


_suppressed = Prepared(lambda address: Suppression.objects.filter(address=address).values_list("pk")[:1])
SUPPRESSED = "the address takes no mail"


def _over_cap(address: str) -> bool:
    """Whether that address had its share of automatic mail, whatever it writes: the end of every loop."""
    since = timezone.now() - timedelta(hours=CAP_HOURS)
    return len(_automatic(address, since)) >= settings.AUTOMATIC_MAILS_PER_ADDRESS


_automatic = Prepared(
    lambda address, since: (
        OutboundMail.objects.filter(is_automatic=True, to_address=address, created_at__gt=since, is_secret=False)
        .exclude(state=OutboundMail.State.SUPPRESSED)
        .values_list("pk")
    )
)


def _sent_to(ticket: Ticket, readers: Collection[int]) -> dict[int, list[tuple[datetime, str]]]:
    """What each of those people has had from us on the ticket, by their ids: when, and under which Message-ID. Nobody is
    shown the id of somebody else's copy: who knows it could claim that it came back."""
    sent = OutboundMail.objects.filter(
        ticket=ticket, person__in=readers, kind__in=["acknowledgement", "reply", "status_changed"]
    ).order_by("-id")
    had: dict[int, list[tuple[datetime, str]]] = {}
    for person, at, own, theirs in sent.values_list("person", "created_at", "message_id", "provider_message_id")[:5000]:
        if len(mine := had.setdefault(person or 0, [])) < 10:
            # A provider that puts in an id of its own: that is the one the customer's mailer knows.
            mine.append((at, theirs or own))
    return had


def _received_on(ticket: Ticket) -> tuple[str | None, list[tuple[datetime, str]]]:
    """The first mail that we received on the ticket where it is long ago, and the latest ones, the newest first."""
    mails = InboundMail.objects.filter(
        comment__ticket=ticket, comment__visibility=Comment.Visibility.PUBLIC
    ).exclude(message_id="")  # fmt: skip
    received = [*mails.order_by("-id").values_list("received_at", "message_id")[:10]]
    first = mails.order_by("id").values_list("message_id", flat=True).first() if len(received) == 10 else None
    return first, received


def _thread(first: str | None, received: list[tuple[datetime, str]], ours: list[tuple[datetime, str]]) -> list[str]:
    """The ids that a customer's mailer threads our mail under: the first mail and the latest ones.

    RFC 5322 3.6.4: the parent is the last one. It is the last mail that we received, or sent before it.
    """
    chain = [message_id for _, message_id in sorted([*ours, *received])]
    # The latest received mail is what we answer: it goes last.
    if received:
        latest = received[0][1]
        chain = [found for found in chain if found != latest] + [latest]
    return list(dict.fromkeys(([first] if first else []) + [found for found in chain if _fits_header(found)][-12:]))


def _staff_thread(ticket: Ticket) -> list[str]:
    """One thread per ticket in an agent's mailer, under an id that no mail has and no ticket is found by."""
    return [f"ticket-{ticket.pk}.staff@{ticket.mailbox.address.rpartition('@')[2]}"]


def _requester(ticket: Ticket) -> Reader:
    """Where they wrote from last."""
    row = next((row for row in participants.readers(ticket) if row.person_id == ticket.requester_id), None)
    return Reader(row.reply_to if row else ticket.requester.email, ticket.requester)


def _reader(person: Person) -> Reader:
    return Reader(person.email, person)


def _fits_header(message_id: str) -> bool:
    return bool(re.fullmatch(r"[\x21-\x7e]{3,250}", message_id)) and "<" not in message_id and ">" not in message_id


def _agent_at(name: str, mailbox: Mailbox) -> str:
    return f"{name} at {mailbox.name}" if name and mailbox.name else name or mailbox.name
