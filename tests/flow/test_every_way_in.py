"""The same mails by every way in: the same verdicts, tickets, comments and answers.

What a way cannot carry is in MISSING, and nothing else may differ.
"""

import base64
import mailbox as mailboxes
import re
import smtplib
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import BytesIO, TextIOWrapper
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from django.core.management import call_command
from django.db import connections

from helpdesk import actions
from helpdesk.actions import Content
from helpdesk.models import Comment, OutboundMail, Ticket
from inbound.addresses import bounce_address, mailbox_candidates, reply_address
from inbound.models import InboundMail
from inbound.transports.imap.account import Account, read_account
from inbound.transports.imap.connecting import connect
from inbound.transports.imap.contact import fetch_new
from inbound.transports.smtp.listener import Listener
from tasks.inbound import process
from tests.inbound.transports.webhook.test_webhooks import (
    Maker,
    mailgun,
    mailgun_multipart,
    postmark,
    sendgrid,
    ses,
    ses_base64,
    webhooks,  # noqa: F401
)
from tests.support.dovecot import Dovecot, dovecot
from tests.support.mail import SUPPORT, agent, customer, deliver_all, eml, mailbox

pytestmark = pytest.mark.django_db(transaction=True, reset_sequences=True)
SALES = "sales@example.com"
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


# --- The mails


@dataclass(frozen=True)
class Sent:
    """What we have sent before, for those that answer it."""

    answer: OutboundMail
    acknowledgement: OutboundMail
    raw: bytes  # of the acknowledgement, as it left

    @property
    def reply_to(self) -> str:
        return reply_address(SUPPORT, self.answer.ticket_id or 0, self.answer.person_id or 0)


def return_path(mail: OutboundMail) -> str:
    return bounce_address(SUPPORT, mail.pk)


@dataclass(frozen=True)
class Case:
    name: str
    raw: Callable[[Any], bytes]  # of what was Sent before; of None for the first
    mail_from: str = "cleo@example.net"
    to: Callable[[Any], tuple[str, ...]] = lambda sent: (SUPPORT,)


def a(name: str, text: str, /, *, mail_from: str = "cleo@example.net", **fields: str) -> Case:
    fields.setdefault("message_id", f"{name.replace(' ', '-')}@example.net")
    return Case(name, lambda sent: eml(text, **fields), mail_from)


def report(to: str, about: str) -> bytes:
    return f"""From: Mail Delivery System <MAILER-DAEMON@mx.example.net>
To: {to}
Subject: Undelivered Mail Returned to Sender
Message-ID: <report-{"ours" if "+" in to else "foreign"}@mx.example.net>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: text/plain

I'm sorry, your message could not be delivered.

<cleo@example.net>: host mx said: 452 4.2.2 Mailbox full
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; cleo@example.net
Action: failed
Status: 4.2.2
Diagnostic-Code: smtp; 452 4.2.2 Mailbox full

--b
Content-Type: text/rfc822-headers

Message-ID: <{about}>
Subject: Re: Help
--b--
""".encode()


def old_report(to: str) -> bytes:
    """As old programs write it: it returns nothing, and only its address says what it is about."""
    return eml(
        "The following address failed:\n\n  cleo@example.net: mailbox full",
        sender="Postmaster <postmaster@mx.example.net>",
        to=to,
        subject="Delivery failure",
        message_id="old-report@mx.example.net",
    )


def pictures() -> bytes:
    related = (
        "--alt\nContent-Type: text/plain; charset=utf-8\n\nSee the picture\n"
        "--alt\nContent-Type: multipart/related; boundary=rel\n\n"
        '--rel\nContent-Type: text/html; charset=utf-8\n\n<p>See <b>the</b> picture <img src="cid:p1@example.net"></p>\n'
        '--rel\nContent-Type: image/png; name="smoke.png"\nContent-ID: <p1@example.net>\nContent-Disposition: inline\n'
        f"Content-Transfer-Encoding: base64\n\n{base64.b64encode(PNG).decode()}\n--rel--\n--alt--\n"
    )
    return (
        "From: Cleo <cleo@example.net>\nTo: support@example.com\nSubject: Pictures\nMessage-ID: <pictures@example.net>\n"
        "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=mix\n\n"
        f"--mix\nContent-Type: multipart/alternative; boundary=alt\n\n{related}"
        "--mix\nContent-Type: application/pdf; name*=utf-8''Gr%C3%BC%C3%9Fe.pdf\nContent-Disposition: attachment\n"
        f"Content-Transfer-Encoding: base64\n\n{base64.b64encode(b'%PDF-1.4 ' + b'x' * 500).decode()}\n--mix--\n"
    ).encode()


def eight_bits(charset: str) -> bytes:
    return (
        f"From: =?{charset}?q?Cl=E9o?= <cleo@example.net>\nTo: support@example.com\n".replace(
            "=E9", "=C3=A9" if charset == "utf-8" else "=E9"
        )
        + f"Subject: Küche brennt ({charset})\nMessage-ID: <{charset}@example.net>\nMIME-Version: 1.0\n"
        f"Content-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: 8bit\n\nGrüße aus der Küche\n"
    ).encode(charset)


SIGNED = b"""From: Cleo <cleo@example.net>
To: support@example.com
Subject: Signed
Message-ID: <signed@example.net>
MIME-Version: 1.0
Content-Type: multipart/signed; protocol="application/pkcs7-signature"; micalg=sha-256; boundary=s

--s
Content-Type: text/plain; charset=us-ascii

I swear, it burns
--s
Content-Type: application/pkcs7-signature; name=smime.p7s
Content-Transfer-Encoding: base64
Content-Disposition: attachment; filename=smime.p7s

MIIBHwYJKoZIhvcNAQcCoIIBEDCCAQwCAQExDzANBglghkgBZQMEAgEFADALBgkqhkiG9w0BBwE=
--s--
"""

CASES = [
    a("first", "It burns.\n\nFrom Monday on we are away."),
    Case(
        "reply that reopens",
        lambda sent: eml(
            "Still burning.\n\nOn Mon, 23 Nov 2026 Ada wrote:\n> It is out.",
            subject="Re: Help",
            message_id="reply@example.net",
            in_reply_to=f"<{sent.answer.message_id}>",
        ),
    ),
    Case(
        "to the reply address alone",
        lambda sent: eml(
            "By address", to=sent.reply_to, subject="Smoke", message_id="address@example.net"
        ),
        to=lambda sent: (sent.reply_to,),
    ),
    Case(
        "to the reply address in Bcc",
        lambda sent: eml(
            "Hidden", to="friends@example.net", subject="Smoke", message_id="hidden@example.net"
        ),
        to=lambda sent: (sent.reply_to,),
    ),
    a(
        "stranger",
        "Let me in",
        mail_from="eve@example.org",
        sender="eve@example.org",
        in_reply_to="<first@example.net>",
    ),
    Case(
        "vacation",
        lambda sent: eml(
            "I am away",
            subject="Automatic reply: Help",
            to=return_path(sent.answer),
            auto_submitted="auto-replied",
            message_id="vacation@example.net",
            in_reply_to=f"<{sent.answer.message_id}>",
        ),
        "",
        lambda sent: (return_path(sent.answer),),
    ),
    Case(
        "vacation without headers",
        lambda sent: eml(
            "I am away",
            subject="Out of office",
            to=return_path(sent.answer),
            message_id="away@example.net",
        ),
        "",
        lambda sent: (return_path(sent.answer),),
    ),
    Case(
        "report of ours",
        lambda sent: report(return_path(sent.answer), sent.answer.message_id),
        "",
        lambda sent: (return_path(sent.answer),),
    ),
    Case(
        "old report",
        lambda sent: old_report(return_path(sent.acknowledgement)),
        "",
        lambda sent: (return_path(sent.acknowledgement),),
    ),
    Case("report of nothing", lambda sent: report(SUPPORT, "not-ours@example.org"), ""),
    a(
        "null sender",
        "Your parcel is on its way",
        mail_from="",
        sender="Parcels <parcels@shop.example>",
    ),
    a(
        "newsletter",
        "Buy",
        sender="News <news@shop.example>",
        list_unsubscribe="<https://shop.example/u>",
    ),
    a(
        "list",
        "Hi all",
        sender="lena@lists.example",
        list_id="<talk.lists.example>",
        precedence="list",
    ),
    a(
        "form",
        "A question",
        mail_from="www@shop.example",
        sender="Website <noreply@shop.example>",
        reply_to="Fred <fred@example.net>",
    ),
    a("from ourselves", "Hm", mail_from=SUPPORT, sender=SUPPORT),
    Case("our own mail", lambda sent: sent.raw, "forwarder@example.net"),
    a("spam", "Cheap", x_spam_flag="YES"),
    Case("duplicate", lambda sent: CASES[0].raw(sent)),
    Case("pictures", lambda sent: pictures()),
    Case("eight bits", lambda sent: eight_bits("utf-8")),
    Case("latin", lambda sent: eight_bits("iso-8859-1")),
    Case("signed", lambda sent: SIGNED),
    Case(
        "two mailboxes",
        lambda sent: eml("To both", to=f"{SUPPORT}, {SALES}", message_id="both@example.net"),
        to=lambda sent: (SUPPORT, SALES),
    ),
    a(
        "delivery failed",
        "The delivery failed: the courier could not find us, no such address.",
        subject="Delivery failed",
    ),
    a("out of toner", "We can't print.", subject="I'm out of toner"),
]


# --- The ways

Deliver = Callable[[bytes, str, tuple[str, ...]], None]


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    with dovecot() as found:
        yield found


def as_delivered(raw: bytes, mail_from: str, recipient: str) -> bytes:
    """As a server leaves it in a folder: RFC 5321 4.4."""
    return f"Return-Path: <{mail_from}>\nDelivered-To: {recipient}\n".encode() + raw


def by_socket(kind: str, client: type[smtplib.SMTP]) -> Callable[..., Deliver]:
    def way(stack: ExitStack, **more: object) -> Deliver:
        listener = Listener(("127.0.0.1", 0), ("127.0.0.1", 0))
        listener.start()
        stack.callback(listener.stop)

        def deliver(raw: bytes, mail_from: str, recipients: tuple[str, ...]) -> None:
            with client("127.0.0.1", listener.ports[kind], timeout=10) as smtp:
                assert smtp.sendmail(mail_from, recipients, raw, ["BODY=8BITMIME"]) == {}
                if kind == "lmtp":  # an answer for each recipient, of which smtplib reads the first
                    assert [smtp.getreply()[0] for _ in recipients[1:]] == [250] * len(
                        recipients[1:]
                    )

        return deliver

    return way


def imap(stack: ExitStack, request: pytest.FixtureRequest, **more: object) -> Deliver:
    """Each mailbox is an account of its own."""
    server, number = request.getfixturevalue("server"), count()

    def account(box: str) -> Account:
        return read_account(server.url(box.partition("@")[0]).replace(SUPPORT, box))

    clients = {box: stack.enter_context(connect(account(box))) for box in (SUPPORT, SALES)}

    def deliver(raw: bytes, mail_from: str, recipients: tuple[str, ...]) -> None:
        for recipient in recipients:
            box = box_of(recipient)
            server.put(
                box.partition("@")[0], f"{next(number)}.x", as_delivered(raw, mail_from, recipient)
            )
            assert fetch_new(clients[box], account(box)) == 1

    return deliver


def pipe(stack: ExitStack, **more: object) -> Deliver:
    def deliver(raw: bytes, mail_from: str, recipients: tuple[str, ...]) -> None:
        for recipient in recipients:
            with standard_input(as_delivered(raw, mail_from, recipient)):
                call_command("ingest", "-", mailbox=box_of(recipient))

    return deliver


def pipe_with_envelope(stack: ExitStack, **more: object) -> Deliver:
    def deliver(raw: bytes, mail_from: str, recipients: tuple[str, ...]) -> None:
        for recipient in recipients:
            with standard_input(raw):
                call_command("ingest", "-", sender=mail_from, recipient=recipient)

    return deliver


def mbox(stack: ExitStack, tmp_path: Path, **more: object) -> Deliver:
    number = count()

    def deliver(raw: bytes, mail_from: str, recipients: tuple[str, ...]) -> None:
        for recipient in recipients:
            path = tmp_path / f"{next(number)}.mbox"
            box = mailboxes.mbox(path)
            box.add(as_delivered(raw, mail_from, recipient))
            box.close()
            call_command(
                "ingest", str(path), mailbox=box_of(recipient), stdout=TextIOWrapper(BytesIO())
            )

    return deliver


def posted(maker: Maker, *, at_once: bool = True) -> Callable[..., Deliver]:
    def way(stack: ExitStack, **more: object) -> Deliver:
        number = count()

        def deliver(raw: bytes, mail_from: str, recipients: tuple[str, ...]) -> None:
            if maker in (postmark, ses):
                raw = raw.decode("utf-8", "replace").encode()  # JSON is Unicode
            posts = (
                [(recipients[0], recipients[1:])]
                if at_once
                else [(recipient, ()) for recipient in recipients]
            )
            for to, others in posts:
                several = {"others": others} if others else {}
                event = f"{next(number):050}"
                assert (
                    maker(raw, to=to, sender=mail_from, event=event, **several).send().status_code
                    == 200
                )

        return deliver

    return way


def posted_to_all(maker: Maker) -> Callable[..., Deliver]:
    """Mailgun names all recipients in one field."""

    def at_once(raw: bytes, *, to: str, others: tuple[str, ...] = (), **more: str) -> object:
        return maker(raw, to=", ".join((to, *others)), **more)

    return posted(at_once)  # type: ignore[arg-type]


WAYS: dict[str, Callable[..., Deliver]] = {
    "smtp": by_socket("smtp", smtplib.SMTP),
    "lmtp": by_socket("lmtp", smtplib.LMTP),
    "imap": imap,
    "pipe": pipe,
    "pipe with its envelope": pipe_with_envelope,
    "mbox": mbox,
    "postmark": posted(postmark, at_once=False),
    "mailgun": posted_to_all(mailgun),
    "mailgun as multipart": posted_to_all(mailgun_multipart),
    "amazon ses": posted(ses),
    "amazon ses as base64": posted(ses_base64),
    "sendgrid": posted(sendgrid),
}


def box_of(recipient: str) -> str:
    return next(found for found in mailbox_candidates(recipient) if found in (SUPPORT, SALES))


@contextmanager
def standard_input(raw: bytes) -> Iterator[None]:
    with patch.object(sys, "stdin", SimpleNamespace(buffer=BytesIO(raw))):
        yield


def listed(text: str) -> dict[str, str]:
    """By the names behind the #."""
    found = re.split(r"^# (.+)\n", text, flags=re.MULTILINE)[1:]
    return {name: lines.strip() for name, lines in zip(found[::2], found[1::2], strict=True)}


# How each ends: its row at each mailbox, with the evidence's kind and rule; its comment; the mail
# that is sent.
ENDS = listed(r"""
# first
support@example.com: person (no-sign-of-a-machine), new: done, open
#1 Help (open): public by cleo@example.net: 'It burns.\n\nFrom Monday on we are away.'
-> acknowledgement to cleo@example.net: Re: Help
# reply that reopens
support@example.com: person (no-sign-of-a-machine), in-reply-to: done, comment
#1 Help (assigned): public by cleo@example.net: 'Still burning.'
  quoted_text: 'On Mon, 23 Nov 2026 Ada wrote:\n> It is out.'
-> customer_replied to ada@example.com: [#1] Cleo replied: Help
# to the reply address alone
support@example.com: person (no-sign-of-a-machine), reply-token: done, comment
#1 Help (assigned): public by cleo@example.net: 'By address'
-> customer_replied to ada@example.com: [#1] Cleo replied: Help
# to the reply address in Bcc
support@example.com: person (no-sign-of-a-machine), reply-token: done, comment
#1 Help (assigned): public by cleo@example.net: 'Hidden'
-> customer_replied to ada@example.com: [#1] Cleo replied: Help
# stranger
support@example.com: person (no-sign-of-a-machine), in-reply-to: done, hold
#1 Help (assigned): held by eve@example.org: 'Let me in'
-> held to ada@example.com: [#1] A mail by eve@example.org is held: Help
# vacation
support@example.com: auto-reply (auto-submitted), return-path: done, comment
#1 Help (assigned): public by cleo@example.net, automatic: 'I am away'
# vacation without headers
support@example.com: auto-reply (null-sender-and-subject), return-path: done, comment
#1 Help (assigned): public by cleo@example.net, automatic: 'I am away'
# report of ours
support@example.com: bounce (delivery-status-report), bounce: done, bounce
-> delivery_failed to ada@example.com: [#1] Your answer did not reach cleo@example.net
# old report
support@example.com: bounce (signed-return-path), bounce: done, bounce
# report of nothing
support@example.com: bounce (delivery-status-report), report-on-nothing-we-sent: quarantined, unknown report, backscatter
# null sender
support@example.com: automatic (null-sender), new: done, open
#2 Help (open): public by parcels@shop.example, automatic: 'Your parcel is on its way'
# newsletter
support@example.com: automatic (bulk-mail), new: done, open
#3 Help (open): public by news@shop.example, automatic: 'Buy'
# list
support@example.com: list (list-header), new: done, open
#4 Help (open): public by lena@lists.example, automatic: 'Hi all'
# form
support@example.com: person (no-sign-of-a-machine), new: done, open
#5 Help (open): public by fred@example.net: 'A question'
-> acknowledgement to fred@example.net: Re: Help
# from ourselves
support@example.com: person (no-sign-of-a-machine), from-our-own-address: quarantined, from our own address, unplaced
# our own mail
support@example.com: auto-reply (auto-submitted), loop: ignored, loop
# spam
support@example.com: person (no-sign-of-a-machine), spam-header: quarantined, spam, spam
# duplicate
support@example.com: person (no-sign-of-a-machine), duplicate: ignored, duplicate
# pictures
support@example.com: person (no-sign-of-a-machine), new: done, open
#6 Pictures (open): public by cleo@example.net: 'See the picture'
  html: '<p>See <b>the</b> picture <img src="cid:p1@example.net" loading="lazy"></p>'
  file: smoke.png, image/png, 70, inline
  file: Grüße.pdf, application/pdf, 509
-> acknowledgement to cleo@example.net: Re: Pictures
# eight bits
support@example.com: person (no-sign-of-a-machine), new: done, open
#7 Küche brennt (utf-8) (open): public by cleo@example.net: 'Grüße aus der Küche'
-> acknowledgement to cleo@example.net: Re: Küche brennt (utf-8)
# latin
support@example.com: person (no-sign-of-a-machine), new: done, open
#8 Küche brennt (iso-8859-1) (open): public by cleo@example.net: 'Grüße aus der Küche'
-> acknowledgement to cleo@example.net: Re: Küche brennt (iso-8859-1)
# signed
support@example.com: person (no-sign-of-a-machine), new: done, open
#9 Signed (open): public by cleo@example.net: 'I swear, it burns'
  file: smime.p7s, application/pkcs7-signature, 56
-> acknowledgement to cleo@example.net: Re: Signed
# two mailboxes
support@example.com: person (no-sign-of-a-machine), new: done, open
sales@example.com: person (no-sign-of-a-machine), duplicate: done, also elsewhere
#10 Help (open): public by cleo@example.net: 'To both'
-> acknowledgement to cleo@example.net: Re: Help
# delivery failed
support@example.com: person (no-sign-of-a-machine), new: done, open
#11 Delivery failed (open): public by cleo@example.net: 'The delivery failed: the courier could not find us, no such address.'
-> acknowledgement to cleo@example.net: Re: Delivery failed
# out of toner
support@example.com: person (no-sign-of-a-machine), new: done, open
#12 I'm out of toner (open): public by cleo@example.net: "We can't print."
-> acknowledgement to cleo@example.net: Re: I'm out of toner
""")

# JSON is Unicode: of other bytes the provider has made U+FFFD. (Postmark has no other form; SES is
# to be asked for Base64.)
_NOT_UNICODE = listed(r"""
# latin
support@example.com: person (no-sign-of-a-machine), new: done, open
#8 K�che brennt (iso-8859-1) (open): public by cleo@example.net: 'Grï¿½ï¿½e aus der Kï¿½che'
-> acknowledgement to cleo@example.net: Re: K�che brennt (iso-8859-1)
""")
# The same bytes in another file are no arrival.
MISSING = {"postmark": _NOT_UNICODE, "amazon ses": _NOT_UNICODE, "mbox": {"duplicate": ""}}


# --- What becomes of them


@pytest.mark.parametrize("way", WAYS)
def test_the_same_mails_end_the_same_by_every_way_in(
    way: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    for address in (SUPPORT, SALES):
        mailbox(address)
    customer()
    seen, written = {}, {}
    with ExitStack() as stack:
        stack.callback(connections.close_all)
        deliver, sent = WAYS[way](stack, request=request, tmp_path=tmp_path), None
        for case in CASES:
            known = {
                model: set(model.objects.values_list("pk", flat=True))
                for model in (InboundMail, Comment, OutboundMail)
            }
            deliver(case.raw(sent), case.mail_from, case.to(sent))
            for pk in (
                InboundMail.objects.filter(state="received")
                .order_by("pk")
                .values_list("pk", flat=True)
            ):
                process(pk)
            new = {
                model: model.objects.exclude(pk__in=pks).order_by("pk")
                for model, pks in known.items()
            }
            seen[case.name] = "\n".join(
                [
                    *map(arrival, new[InboundMail]),
                    *map(said, new[Comment]),
                    *map(told, new[OutboundMail]),
                ]
            )
            written[case.name] = [words(mail) for mail in new[OutboundMail]]
            sent = sent or answered(Ticket.objects.get())
    differs = MISSING.get(way, {})
    assert seen == {name: differs.get(name, lines) for name, lines in ENDS.items()}
    same = _written or written
    assert [written[name] for name in ENDS if name not in differs] == [
        same[name] for name in ENDS if name not in differs
    ]
    if not differs:
        _written.update(written)


_written: dict[str, list[str]] = {}  # what the first way's mails were answered with


def arrival(row: InboundMail) -> str:
    found = row.evidence
    ended = f"{row.state}, {row.reason}" + (f", {row.to_look_at}" if row.to_look_at else "")
    return (
        f"{row.mailbox.address}: {found['kind']} ({found['kind_reason']}), {found['rule']}: {ended}"
    )


def said(comment: Comment) -> str:
    ticket, author = comment.ticket, comment.author
    assert author is not None
    lines = [
        f"#{ticket.pk} {ticket.subject} ({ticket.status}): {comment.visibility} by {author.email}"
        f"{', automatic' if comment.is_automatic else ''}: {comment.text!r}",
        *(
            f"  {name}: {value!r}"
            for name in ("html", "quoted_text", "quoted_html")
            if (value := getattr(comment, name))
        ),
        *(
            f"  file: {f.name}, {f.content_type}, {f.size}{', inline' if f.is_inline else ''}"
            for f in comment.attachments.all()
        ),
    ]
    return "\n".join(lines)


def told(mail: OutboundMail) -> str:
    return f"-> {mail.kind} to {mail.to_address}: {mail.subject}"


def words(mail: OutboundMail) -> str:
    """Without its links, which are signed at their time, and until when they work."""
    return re.sub(r"https?://\S+|The link works until .*", "LINK", mail.text)


def answered(ticket: Ticket) -> Sent:
    """An agent has answered it and says that it is resolved."""
    actions.assign(ticket, agent(), actor=agent())
    comment = actions.reply(Ticket.objects.get(), Content(text="It is out."), actor=agent())
    actions.set_status(Ticket.objects.get(), "resolved", actor=agent(), tell=False)
    acknowledgement, *_ = deliver_all()
    return Sent(
        OutboundMail.objects.get(comment=comment, person__email="cleo@example.net"),
        OutboundMail.objects.get(kind="acknowledgement"),
        acknowledgement.split(b"\r\n", 2)[2],
    )
