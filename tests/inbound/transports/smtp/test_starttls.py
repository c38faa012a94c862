"""What is said before TLS counts for nothing behind it (RFC 3207 4.2), on real sockets."""

import ssl
from pathlib import Path

import pytest
from django.db import connections

from inbound.models import InboundMail
from inbound.transports.smtp.listener import Listener
from tests.inbound.transports.smtp.test_listener import Wire, certificate, over_tls, say
from tests.support.mail import SUPPORT, mailbox

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def encrypting(settings, tmp_path: Path):
    trusting = certificate(settings, tmp_path)
    mailbox()
    started = Listener(("127.0.0.1", 0), None)
    started.start()
    yield Wire(started.ports["smtp"]), trusting
    started.stop()
    connections.close_all()


def test_commands_that_were_slipped_in_behind_starttls_are_never_served(encrypting) -> None:
    wire, trusting = encrypting
    slipped = f"STARTTLS\r\nEHLO evil\r\nMAIL FROM:<evil@b.c>\r\nRCPT TO:<{SUPPORT}>"
    wire.socket.sendall(slipped.encode() + b"\r\n")
    assert wire.answer().startswith("220")
    context = ssl.create_default_context(cafile=str(trusting))
    context.check_hostname = False
    with context.wrap_socket(wire.socket) as secure:
        assert say(secure, b"NOOP") == b"250 OK\r\n"  # nothing else was answered before
        assert say(secure, b"MAIL FROM:<a@b.c>").startswith(b"503")


def test_who_was_greeted_and_what_mail_was_begun_is_forgotten(encrypting) -> None:
    wire, trusting = encrypting
    assert wire.say("MAIL FROM:<a@b.c>").startswith("250")
    assert wire.say(f"RCPT TO:<{SUPPORT}>").startswith("250")
    with over_tls(trusting, wire) as secure:
        assert say(secure, b"DATA").startswith(b"503")
        assert say(secure, b"EHLO x").startswith(b"250")
        assert say(secure, b"DATA").startswith(b"503 5.5.1")
    assert not InboundMail.objects.exists()


def test_tls_is_begun_once(encrypting) -> None:
    wire, trusting = encrypting
    with over_tls(trusting, wire) as secure:
        assert say(secure, b"STARTTLS").startswith(b"503")
        assert say(secure, b"NOOP").startswith(b"250")
