"""Addresses that are not ASCII, against real SMTP peers with and without SMTPUTF8."""

import base64
import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.utils import timezone

from helpdesk import actions
from helpdesk.actions import Content
from helpdesk.models import Identity, MailServer, OutboundMail, Person, Ticket
from helpdesk.outbound import provider_events
from inbound.models import Mailbox
from tasks.outbound import deliver
from tests.support.mail import SUPPORT, agent, customer, mailbox
from tests.support.services import SmtpSink, smtp_sink

pytestmark = pytest.mark.django_db

JOERG = "jörg@exämple.de"


@pytest.fixture(params=[False, True], ids=["ASCII only", "SMTPUTF8"])
def sink(request: pytest.FixtureRequest, settings) -> Iterator[SmtpSink]:
    with smtp_sink(utf8=request.param) as found:
        settings.EMAIL_BACKEND = "helpdesk.outbound.to_smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = (
            "127.0.0.1",
            found.port,
            5,
        )
        yield found


@pytest.fixture
def ascii_only(settings) -> Iterator[SmtpSink]:
    with smtp_sink(utf8=False) as found:
        settings.EMAIL_BACKEND = "helpdesk.outbound.to_smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = (
            "127.0.0.1",
            found.port,
            5,
        )
        yield found


def a_ticket(address: str, name: str = "Jörg Müller, jr.") -> Ticket:
    box = mailbox()
    ticket, _ = actions.open_ticket(
        actions.NewTicket(
            requester=Person.objects.create_user(address, name=name),
            mailbox=box,
            subject="Hälp",
            content=Content(text="x"),
            via="api",
            actor=None,
            acknowledge=False,
        )
    )
    return ticket


def delivered() -> dict[str, OutboundMail]:
    """Tries every mail; the rows by recipient."""
    for pk in OutboundMail.objects.filter(kind="reply").values_list("pk", flat=True):
        deliver(pk)
    return {mail.to_address: mail for mail in OutboundMail.objects.filter(kind="reply")}


def read(raw: bytes) -> EmailMessage:
    return message_from_bytes(raw, policy=policy.default)  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("domain", "ascii_form"),
    [
        ("exämple.de", "xn--exmple-cua.de"),
        (
            "straße.de",
            "xn--strae-oqa.de",
        ),  # IDNA 2008; the older one would write to strasse.de, who is somebody else
        ("i❤.example", "xn--i-7iq.example"),  # IDNA 2008 knows no hearts
        ("ex_ample.de", "ex_ample.de"),
    ],
)
def test_a_domain_goes_out_in_ascii(sink: SmtpSink, domain: str, ascii_form: str) -> None:
    actions.reply(a_ticket(f"joerg@{domain}"), Content(text="Hi"), actor=agent())
    (mail,) = delivered().values()
    assert (mail.state, mail.error) == ("sent", "")
    ((envelope, raw),) = sink.mails
    assert envelope.rcpt_tos == [f"joerg@{ascii_form}"]
    head = raw.partition(b"\r\n\r\n")[0]
    assert head.isascii()
    (to,) = read(raw)["To"].addresses
    assert (to.addr_spec, to.display_name) == (f"joerg@{ascii_form}", "Jörg Müller, jr.")
    assert re.search(rb"(?m)^To: =\?utf-8\?", head)


def test_a_local_part_that_the_server_cannot_write_fails_its_row_alone(
    ascii_only: SmtpSink,
) -> None:
    ticket = a_ticket(JOERG)
    actions.reply(
        ticket, Content(text="Hi"), actor=agent(), cc=[customer("dan@example.net", "Dan")]
    )
    MailServer.objects.create(name="support@example.com", faults=2, failing_since=timezone.now())
    rows = delivered()
    failed = rows[JOERG]
    assert (failed.state, failed.reason) == ("failed", "recipient refused")
    assert "the mail server cannot write to this address" in failed.error
    assert ticket.events.filter(kind="mail-failed").exists()
    assert OutboundMail.objects.filter(kind="delivery_failed").exists()
    assert MailServer.objects.get().faults == 0
    assert rows["dan@example.net"].state == "sent"
    ((envelope, raw),) = ascii_only.mails
    assert envelope.rcpt_tos == ["dan@example.net"]
    assert raw.partition(b"\r\n\r\n")[0].isascii()
    # Who else got it is shown by name alone: their address cannot be written there (RFC 6854).
    to = read(raw)["To"]
    assert [(group.display_name, group.addresses) for group in to.groups] == [
        ("Jörg Müller, jr.", ())
    ]
    assert [a.addr_spec for a in read(raw)["Cc"].addresses] == ["dan@example.net"]


def test_with_smtputf8_it_is_sent_as_it_is_and_the_others_get_theirs_in_ascii(settings) -> None:
    ticket = a_ticket(JOERG)
    actions.reply(
        ticket, Content(text="Hi"), actor=agent(), cc=[customer("dan@example.net", "Dan")]
    )
    with smtp_sink(utf8=True) as sink:
        settings.EMAIL_BACKEND = "helpdesk.outbound.to_smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", sink.port, 5
        assert {mail.state for mail in delivered().values()} == {"sent"}
        mails = {envelope.rcpt_tos[0]: (envelope, raw) for envelope, raw in sink.mails}
    envelope, raw = mails["jörg@xn--exmple-cua.de"]
    assert envelope.smtp_utf8
    assert "SMTPUTF8" in envelope.mail_options
    assert "To: =?utf-8?" in raw.decode()
    assert "<jörg@xn--exmple-cua.de>" in raw.partition(b"\r\n\r\n")[0].decode()
    assert [str(a.addr_spec) for a in read(raw)["Cc"].addresses] == ["dan@example.net"]
    envelope, raw = mails["dan@example.net"]
    assert not envelope.smtp_utf8
    assert raw.partition(b"\r\n\r\n")[0].isascii()


def test_what_is_sent_by_smtputf8_is_signed_as_it_goes_out(settings) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    Identity.objects.create(
        mailbox=mailbox("support@straße.de"), dkim_selector="s1", dkim_key=pem.decode()
    )
    ticket = a_ticket(JOERG)
    Ticket.objects.filter(pk=ticket.pk).update(mailbox=mailbox("support@straße.de"))
    actions.reply(Ticket.objects.get(pk=ticket.pk), Content(text="Grüße"), actor=agent())
    public = base64.b64encode(
        key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    asked: list[bytes] = []

    def record(name: bytes, timeout: int = 5) -> bytes:
        asked.append(name)
        return b"v=DKIM1; k=rsa; p=" + public

    with smtp_sink(utf8=True) as sink:
        settings.EMAIL_BACKEND = "helpdesk.outbound.to_smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", sink.port, 5
        delivered()
        ((_, raw),) = sink.mails
    assert dkim.verify(raw, dnsfunc=record)
    assert asked == [b"s1._domainkey.xn--strae-oqa.de."]


def test_a_domain_that_has_no_ascii_form_fails_its_row_alone(sink: SmtpSink) -> None:
    ticket = a_ticket(f"joerg@{'ä' * 80}.de")
    actions.reply(
        ticket, Content(text="Hi"), actor=agent(), cc=[customer("dan@example.net", "Dan")]
    )
    states = {mail.to_address[:5]: (mail.state, mail.reason) for mail in delivered().values()}
    assert states == {"joerg": ("failed", "recipient refused"), "dan@e": ("sent", "")}


def test_a_mailbox_of_such_a_domain_sends(sink: SmtpSink) -> None:
    ticket = a_ticket("cleo@example.net")
    Mailbox.objects.filter(address=SUPPORT).update(address="support@exämple.de")
    ticket = Ticket.objects.get(pk=ticket.pk)
    actions.reply(ticket, Content(text="Hi"), actor=agent())
    (mail,) = delivered().values()
    assert (mail.state, mail.error) == ("sent", "")
    ((envelope, raw),) = sink.mails
    assert re.fullmatch(r"support\+b\w+@xn--exmple-cua\.de", envelope.mail_from)
    sent = read(raw)
    assert sent["From"].addresses[0].addr_spec == "support@xn--exmple-cua.de"
    assert sent["Message-ID"].endswith("@xn--exmple-cua.de>")
    assert sent["Reply-To"].addresses[0].domain == "xn--exmple-cua.de"
    assert raw.partition(b"\r\n\r\n")[0].isascii()


def test_a_providers_event_about_the_ascii_form_is_about_the_mail(sink: SmtpSink) -> None:
    actions.reply(a_ticket("joerg@exämple.de"), Content(text="Hi"), actor=agent())
    (mail,) = delivered().values()
    assert provider_events._mail(mail.message_id, "joerg@xn--exmple-cua.de") == mail
    assert provider_events._mail(mail.message_id, "someone@xn--exmple-cua.de") is None
