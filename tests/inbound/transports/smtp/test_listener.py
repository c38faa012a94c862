"""The listener on real sockets, storing into a real database."""

import smtplib
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.db import OperationalError, connections

from inbound import store
from inbound.models import InboundMail, Mailbox
from inbound.transports.smtp.clients import Clients
from inbound.transports.smtp.handler import _host
from inbound.transports.smtp.listener import Listener
from inbound.transports.smtp.writer import Writer
from tests.support.mail import SUPPORT, eml, mailbox
from tests.support.services import need, wait_for

pytestmark = pytest.mark.django_db(transaction=True)


class Wire:
    """SMTP by hand, for what no library would send."""

    def __init__(self, port: int, greeting: str = "EHLO x", source: str = "127.0.0.1") -> None:
        self.socket = socket.create_connection(
            ("127.0.0.1", port), timeout=10, source_address=(source, 0)
        )
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
    raw = (
        b"From: a@b.c\r\nSubject: x\r\n\r\n.dot\r\n..two\r\nGr\xc3\xbc\xc3\x9fe "
        + b"y" * 5000
        + b"\r\n"
    )
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


def test_a_mail_over_the_limit_is_refused_by_its_size_and_while_it_streams(
    listener: Listener,
) -> None:
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
    smuggled = b"Subject: one\r\n\r\nx\n.\nMAIL FROM:<evil@b.c>\r\nRCPT TO:<support@example.com>\r\n\n.\r\nDATA\r\nx\r.\r\n"
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
def test_lmtp_refuses_once_for_each_recipient_too(
    listener: Listener, monkeypatch, why: str
) -> None:
    """A client that pipelines QUIT would take "221 Bye" for the answer that is missing: mail would
    be lost."""

    def fails(arrivals: Sequence[store.Arrival]) -> list[list[int]]:
        raise ValueError("x") if why == "surprise" else OperationalError("x")

    if why in {"surprise", "database"}:
        listener.writer._store = fails
    if why == "busy":
        monkeypatch.setattr("inbound.transports.smtp.flight.Taken.take", lambda self, count: False)
    wire = Wire(listener.ports["lmtp"], "LHLO x")
    wire.begin(SUPPORT, "support+a@example.com")
    wire.socket.sendall(
        b"Subject: x\r\n\r\n"
        + b"x" * (300_000 if why == "too large" else 190_000)
        + b"\r\n.\r\nQUIT\r\n"
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
                answers[number] = smtp.sendmail(
                    "a@b.c", [SUPPORT], eml("bad" if number == 3 else "good")
                )
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
    trusted = certificate(settings, tmp_path)
    mailbox()
    started = Listener(("127.0.0.1", 0), None)
    started.start()
    with client(started) as smtp:
        smtp.ehlo()
        assert smtp.has_extn("starttls")
        trusting = ssl.create_default_context(cafile=str(trusted))
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
    wire.socket.sendall(
        "From: Jürgen <jürgen@bücher.example>\r\nSubject: Grüße\r\n\r\nx\r\n.\r\n".encode()
    )
    assert wire.answer().startswith("250")
    row = InboundMail.objects.get()
    assert (row.mail_from, row.from_address, row.subject) == (
        "jürgen@bücher.example",
        "jürgen@bücher.example",
        "Grüße",
    )


# --- One client's connections


def certificate(settings, folder: Path) -> Path:
    """The listener offers STARTTLS from now on; the certificate to trust."""
    found, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            need("openssl"),
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-keyout",
            str(key),
            "-out",
            str(found),
        ],
        check=True,
        capture_output=True,
    )
    settings.SMTP_TLS_CERT, settings.SMTP_TLS_KEY = str(found), str(key)
    return found


@pytest.fixture
def strangers(settings) -> Iterator[Listener]:
    """A listener that trusts nobody."""
    mailbox()
    settings.SMTP_TRUSTED = []
    started = Listener(("127.0.0.1", 0), ("127.0.0.1", 0))
    started.start()
    yield started
    started.stop()
    connections.close_all()


def dial(port: int, source: str = "127.0.0.1") -> tuple[socket.socket, bytes]:
    """A connection from that address, and what it was greeted with."""
    made = socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(source, 0))
    return made, made.recv(100)


def test_one_client_with_many_idle_connections_locks_nobody_else_out(
    strangers: Listener, settings
) -> None:
    port = strangers.ports["smtp"]
    held = [dial(port) for _ in range(300)]
    greetings = [greeting[:9] for _, greeting in held]
    allowed = settings.SMTP_MAX_CONNECTIONS_PER_CLIENT
    assert greetings == [b"220 examp"] * allowed + [b"421 4.7.0"] * (300 - allowed)
    assert all(refused.recv(100) == b"" for refused, _ in held[allowed:])
    with smtplib.SMTP("127.0.0.1", port, timeout=10, source_address=("127.0.0.2", 0)) as smtp:
        smtp.sendmail("a@b.c", [SUPPORT], eml("x"))
    assert InboundMail.objects.count() == 1
    for each, _ in held:
        each.close()


def test_trusted_networks_and_lmtp_peers_hold_as_many_connections_as_they_need(settings) -> None:
    settings.SMTP_MAX_CONNECTIONS_PER_CLIENT = 1
    settings.SMTP_TRUSTED = ["127.0.0.2/32"]
    started = Listener(("127.0.0.1", 0), ("127.0.0.1", 0))
    started.start()
    for name, source, second in (
        ("smtp", "127.0.0.2", b"220"),
        ("smtp", "127.0.0.1", b"421"),
        ("lmtp", "127.0.0.1", b"220"),
    ):
        held = [dial(started.ports[name], source) for _ in range(2)]
        assert [greeting[:3] for _, greeting in held] == [b"220", second]
        for each, _ in held:
            each.close()
    started.stop()


@pytest.mark.parametrize(
    ("host", "counts_for"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("127.0.0.1", ""),
        ("::1", ""),
        ("local", ""),
    ],
)
def test_a_client_is_an_address_of_ipv4_or_a_network_of_ipv6(host: str, counts_for: str) -> None:
    assert Clients().of(host) == counts_for


@pytest.mark.parametrize(
    ("peer", "host"),
    [
        (("::ffff:192.0.2.7", 9, 0, 0), "192.0.2.7"),
        (("fe80::1%eth0", 9, 0, 2), "fe80::1"),
        ("", "local"),
    ],
)
def test_an_ipv4_address_that_came_over_ipv6_is_itself(peer: object, host: str) -> None:
    assert _host(SimpleNamespace(peer=peer)) == host


def over_tls(trusting: Path, wire: Wire) -> ssl.SSLSocket:
    assert wire.say("STARTTLS").startswith("220")
    context = ssl.create_default_context(cafile=str(trusting))
    context.check_hostname = False
    return context.wrap_socket(wire.socket)


def say(secure: ssl.SSLSocket, line: bytes) -> bytes:
    secure.sendall(line + b"\r\n")
    return secure.recv(1000)


def end(way: str, wire: Wire, trusting: Path) -> None:
    """Ends the connection, or leaves it as it is for the listener to end."""
    if way == "quit":
        assert wire.say("QUIT").startswith("221")
    elif way == "reset":
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    elif way == "in a message":
        wire.begin()
        wire.socket.sendall(b"Subject: x\r\n")
    elif way == "nonsense":
        assert [wire.say("NONSENSE")[:3] for _ in range(5)] == [*["500"] * 4, "502"]
    elif way == "TLS quit":
        with over_tls(trusting, wire) as secure:
            assert say(secure, b"QUIT").startswith(b"221")
        return
    elif way == "TLS closed":
        with over_tls(trusting, wire) as secure:
            assert say(secure, b"EHLO x").startswith(b"250")
        return
    elif way == "TLS refused":
        assert wire.say("STARTTLS").startswith("220")
        wire.socket.sendall(b"this is no handshake\r\n" * 10)
        wire.socket.recv(1000)  # an alert, or nothing
    elif way == "TLS cut":
        assert wire.say("STARTTLS").startswith("220")
    elif way in {"idle", "TLS hangs", "TLS idle", "reads nothing"}:
        if way == "TLS hangs":
            assert wire.say("STARTTLS").startswith("220")
            wire.socket.sendall(b"\x16\x03\x01")
        elif way == "TLS idle":
            held.append(over_tls(trusting, wire))
        elif way == "reads nothing":
            wire.socket.settimeout(0.5)
            with suppress(OSError):
                while True:
                    wire.socket.sendall(b"NOOP\r\n" * 10_000)
        held.append(wire)
        return
    wire.file.close()
    wire.socket.close()


held: list[object] = []
WAYS = [
    "closed",
    "quit",
    "reset",
    "in a message",
    "nonsense",
    "idle",
    "reads nothing",
    "TLS quit",
    "TLS closed",
    "TLS refused",
    "TLS cut",
    "TLS idle",
    "TLS hangs",
]


def test_a_connection_counts_until_it_ends_however_it_ends(settings, tmp_path: Path) -> None:
    settings.SMTP_TRUSTED = []
    settings.SMTP_IDLE_SECONDS = 6  # longer than a busy machine takes between two steps
    settings.SMTP_MAX_CONNECTIONS_PER_CLIENT = 1
    settings.SMTP_MAX_CONNECTIONS = len(WAYS)
    trusting = certificate(settings, tmp_path)
    mailbox()
    started = Listener(("127.0.0.1", 0), None)
    started.start()
    port = started.ports["smtp"]

    def is_free(source: str) -> bool:
        made, greeting = dial(port, source)
        made.close()
        return greeting.startswith(b"220")

    for number, way in enumerate(WAYS):
        wire = Wire(port, source=f"127.0.1.{number + 1}")
        end(way, wire, trusting)
    for number, way in enumerate(WAYS):
        wait_for(lambda source=f"127.0.1.{number + 1}": is_free(source), 25, f"{way!r} to be over")
    (handler,) = started.handlers
    wait_for(lambda: handler.open_connections() == 0, 5, "nothing to be counted")
    held.clear()
    started.stop()
