"""The listener on real sockets, storing into a real database."""

import smtplib
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from django.db import OperationalError, connections

from inbound import store
from inbound.models import InboundMail, Mailbox
from inbound.transports.smtp.listener import Listener
from inbound.transports.smtp.writer import Writer
from tests.mail import SUPPORT, eml, mailbox
from tests.services import need

pytestmark = pytest.mark.django_db(transaction=True)


class Wire:
    """SMTP by hand, for what no library would send."""

    def __init__(self, port: int, greeting: str = "EHLO x") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.file = self.socket.makefile("rb")
        self.answer()
        self.say(greeting)

    def answer(self) -> str:
        lines = []
        while True:
            line = self.file.readline().decode()
            lines.append(line)
            if len(line) < 4 or line[3] != "-":
                return "".join(lines)

    def say(self, line: str) -> str:
        self.socket.sendall(line.encode() + b"\r\n")
        return self.answer()

    def begin(self, *recipients: str) -> None:
        assert self.say("MAIL FROM:<a@b.c>").startswith("250")
        for recipient in recipients or (SUPPORT,):
            assert self.say(f"RCPT TO:<{recipient}>").startswith("250")
        assert self.say("DATA").startswith("354")


@pytest.fixture
def listener(settings) -> Iterator[Listener]:
    mailbox()
    settings.MAX_MAIL_BYTES = 200_000
    started = Listener(("127.0.0.1", 0), ("127.0.0.1", 0))
    started.start()
    yield started
    started.stop()
    connections.close_all()


def client(listener: Listener) -> smtplib.SMTP:
    return smtplib.SMTP("127.0.0.1", listener.ports["smtp"], timeout=10)


def test_250_means_that_the_bytes_are_stored_exactly(listener: Listener) -> None:
    raw = b"From: a@b.c\r\nSubject: x\r\n\r\n.dot\r\n..two\r\nGr\xc3\xbc\xc3\x9fe " + b"y" * 5000 + b"\r\n"
    with client(listener) as smtp:
        smtp.sendmail("a@b.c", [SUPPORT], raw, mail_options=["BODY=8BITMIME"])
    row = InboundMail.objects.select_related("raw").get()
    assert row.raw is not None
    assert bytes(row.raw.data) == raw
    assert (row.mail_from, row.rcpt_to, row.transport) == ("a@b.c", [SUPPORT], "smtp")


def test_an_unknown_recipient_gets_550_and_a_plus_address_does_not(listener: Listener) -> None:
    with client(listener) as smtp:
        smtp.ehlo()
        smtp.mail("a@b.c")
        assert smtp.rcpt("nobody@example.com") == (550, b"5.1.1 No such mailbox here")
        assert smtp.rcpt("support+anything@example.com")[0] == 250
        assert smtp.rcpt("postmaster@example.com")[0] == 250
        assert smtp.rcpt("SUPPORT@EXAMPLE.COM")[0] == 250


def test_the_null_sender_is_stored_as_empty(listener: Listener) -> None:
    with client(listener) as smtp:
        smtp.sendmail("", [SUPPORT], eml("x"))
    assert InboundMail.objects.get().mail_from == ""


def test_a_mail_over_the_limit_is_refused_by_its_size_and_while_it_streams(listener: Listener) -> None:
    wire = Wire(listener.ports["smtp"])
    assert wire.say("MAIL FROM:<a@b.c> SIZE=200001").startswith("552")
    wire.begin()
    wire.socket.sendall(b"x" * 300_000 + b"\r\n.\r\n")
    assert wire.answer().startswith("552 5.3.4")
    wire.begin()
    wire.socket.sendall(b"Subject: small\r\n\r\nx\r\n.\r\n")
    assert wire.answer().startswith("250")
    assert InboundMail.objects.get().subject == "small"


def test_only_crlf_dot_crlf_ends_a_message(listener: Listener) -> None:
    wire = Wire(listener.ports["smtp"])
    wire.begin()
    smuggled = (
        b"Subject: one\r\n\r\nx\n.\nMAIL FROM:<evil@b.c>\r\nRCPT TO:<support@example.com>\r\n\n.\r\nDATA\r\nx\r.\r\n"
    )
    wire.socket.sendall(smuggled + b"\r\n.\r\n")
    assert wire.answer().startswith("250")
    row = InboundMail.objects.select_related("raw").get()
    assert row.raw is not None
    assert bytes(row.raw.data) == smuggled + b"\r\n"


def test_what_is_pipelined_after_a_message_is_answered_too(listener: Listener) -> None:
    wire = Wire(listener.ports["smtp"])
    wire.begin()
    for piece in (b"Subject: x\r\n\r\nx\r", b"\n", b".", b"\r", b"\nNOOP\r\nQUIT\r\n"):
        wire.socket.sendall(piece)
    assert wire.answer().startswith("250")
    assert wire.answer().startswith("250")
    assert wire.answer().startswith("221")


def test_lmtp_answers_once_for_each_recipient(listener: Listener) -> None:
    wire = Wire(listener.ports["lmtp"], "LHLO x")
    wire.begin(SUPPORT, "support+a@example.com")
    wire.socket.sendall(b"Subject: x\r\n\r\nx\r\n.\r\n")
    assert wire.answer().startswith("250")
    assert wire.answer().startswith("250")


@pytest.mark.parametrize("why", ["too large", "surprise", "database", "busy"])
def test_lmtp_refuses_once_for_each_recipient_too(listener: Listener, monkeypatch, why: str) -> None:
    """A client that pipelines QUIT would take "221 Bye" for the answer that is missing: mail would be lost."""

    def fails(arrivals: Sequence[store.Arrival]) -> list[list[int]]:
        raise ValueError("x") if why == "surprise" else OperationalError("x")

    if why in {"surprise", "database"}:
        listener.writer._store = fails
    if why == "busy":
        monkeypatch.setattr("inbound.transports.smtp.protocol._Taken.take", lambda self, count: False)
    wire = Wire(listener.ports["lmtp"], "LHLO x")
    wire.begin(SUPPORT, "support+a@example.com")
    wire.socket.sendall(
        b"Subject: x\r\n\r\n" + b"x" * (300_000 if why == "too large" else 190_000) + b"\r\n.\r\nQUIT\r\n"
    )
    code = "552" if why == "too large" else "451"
    assert [wire.answer()[:3] for _ in range(3)] == [code, code, "221"]


def test_a_mailbox_that_is_switched_off_in_between_is_asked_for_again(listener: Listener) -> None:
    mailbox("sales@example.com")
    wire = Wire(listener.ports["smtp"])
    wire.begin(SUPPORT, "sales@example.com")
    Mailbox.objects.filter(address="sales@example.com").update(is_active=False)
    wire.socket.sendall(b"Subject: x\r\n\r\nx\r\n.\r\n")
    assert wire.answer().startswith("451")
    assert not InboundMail.objects.exists()


def test_a_database_that_is_down_gives_451_and_nothing_of_it_is_told(listener: Listener) -> None:
    def down(arrivals: Sequence[store.Arrival]) -> list[list[int]]:
        raise OperationalError("secret detail")

    listener.writer._store = down
    with client(listener) as smtp, pytest.raises(smtplib.SMTPDataError) as refused:
        smtp.sendmail("a@b.c", [SUPPORT], eml("x"))
    assert refused.value.smtp_code == 451
    assert b"secret" not in refused.value.smtp_error


def test_any_surprise_gives_451_not_500(listener: Listener, monkeypatch) -> None:
    async def surprise(*args: object) -> str:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("inbound.transports.smtp.handler.Handler.handle_DATA", surprise)
    with client(listener) as smtp, pytest.raises(smtplib.SMTPDataError) as refused:
        smtp.sendmail("a@b.c", [SUPPORT], eml("x"))
    assert refused.value.smtp_code == 451
    assert b"secret" not in refused.value.smtp_error


def test_one_bad_message_does_not_refuse_its_group() -> None:
    """Its neighbours are stored, and each sender hears about their own."""
    mailbox()
    gate, groups = threading.Event(), []

    def picky(arrivals: Sequence[store.Arrival]) -> list[list[int]]:
        gate.wait(10)
        groups.append(len(arrivals))
        if any(b"bad" in arrival.raw for arrival in arrivals):
            raise OperationalError("no")
        return store.accept_many(arrivals)

    started = Listener(("127.0.0.1", 0), None, writer=Writer(picky))
    started.start()
    answers: dict[int, object] = {}

    def send(number: int) -> None:
        try:
            with client(started) as smtp:
                answers[number] = smtp.sendmail("a@b.c", [SUPPORT], eml("bad" if number == 3 else "good"))
        except smtplib.SMTPDataError as error:
            answers[number] = error.smtp_code

    threads = [threading.Thread(target=send, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    gate.set()
    for thread in threads:
        thread.join(20)
    started.stop()
    assert answers == {0: {}, 1: {}, 2: {}, 3: 451, 4: {}, 5: {}}
    assert InboundMail.objects.count() == 5


def test_too_many_connections_are_told_to_come_back(settings) -> None:
    settings.SMTP_MAX_CONNECTIONS = 2
    started = Listener(("127.0.0.1", 0), None)
    started.start()
    held = [socket.create_connection(("127.0.0.1", started.ports["smtp"])) for _ in range(2)]
    for each in held:
        each.recv(100)
    third = socket.create_connection(("127.0.0.1", started.ports["smtp"]), timeout=5)
    assert third.recv(100).startswith(b"421 4.3.2")
    for each in (*held, third):
        each.close()
    started.stop()


def test_an_idle_connection_is_closed(settings) -> None:
    settings.SMTP_IDLE_SECONDS = 1
    started = Listener(("127.0.0.1", 0), None)
    started.start()
    idle = socket.create_connection(("127.0.0.1", started.ports["smtp"]), timeout=10)
    idle.recv(100)
    assert idle.recv(100) == b""
    started.stop()


def test_starttls_is_offered_where_a_certificate_is_configured(settings, tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        [need("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    settings.SMTP_TLS_CERT, settings.SMTP_TLS_KEY = str(certificate), str(key)
    mailbox()
    started = Listener(("127.0.0.1", 0), None)
    started.start()
    with client(started) as smtp:
        smtp.ehlo()
        assert smtp.has_extn("starttls")
        trusting = ssl.create_default_context(cafile=str(certificate))
        trusting.check_hostname = False
        smtp.starttls(context=trusting)
        smtp.ehlo()
        assert not smtp.has_extn("starttls")
        assert not smtp.has_extn("auth")
        smtp.sendmail("a@b.c", [SUPPORT], eml("x" * 100_000))
    started.stop()
    assert InboundMail.objects.count() == 1


def test_smtputf8_senders_and_names_are_taken(listener: Listener) -> None:
    wire = Wire(listener.ports["smtp"])
    assert wire.say("MAIL FROM:<jürgen@bücher.example> SMTPUTF8 BODY=8BITMIME").startswith("250")
    assert wire.say(f"RCPT TO:<{SUPPORT}>").startswith("250")
    assert wire.say("DATA").startswith("354")
    wire.socket.sendall("From: Jürgen <jürgen@bücher.example>\r\nSubject: Grüße\r\n\r\nx\r\n.\r\n".encode())
    assert wire.answer().startswith("250")
    row = InboundMail.objects.get()
    assert (row.mail_from, row.from_address, row.subject) == ("jürgen@bücher.example", "jürgen@bücher.example", "Grüße")
