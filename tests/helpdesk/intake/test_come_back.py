"""A code or a link that signs in comes back to us with a mail: from the side of an agent who reads
everything."""

import base64
import re
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email import policy as email_policy
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured
from django.core.cache import cache
from django.test import Client
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from helpdesk.actions import Refused, codes
from helpdesk.models import Attachment, EmailCode, OutboundMail, Person, Suppression, Ticket
from helpdesk.outbound import came_back
from inbound import readers, store
from inbound.models import InboundMail, RawMail
from inbound.reading.message import Envelope
from tasks import inbound as tasks_inbound
from tasks.secret_mail import deliver
from tests.support.api import Api, admin, said
from tests.support.mail import SUPPORT, agent, arrive, customer, delivered, eml, mailbox, receive

pytestmark = pytest.mark.django_db

TOKEN = r"[0-9a-z]{6}-[0-9a-f]{32}"
STOLEN = "an agent's own phrase"


@pytest.fixture(autouse=True)
def _no_counts_yet() -> None:
    cache.clear()


def sent(mail: OutboundMail) -> tuple[bytes, str]:
    """The mail as it leaves, and its return path."""
    deliver(mail.pk)
    raw = max(Path(configured.EMAIL_FILE_PATH).glob("*.eml")).read_bytes()
    path = re.search(rb"X-Envelope-From: <(.*)>", raw)
    assert path is not None
    return raw.split(b"\r\n", 2)[2], path[1].decode()


def link_for_the_admin() -> tuple[bytes, str, str]:
    """Asked for by whoever likes: the mail as it left, its return path, and the token in it."""
    mailbox()
    admin()
    assert Client().post("/admin/password-reset/", {"email": admin().email}).status_code == 302
    raw, path = sent(OutboundMail.objects.get(kind="password_reset"))
    (token,) = set(re.findall(TOKEN, words_of(raw)))
    return raw, path, token


def words_of(raw: bytes) -> str:
    parsed: Any = message_from_bytes(raw, policy=email_policy.default)
    return str(parsed.get_body(("plain",)).get_content())


def report(
    original: bytes, *, to: str, kind: str = "message/rfc822", headers: bytes = b""
) -> bytes:
    """As Postfix makes it: the mail comes back whole."""
    return b"\r\n".join(
        [
            b"From: MAILER-DAEMON@mx.example.net",
            b"To: " + to.encode(),
            b"Subject: Undelivered Mail Returned to Sender",
            b"Message-ID: <report@mx.example.net>",
            b"Auto-Submitted: auto-replied",
            b"MIME-Version: 1.0",
            headers
            + b'Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary="b/1"',
            b"",
            b"--b/1",
            b"Content-Type: text/plain",
            b"",
            b"<root@example.com>: host mx said: 550 5.1.1 User unknown",
            b"--b/1",
            b"Content-Type: message/delivery-status",
            b"",
            b"Reporting-MTA: dns; mx.example.net",
            b"",
            b"Final-Recipient: rfc822; root@example.com",
            b"Action: failed",
            b"Status: 5.1.1",
            b"Diagnostic-Code: smtp; 550 5.1.1 User unknown",
            b"--b/1",
            b"Content-Type: " + kind.encode(),
            b"",
            original,
            b"--b/1--",
            b"",
        ]
    )


def everything_an_agent_reads() -> str:
    """Every page of a mail and a ticket, every file and download, and the API, as an agent gets
    them."""
    site = Client()
    site.force_login(agent(), backend="helpdesk.auth.EmailBackend")
    api = Api(agent())
    urls = ["/admin/", "/admin/to-look-at/", "/admin/tickets/?queue=all"]
    for row in InboundMail.objects.all():
        urls += [
            f"/admin/mail/{row.pk}/",
            f"/admin/mail/{row.pk}/source/",
            f"/admin/inbound/inboundmail/{row.pk}/change/",
        ]
    urls += [f"/admin/tickets/{ticket.pk}/" for ticket in Ticket.objects.all()]
    urls += [f"/admin/attachments/{file.pk}/" for file in Attachment.objects.all()]
    pieces = [whole(site.get(url)) for url in urls]
    pieces += [whole(api("GET", f"/api/tickets/{ticket.pk}/")) for ticket in Ticket.objects.all()]
    pieces += [
        whole(api("GET", f"/api/attachments/{file.pk}/")) for file in Attachment.objects.all()
    ]
    read = b"\n".join(pieces)
    # What a mail program would make of it: soft breaks joined, and whatever is base64.
    read = read.replace(b"=\r\n", b"").replace(b"=\n", b"")
    for block in re.findall(rb"(?:[A-Za-z0-9+/]{60,76}\r?\n){2,}[A-Za-z0-9+/=]*", read):
        read += b"\n" + base64.b64decode(block + b"==", validate=False)
    return read.decode("utf-8", "replace")


def whole(answer: Any) -> bytes:
    if answer.status_code != 200:
        return b""
    return b"".join(answer.streaming_content) if answer.streaming else bytes(answer.content)


def takes_over(token: str) -> bool:
    """Whether the link still sets the admin's password, by the API or by the page."""
    uid = urlsafe_base64_encode(force_bytes(admin().pk))
    body = {"uid": uid, "token": token, "new_password": STOLEN}
    Api()("POST", "/auth/users/reset_password_confirm/", body)
    page = Client()
    answer = page.get(f"/admin/password-reset/{uid}/{token}/", follow=True)
    page.post(answer.request["PATH_INFO"], {"new_password1": STOLEN, "new_password2": STOLEN})
    return Person.objects.get(pk=admin().pk).check_password(STOLEN)


def as_it_left(raw: bytes) -> bytes:
    return raw


def in_another_transfer_encoding(raw: bytes) -> bytes:
    """What a server without 8BITMIME makes of it."""
    parsed: Any = message_from_bytes(raw, policy=email_policy.SMTP)
    for part in parsed.walk():
        if not part.is_multipart():
            part.set_content(part.get_content(), subtype=part.get_content_subtype(), cte="base64")
    return bytes(parsed)


@pytest.mark.parametrize("kind", ["message/rfc822", "message/global", "text/rfc822-headers"])
@pytest.mark.parametrize("made", [as_it_left, in_another_transfer_encoding])
def test_a_link_that_bounces_is_dead_is_shown_to_nobody_and_is_not_kept(
    kind: str, made: Callable[[bytes], bytes]
) -> None:
    raw, path, token = link_for_the_admin()
    row = arrive(report(made(raw), to=path, kind=kind), rcpt=path, mail_from="")
    assert token not in everything_an_agent_reads()  # while it waits to be read, either
    tasks_inbound.process(row.pk)
    row.refresh_from_db()
    assert (row.state, row.reason) == ("done", "bounce")
    assert row.evidence["report"][0]["status"] == "5.1.1"  # the report's own part is left as it was
    assert token not in everything_an_agent_reads()
    assert token.encode() not in RawMail.objects.get().content
    assert not takes_over(token)


def test_an_admin_does_not_read_it_either() -> None:
    raw, path, token = link_for_the_admin()
    row = receive(report(raw, to=path), rcpt=path, mail_from="")
    site = Client()
    site.force_login(admin(), backend="helpdesk.auth.EmailBackend")
    page = whole(site.get(f"/admin/mail/{row.pk}/")) + whole(
        site.get(f"/admin/mail/{row.pk}/source/")
    )
    assert token not in page.decode()
    assert "Withheld" in page.decode()


def test_a_report_that_came_by_imap_is_cut_as_well() -> None:
    """There nobody tells the envelope: Delivered-To does, or the mark in what came back."""
    for left in (b"Delivered-To: %s\r\n", b""):
        OutboundMail.objects.all().delete()
        InboundMail.objects.all().delete()
        cache.clear()
        raw, path, token = link_for_the_admin()
        back = report(raw, to=SUPPORT, headers=left % path.encode() if left else b"")
        (pk,) = store.accept(back, Envelope(None, (SUPPORT,), "imap"), "imap")
        tasks_inbound.process(pk)
        assert token not in everything_an_agent_reads()
        assert token.encode() not in InboundMail.objects.get().raw.content  # type: ignore[union-attr]


def test_a_report_in_words_that_quotes_the_mail_is_cut() -> None:
    raw, path, token = link_for_the_admin()
    back = eml(
        "x", sender="MAILER-DAEMON@mx.example.net", to=path, subject="failure notice"
    ).partition(b"\n\n")[0]
    back += b"\n\n<root@example.com>:\nSorry, no mailbox here by that name.\n\n--- Below this line is a copy of the message.\n\n"
    row = receive(back + raw.replace(b"\r\n", b"\n"), rcpt=path, mail_from="")
    assert row.reason == "bounce"
    assert "no mailbox here by that name" in str(row.evidence)
    assert token not in everything_an_agent_reads()
    assert not takes_over(token)


def test_what_a_machine_sends_to_a_secrets_return_path_is_not_kept_though_it_says_nothing_of_itself() -> (
    None
):
    raw, path, token = link_for_the_admin()
    back = eml(
        f"Not delivered. You wrote:\n{words_of(raw)}", sender="postmaster@mx.example.net", to=path
    )
    receive(back, rcpt=path, mail_from="")
    assert token not in everything_an_agent_reads()
    assert not takes_over(token)


def forwarded(raw: bytes, token: str) -> bytes:
    return eml(
        f"What is this?\n\n---- Forwarded ----\n{words_of(raw)}", sender="Root <root@example.com>"
    )


def quoted(raw: bytes, token: str) -> bytes:
    said = "\n".join(f"> {line}" for line in words_of(raw).splitlines())
    return eml(
        f"Thank you\n\n> {said}", sender="root@example.com", subject="Re: Set a new password"
    )


def folded(raw: bytes, token: str) -> bytes:
    """By a mail program that breaks whatever is long."""
    return eml(
        f"Look:\n> https://x/{token[:9]}\n> {token[9:30]}\n> {token[30:]}/",
        sender="root@example.com",
    )


def rewritten(raw: bytes, token: str) -> bytes:
    """By a gateway that leads links over itself."""
    return eml(
        "x", html=f'<a href="https://safe.example/?u=https%3A%2F%2Fx%2FMQ%2F{token}%2F">Set</a>'
    )


def as_a_file(raw: bytes, token: str) -> bytes:
    mail = MIMEMultipart()
    mail["From"], mail["To"], mail["Subject"] = "root@example.com", SUPPORT, "Fwd"
    mail.attach(MIMEText("see there"))
    file = MIMEApplication(in_another_transfer_encoding(raw), "octet-stream", name="mail.eml")
    file["Content-Disposition"] = 'attachment; filename="mail.eml"'
    mail.attach(file)
    return mail.as_bytes()


def as_a_message(raw: bytes, token: str) -> bytes:
    return (
        report(raw, to=SUPPORT)
        .replace(b"multipart/report; report-type=delivery-status", b"multipart/mixed")
        .replace(b"MAILER-DAEMON@mx.example.net", b"root@example.com")
    )


def unproven(raw: bytes, token: str) -> bytes:
    return report(raw, to=SUPPORT)


FORWARDED = [forwarded, quoted, folded, rewritten, as_a_file, as_a_message, unproven]


@pytest.mark.parametrize("made", FORWARDED, ids=lambda made: made.__name__)
def test_a_link_that_somebody_sends_us_is_dead_before_an_agent_can_read_it(
    made: Callable[[bytes, str], bytes],
) -> None:
    raw, _, token = link_for_the_admin()
    row = arrive(made(raw, token), mail_from="root@example.com")
    assert token not in everything_an_agent_reads()
    tasks_inbound.process(row.pk)
    row.refresh_from_db()
    assert row.state in {"done", "quarantined"}
    assert not takes_over(token)


def test_a_link_in_a_mail_that_cannot_be_read_is_dead_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raw, _, token = link_for_the_admin()
    row = arrive(forwarded(raw, token))
    monkeypatch.setattr(readers, "SECONDS", -20.0)  # nothing is read within it
    monkeypatch.setattr(readers, "APART_SECONDS", -20.0)
    InboundMail.objects.update(is_slow=True)
    tasks_inbound.process_slow(row.pk)
    row.refresh_from_db()
    assert row.state == "failed"
    assert not takes_over(token)


def test_a_link_that_nobody_has_sent_us_still_works_whatever_else_comes_in() -> None:
    _, path, token = link_for_the_admin()
    receive(eml(f"{token[:6]}-{'0' * 32} and {'0' * 6}{token[6:]}"))
    late = (
        report(b"", to=path)
        .replace(b"failed", b"delayed")
        .replace(b"5.1.1", b"4.4.1")
        .replace(b"550", b"450")
    )
    receive(late, rcpt=path, mail_from="")
    receive(eml("I am away", auto_submitted="auto-replied", to=path), rcpt=path, mail_from="")
    assert takes_over(token)


def test_of_several_who_asked_that_one_alone_is_void_whose_link_came() -> None:
    _, _, token = link_for_the_admin()
    assert Client().post("/admin/password-reset/", {"email": agent().email}).status_code == 302
    raw, _ = sent(OutboundMail.objects.filter(kind="password_reset").order_by("-pk")[0])
    receive(forwarded(raw, ""))
    assert Person.objects.get(pk=agent().pk).links_void_at is not None
    assert Person.objects.get(pk=admin().pk).links_void_at is None
    assert takes_over(token)


def test_the_next_link_works_when_one_has_come_back() -> None:
    raw, path, old = link_for_the_admin()
    receive(report(raw, to=path), rcpt=path, mail_from="")
    OutboundMail.objects.all().delete()
    Suppression.objects.all().delete()
    _, _, token = link_for_the_admin()
    assert not takes_over(old)
    assert takes_over(token)


# --- Codes


def code_for_cleo() -> tuple[bytes, str, str]:
    mailbox()
    customer()
    codes.send_code(EmailCode.Purpose.SIGN_IN, "cleo@example.net", asker="cleo", client="192.0.2.1")
    raw, path = sent(OutboundMail.objects.get(kind="code"))
    found = re.search(r"^ +(\d{6})\s*$", words_of(raw), re.MULTILINE)
    assert found is not None
    return raw, path, found[1]


def signs_in(digits: str) -> bool:
    try:
        return (
            codes.take_code(EmailCode.Purpose.SIGN_IN, "cleo@example.net", digits, asker="cleo")
            is not None
        )
    except Refused:
        return False


def test_a_code_that_bounces_is_worth_nothing_and_is_not_kept() -> None:
    raw, path, digits = code_for_cleo()
    receive(report(raw, to=path), rcpt=path, mail_from="")
    assert digits.encode() not in RawMail.objects.get().content
    assert not signs_in(digits)


def test_a_code_in_a_report_that_came_to_the_plain_address_without_our_marks_is_worth_nothing() -> (
    None
):
    """The mail system has a return path of its own, and leaves out what it does not know."""
    raw, _, digits = code_for_cleo()
    raw = re.sub(rb"X-Helpdesk-[^\r]*\r\n", b"", raw)
    row = receive(report(raw, to=SUPPORT), mail_from="")
    assert (
        row.state == "quarantined"
    )  # nobody may take an address off by a report that is not proven
    assert not signs_in(digits)


def test_a_code_that_its_reader_quotes_back_is_worth_nothing() -> None:
    _, _, digits = code_for_cleo()
    mail = OutboundMail.objects.get(kind="code")
    receive(eml(f"Here: {digits}", in_reply_to=f"<{mail.message_id}>", subject="Re: Your code"))
    assert not signs_in(digits)


def test_an_absence_note_costs_nobody_their_code() -> None:
    _, path, digits = code_for_cleo()
    mail = OutboundMail.objects.get(kind="code")
    away = eml(
        "I am away until 202612",
        auto_submitted="auto-replied",
        in_reply_to=f"<{mail.message_id}>",
        to=path,
    )
    receive(away, rcpt=path, mail_from="")
    receive(away, rcpt=path, mail_from="cleo@example.net")
    assert signs_in(digits)


def test_a_provider_that_says_it_bounced_ends_the_code() -> None:
    _, _, digits = code_for_cleo()
    came_back.provider_event(
        OutboundMail.objects.get(kind="code"), "bounced", "unknown", suppress="bounce"
    )
    assert not signs_in(digits)


# --- What is kept, and asked for


def test_a_mail_that_holds_no_secret_is_kept_as_it_came() -> None:
    ticket_mail = receive(eml("Help", message_id="a@a"))
    answer = OutboundMail.objects.get()
    raw = delivered(answer)
    back = report(raw, to=SUPPORT)
    row = receive(back, mail_from="")
    assert row.raw is not None
    assert row.raw.content == back
    assert (row.withheld, ticket_mail.withheld) == (None, None)


def test_a_stranger_cannot_have_a_mail_cut_by_a_mark_that_is_not_ours() -> None:
    raw = eml("My words", x_helpdesk_mark="aaaaaaaaaaaaaaaaaaaaaaaa")
    row = receive(raw)
    assert row.raw is not None
    assert row.raw.content == raw


class _Server(socketserver.StreamRequestHandler):
    """A mail server that offers delivery status notifications (RFC 3461)."""

    def handle(self) -> None:
        self.wfile.write(b"220 mx\r\n")
        while line := self.rfile.readline():
            self.server.heard.append(line.decode().strip())  # type: ignore[attr-defined]
            verb = line[:4].upper()
            if verb == b"EHLO":
                self.wfile.write(b"250-mx\r\n250 DSN\r\n")
            elif verb == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                while self.rfile.readline() != b".\r\n":
                    pass
                self.wfile.write(b"250 taken\r\n")
            else:
                self.wfile.write(b"250 fine\r\n")


@contextmanager
def server_with_reports() -> Iterator[tuple[int, list[str]]]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Server) as server:
        server.daemon_threads = True
        server.heard = heard = []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1], heard
        server.shutdown()


def test_a_server_that_can_is_asked_to_return_headers_only(settings) -> None:
    mailbox()
    customer()
    codes.send_code(EmailCode.Purpose.SIGN_IN, "cleo@example.net", asker="cleo", client="192.0.2.1")
    mail = OutboundMail.objects.get()
    with server_with_reports() as (port, heard):
        settings.EMAIL_BACKEND = "helpdesk.outbound.to_smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
        deliver(mail.pk)
    mail.refresh_from_db()
    assert mail.state == "sent"
    assert [
        line
        for line in heard
        if line.upper().startswith("MAIL FROM:") and line.endswith("RET=HDRS")
    ]


def test_a_refused_link_says_so() -> None:
    raw, path, token = link_for_the_admin()
    receive(report(raw, to=path), rcpt=path, mail_from="")
    uid = urlsafe_base64_encode(force_bytes(admin().pk))
    body = {"uid": uid, "token": token, "new_password": STOLEN}
    assert said(Api()("POST", "/auth/users/reset_password_confirm/", body))[0] == 400
