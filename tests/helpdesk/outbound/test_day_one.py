"""What an admin meets on the first day: settings that are wrong, said where they are entered or
looked at."""

import smtplib
import socket
import ssl
from datetime import timedelta

import pytest
from django.utils import timezone
from imapclient.exceptions import LoginError

from helpdesk.admin.imap_forms import ImapAccountForm
from helpdesk.models import MailServer, OutboundMail, Person
from helpdesk.outbound import delivery, servers
from inbound.faults import WRONG_SIGN_IN, in_words
from inbound.models import Mailbox
from inbound.transports.imap.account import read_account
from tests.helpdesk.outbound.test_servers import mails

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("host", "imaps://imap.example.com", "must be a host without http:// or the like"),
        ("host", "imap.example.com:993", "without port and path"),
        ("port", "99999", "A port is a number from 1 to 65535"),
        ("port", "0", "A port is a number from 1 to 65535"),
    ],
)
def test_the_form_of_an_imap_account_refuses_what_cannot_be_reached(
    field: str, value: str, words: str
) -> None:
    form = ImapAccountForm(data={"host": "imap.example.com", "port": "993", field: value})
    assert words in str(form.errors[field])


def test_an_address_of_imap_urls_for_a_mailbox_that_there_is_not_is_named_at_once(
    settings, client
) -> None:
    Mailbox.objects.create(address="support@example.com")
    settings.IMAP_ACCOUNTS = [
        read_account("imaps://ann:secret@imap.example.com/INBOX?mailbox=nobody@example.com")
    ]
    client.force_login(Person.objects.create_superuser("root@example.com", "x"))
    answer = client.get("/api/health/")
    assert answer.status_code == 503
    assert "there is no mailbox nobody@example.com" in str(answer.json()["mailboxes_not_reached"])
    assert (
        "there is no mailbox nobody@example.com" in client.get("/admin/tickets/").content.decode()
    )


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            LoginError("b'[AUTHENTICATIONFAILED] Authentication failed.'"),
            f"{WRONG_SIGN_IN}: [AUTHENTICATIONFAILED] Auth",
        ),
        (
            ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"),
            "TLS does not begin: does this port",
        ),
        (
            socket.gaierror(-2, "Name or service not known"),
            "there is no such host: [Errno -2] Name or",
        ),
        (
            ConnectionRefusedError(111, "Connection refused"),
            "nothing listens at that host and port: [Errno 111]",
        ),
        (smtplib.SMTPAuthenticationError(535, b"5.7.8 bad"), f"{WRONG_SIGN_IN}: 535 5.7.8 bad"),
        (smtplib.SMTPConnectError(554, b"No SMTP service here"), "554 No SMTP service here"),
    ],
)
def test_a_servers_fault_is_told_in_words_that_say_what_to_look_at(
    error: Exception, words: str
) -> None:
    if not isinstance(error, LoginError):
        assert delivery.judge(error).detail.startswith(words)
    if not isinstance(error, smtplib.SMTPException):
        assert in_words(error).startswith(words)


def test_what_waited_for_a_way_out_that_was_changed_is_tried_at_once_and_the_old_fault_is_forgotten() -> (
    None
):
    (mail,) = mails(1)
    OutboundMail.objects.update(
        reason=servers.WAITS, next_attempt_at=timezone.now() + timedelta(hours=1)
    )
    MailServer.objects.create(
        name="support@example.com", faults=7, open_until=timezone.now() + timedelta(hours=1)
    )
    servers.forget("support@example.com")
    mail.refresh_from_db()
    assert mail.next_attempt_at <= timezone.now()
    assert servers.failing() == []


def test_a_way_out_that_nobody_waits_for_is_nobodys_trouble() -> None:
    mails(0)
    MailServer.objects.create(
        name="support@example.com", faults=7, open_until=timezone.now() + timedelta(hours=1)
    )
    assert servers.failing() == []
