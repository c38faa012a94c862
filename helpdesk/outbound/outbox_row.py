"""How an outbox row is written: one mail to one reader, with its words, its final Message-ID and
when it is due. In the caller's transaction; nothing is sent here."""

import json
import secrets
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from helpdesk import changes
from helpdesk.models import Comment, MessageRef, OutboundMail, Person, Ticket
from helpdesk.models.mail_kinds import KINDS, MailKind, To
from helpdesk.models.mailing import identity_of
from helpdesk.outbound import kept_back, texts
from helpdesk.outbound.links import ticket_link, works_until
from helpdesk.outbound.wire import Unwritable, ascii_domain
from inbound.models import Mailbox
from inbound.reading.headers import one_line
from inbound.secrets import encrypt
from tasks.ring import ring

State = OutboundMail.State


@dataclass(frozen=True, slots=True)
class Reader:
    """Whom a mail goes to: somebody we know, or an address that is nobody's (yet)."""

    address: str
    person: Person | None = None

    @property
    def name(self) -> str:
        return self.person.name if self.person else ""


def reader_of(person: Person) -> Reader:
    return Reader(person.email, person)


@dataclass(frozen=True, slots=True)
class Draft:
    """What a mail is to be: its kind, its reader, what it is about, and what its words are made
    of."""

    kind: str
    reader: Reader
    mailbox: Mailbox
    context: Mapping[str, Any]  # of its template
    ticket: Ticket | None = None
    comment: Comment | None = None
    parents: Sequence[str] = ()  # Message-IDs, the one that it answers last
    agent: str = ""  # in whose name it goes out
    delay: timedelta = timedelta(0)
    expires_at: datetime | None = None
    language: str = ""  # where it is not the reader's
    hold_back: bool = False  # written, and not sent: nobody can tell
    about: Sequence[int] = ()  # the numbers of the tickets that it tells of

    @property
    def what(self) -> MailKind:
        return KINDS[self.kind]


def queue(draft: Draft) -> OutboundMail | None:
    """The outbox row; None where its reader does not want that kind of mail."""
    what, person = draft.what, draft.reader.person
    if person is not None and what.can_mute and draft.kind in person.muted:
        return None
    mail = _row(draft)
    # Looked up for a row that is held back, too: as `save` does.
    reason = kept_back.why(what, draft.reader.address)
    if draft.hold_back:
        mail.state, mail.sealed, mail.reason = State.CANCELLED, "", "nobody to send it to"
    elif reason:
        mail.state, mail.reason, mail.sealed = State.SUPPRESSED, reason, ""
    task = "tasks.codes.deliver" if what.is_secret else "tasks.outbound.deliver"
    return save(mail, "" if draft.delay else task)


def _row(draft: Draft) -> OutboundMail:
    """Queued; a secret one's words are sealed."""
    what, reader, mailbox = draft.what, draft.reader, draft.mailbox
    language = draft.language or _language_of(reader.person, mailbox)
    said = _said(draft, language)
    mail = OutboundMail(
        kind=draft.kind,
        ticket=draft.ticket,
        comment=draft.comment,
        person=reader.person,
        mailbox=mailbox,
        to_address=reader.address,
        to_name=one_line(reader.name),
        from_name=one_line(_agent_at(draft.agent, mailbox, language)),
        subject=said.subject,
        text=said.text,
        html=said.html,
        message_id=new_id(mailbox),
        in_reply_to=draft.parents[-1] if draft.parents else "",
        references=" ".join(draft.parents),
        is_automatic=what.is_automatic,
        null_return_path=what.null_return_path,
        is_secret=what.is_secret,
        about=[*draft.about],
        expires_at=draft.expires_at,
        next_attempt_at=timezone.now() + draft.delay,
    )
    if what.is_secret:
        mail.sealed, mail.text, mail.html = encrypt(json.dumps([said.text, said.html])), "", ""
    return mail


def _said(draft: Draft, language: str) -> texts.Words:
    ticket, person, mailbox = draft.ticket, draft.reader.person, draft.mailbox
    is_to_customer = draft.what.to is To.CUSTOMER
    links: dict[str, Any] = {}
    if ticket:
        page = reverse("admin:ticket", args=[ticket.pk])
        links["staff_url"] = settings.PUBLIC_URL + page
        if person and is_to_customer and (link := ticket_link(ticket, person)):
            links |= {"link": link, "link_until": works_until()}
    shown = {"ticket": ticket, **draft.context}
    if ticket is not None and is_to_customer and not ticket.address_verified:
        shown = _without_the_guests_words(ticket, draft.context, language)
    context = {"person": person, "mailbox": mailbox, **links, **shown}
    return texts.render(draft.kind, context, mailbox=mailbox, language=language)


def _without_the_guests_words(
    ticket: Ticket, context: Mapping[str, Any], language: str
) -> dict[str, Any]:
    """What our texts, and a mailbox's own, can say of a ticket while anybody may have typed its
    requester's address: or we would carry anybody's words to anybody. `unverified` is set."""
    shown = copy(ticket)
    with translation.override(language):
        shown.subject = _("Your request #%(number)s") % {"number": ticket.pk}
    said = {
        name: None
        if isinstance(value, Comment) and value.author_id == ticket.requester_id
        else value
        for name, value in context.items()
    }
    return {**said, "ticket": shown, "unverified": True}


def save(mail: OutboundMail, task: str) -> OutboundMail:
    """Writes the row, and the id under which an answer to it finds its ticket; rings for `task`,
    where there is one."""
    mail.pk = changes.number_for(OutboundMail)
    mail.due_at = mail.next_attempt_at
    changes.insert(mail)
    if mail.ticket_id is not None:
        sent = MessageRef.Kind.SENT
        changes.insert(MessageRef(ticket_id=mail.ticket_id, message_id=mail.message_id, kind=sent))
    # Rung for a row that is not sent, too: who asked can't tell by the time it took.
    if task:
        ring(task, mail.pk)
    return mail


def new_id(mailbox: Mailbox) -> str:
    return f"{secrets.token_hex(16)}@{_id_domain(mailbox.address.rpartition('@')[2])}"


def _id_domain(domain: str) -> str:
    try:
        return ascii_domain(domain)
    except Unwritable:  # no mail leaves that mailbox; it says why when it is sent
        return "invalid"


def _language_of(person: Person | None, mailbox: Mailbox) -> str:
    """The language in which we write to somebody."""
    theirs = person.language if person else ""
    return theirs or identity_of(mailbox).language or settings.LANGUAGE_CODE


def _agent_at(name: str, mailbox: Mailbox, language: str) -> str:
    if not name or not mailbox.name:
        return name or mailbox.name
    with translation.override(language):
        return _("%(agent)s at %(mailbox)s") % {"agent": name, "mailbox": mailbox.name}
