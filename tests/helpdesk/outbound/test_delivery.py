"""What becomes of a mail we send, against a real SMTP peer that fails on request."""

import json
from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from django.utils import timezone

from helpdesk import actions
from helpdesk.actions import Content, codes, outbox, pins, watching
from helpdesk.models import OutboundMail, Person
from helpdesk.models.mail_kinds import KINDS
from helpdesk.outbound import notify, texts
from helpdesk.outbound.compose import message
from tasks.outbound import deliver
from tests.support.mail import agent, eml, receive, ticket_of
from tests.support.services import smtp_sink

pytestmark = pytest.mark.django_db


def queued() -> OutboundMail:
    receive(eml("x", message_id="first@example.net"))
    return OutboundMail.objects.get()


def use(settings, port: int) -> None:
    settings.EMAIL_BACKEND = "helpdesk.outbound.to_smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", port, 5


def test_an_acknowledgement_has_a_null_return_path_and_says_what_it_is(settings) -> None:
    mail = queued()
    with smtp_sink() as sink:
        use(settings, sink.port)
        deliver(mail.pk)
        (envelope, raw) = sink.mails[0]
    sent = message_from_bytes(raw, policy=default)
    assert envelope.mail_from in ("", "<>")
    assert sent["Message-ID"] == f"<{mail.message_id}>"
    assert sent["Auto-Submitted"] == "auto-replied"
    mail.refresh_from_db()
    assert mail.state == "sent"


def test_every_kind_of_mail_that_no_person_wrote_says_so_and_an_answer_does_not() -> None:
    ticket, ada, bob = (
        ticket_of(receive(eml("x", message_id="first@example.net"))),
        agent("Ada"),
        agent("Bob"),
    )
    box, soon = ticket.mailbox, timezone.now() + timedelta(hours=1)
    actions.assign(ticket, ada, actor=bob)
    receive(
        eml(
            "Let me in",
            sender="eve@example.org",
            in_reply_to="<first@example.net>",
            message_id="e@x",
        )
    )
    actions.reply(ticket, Content(text="We look into it."), actor=ada)
    receive(eml("Thank you", in_reply_to="<first@example.net>", message_id="t@x"))
    receive(
        eml(
            "I am Ada",
            sender="ada@example.com",
            in_reply_to="<first@example.net>",
            message_id="a@x",
        )
    )
    actions.watch(ticket, bob)
    actions.note(ticket, Content(text="@bob look"), actor=ada)
    watching.send_digests()
    actions.set_status(ticket, "resolved", actor=ada)
    codes.send_code("verify", "new@example.org", asker="x", client="127.0.0.1")
    pins.take_pin(pins.issue_pin(ticket.requester, actor=ada), client="127.0.0.1")
    notify.registration(
        "new@example.org", None, "token", box, hours=24, expires_at=soon, is_known=False, send=True
    )
    notify.password_reset(ada.email, ada, "https://example.com/x", box, expires_at=soon, send=True)
    notify.sla_warning(ticket, ada, "First answer", soon)
    notify.sla_breach(ticket, ada, "First answer", soon)
    notify.delivery_failed(OutboundMail.objects.get(kind="reply"), "no such user")
    notify.test_mail(ada, box, texts.Words("Test", "x", ""))
    mails = {mail.kind: message(mail) for mail in OutboundMail.objects.all()}
    assert mails.keys() == {*KINDS, "test"}
    for kind, composed in mails.items():
        # RFC 3834 5; Exchange heeds its own header alone.
        submitted = {"acknowledgement": "auto-replied", "reply": None}.get(kind, "auto-generated")
        sent = composed.message()
        assert sent["Auto-Submitted"] == submitted, kind
        assert sent["X-Auto-Response-Suppress"] == ("All" if submitted else None), kind
        # RFC 3834 3.3: what answers by itself has no return path that another machine could answer.
        assert (composed.return_path == "") is (kind == "acknowledgement"), kind


def test_a_provider_is_asked_for_nothing_that_it_does_not_know(settings) -> None:
    mail, posted = queued(), list[dict[str, object]]()

    class Postmark(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            answer = json.dumps(
                {"ErrorCode": 0, "Message": "OK", "MessageID": "p-1", "To": posted[0]["To"]}
            ).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Postmark) as server:
        Thread(target=server.handle_request, daemon=True).start()
        settings.EMAIL_BACKEND = "anymail.backends.postmark.EmailBackend"
        settings.ANYMAIL = {
            "POSTMARK_SERVER_TOKEN": "x",
            "POSTMARK_API_URL": f"http://127.0.0.1:{server.server_port}/",
        }
        deliver(mail.pk)
    mail.refresh_from_db()
    assert (mail.state, mail.error, mail.provider_message_id) == ("sent", "", "p-1")
    assert posted[0]["Subject"] == mail.subject


def test_a_server_that_is_away_is_tried_again_later_under_the_same_message_id(settings) -> None:
    mail = queued()
    use(settings, 1)
    deliver(mail.pk)
    mail.refresh_from_db()
    assert (mail.state, mail.attempts, mail.reason) == ("queued", 1, "cannot reach the mail server")
    deliver(mail.pk)  # not due yet
    with smtp_sink() as sink:
        use(settings, sink.port)
        OutboundMail.objects.update(next_attempt_at="2020-01-01T00:00Z")
        deliver(mail.pk)
        deliver(mail.pk)
        assert len(sink.mails) == 1
        assert message_from_bytes(sink.mails[0][1])["Message-ID"] == f"<{mail.message_id}>"


def test_a_mail_that_is_too_old_is_given_up_and_the_ticket_says_so(settings) -> None:
    mail = queued()
    use(settings, 1)
    OutboundMail.objects.update(created_at="2020-01-01T00:00Z")
    deliver(mail.pk)
    mail.refresh_from_db()
    assert mail.state == "failed"
    assert mail.ticket is not None
    assert mail.ticket.events.filter(kind="mail-failed").exists()


def test_how_long_a_mail_is_tried_is_what_is_set(settings) -> None:
    mail = queued()
    use(settings, 1)
    OutboundMail.objects.update(created_at=timezone.now() - timedelta(hours=3))
    for seconds, state in ((4 * 3600, "queued"), (2 * 3600, "failed")):
        settings.OUTBOUND_MAX_AGE = seconds
        OutboundMail.objects.update(next_attempt_at=timezone.now())
        deliver(mail.pk)
        mail.refresh_from_db()
        assert mail.state == state, seconds


def test_names_and_subjects_cannot_bring_headers_of_their_own() -> None:
    row = receive(
        b"From: =?utf-8?q?Eve=0D=0ABcc=3A_x=40y.z?= <eve@example.net>\nSubject: =?utf-8?q?Hi=0D=0ABcc=3A_x=40y.z?=\n"
        b"Message-ID: <a@b>\n\nx"
    )
    ticket = ticket_of(row)
    actions.reply(ticket, Content(text="hello"), actor=agent())
    for mail in OutboundMail.objects.all():
        composed = message(mail).message()
        assert composed["Bcc"] is None
        assert "\n" not in str(composed["Subject"]).replace("\n ", "")


def test_an_admin_sends_what_failed_and_cancels_what_waits_and_the_history_says_so(
    settings,
) -> None:
    mail, admin = queued(), Person.objects.create_superuser("root@example.com", "x")
    use(settings, 1)
    assert (
        outbox.send_now([mail], actor=admin) == 0
    )  # nothing is wrong with it: a worker may be at it just now
    deliver(mail.pk)
    assert outbox.send_now([mail], actor=admin) == 1
    assert outbox.cancel([mail], actor=admin) == 1
    mail.refresh_from_db()
    assert mail.state == "cancelled"
    assert mail.ticket is not None
    assert {"mail-retried", "mail-cancelled"} <= set(
        mail.ticket.events.values_list("kind", flat=True)
    )
