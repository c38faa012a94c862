"""How long a mail server or provider that hardly moves can hold a worker, against real sockets."""

import ipaddress
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from botocore.config import Config
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from helpdesk import deadline
from helpdesk.models import MailServer, OutboundMail
from helpdesk.outbound import compose, server_connections, to_smtp
from tasks import outbound, sending
from tests.support.mail import eml, receive

pytestmark = pytest.mark.django_db

SECONDS = 1.5
DRIP = 0.2  # far below the time-out of each step
SLOW_MACHINE = 5
Talk = Callable[[socket.socket], None]


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_connections, "SEND_SECONDS", SECONDS)
    monkeypatch.setattr(server_connections, "_kept", threading.local())


@contextmanager
def server(talk: Talk) -> Iterator[int]:
    """Talks to each who connects, in a thread, until they hang up."""
    listening = socket.create_server(("127.0.0.1", 0))
    open_ones: list[socket.socket] = []

    def one(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            talk(connection)

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                open_ones.append(connection)
                threading.Thread(target=one, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield int(listening.getsockname()[1])
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        for connection in open_ones:
            connection.close()


def drip(connection: socket.socket, data: bytes = b"250-" + b"x" * 10_000) -> None:
    for byte in data:
        connection.sendall(bytes([byte]))
        time.sleep(DRIP)


def converse(connection: socket.socket, until: str = "", *, extensions: str = "") -> None:
    """SMTP up to that command of the client, which is read and not answered."""
    connection.sendall(b"220 hello\r\n")
    lines = connection.makefile("rb")
    for line in lines:
        command = line.split()[0].decode().upper()
        if command == until:
            return
        if command == "DATA":
            connection.sendall(b"354 go\r\n")
            while lines.readline() not in {b".\r\n", b""}:
                pass
            if until == ".":
                return
            connection.sendall(b"250 OK\r\n")
        elif command == "EHLO":
            connection.sendall(f"250-me\r\n{extensions}250 8BITMIME\r\n".encode())
        elif command == "QUIT":
            connection.sendall(b"221 bye\r\n")
            return
        else:
            connection.sendall(b"250 OK\r\n")


def at_the_greeting(connection: socket.socket) -> None:
    drip(connection, b"220-" + b"x" * 10_000)


def in_the_answer_to(command: str) -> Talk:
    def talk(connection: socket.socket) -> None:
        converse(connection, command)
        drip(connection)

    return talk


def reading_the_mail(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    connection.sendall(b"220 hello\r\n")
    while command := connection.recv(1000).upper():
        if command.startswith(b"DATA"):
            connection.sendall(b"354 go\r\n")
            while connection.recv(1):
                time.sleep(DRIP)
        connection.sendall(b"250 OK\r\n")


def never_ending_answers(connection: socket.socket) -> None:
    converse(connection, "EHLO")
    while True:
        connection.sendall(b"250-and more\r\n")
        time.sleep(DRIP)


def in_the_handshake(connection: socket.socket) -> None:
    connection.recv(1)
    drip(connection, b"\x16\x03\x03\x30\x00\x02\x00\x2f\xfc" + b"x" * 10_000)


def after_starttls(connection: socket.socket) -> None:
    converse(connection, "STARTTLS", extensions="250-STARTTLS\r\n")
    connection.sendall(b"220 go\r\n")
    in_the_handshake(connection)


def a_mail(text: str = "x") -> OutboundMail:
    receive(eml("x", message_id="first@example.net"))
    OutboundMail.objects.update(text=text)
    return OutboundMail.objects.get()


def use(settings, port: int, **more: object) -> None:
    settings.EMAIL_BACKEND = "helpdesk.outbound.to_smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", port, 10
    for name, value in more.items():
        setattr(settings, name, value)


def is_given_back(mail: OutboundMail) -> None:
    """In time, as a fault of the server, without a connection that is kept."""
    started = time.monotonic()
    outbound.deliver(mail.pk)
    assert time.monotonic() - started < SECONDS + SLOW_MACHINE
    mail.refresh_from_db()
    assert (mail.state, mail.reason) == ("queued", "cannot reach the mail server")
    assert mail.error in {
        f"{kind}: it took longer than {SECONDS} s" for kind in ("TooLate", "MayBeSent")
    }
    assert MailServer.objects.get().faults == 1
    assert getattr(server_connections._kept, "backends", {}) == {}


def test_a_mail_is_given_back_long_before_another_worker_takes_its_row(monkeypatch) -> None:
    monkeypatch.undo()
    assert sending.HOLD.total_seconds() >= server_connections.SEND_SECONDS + 45


@pytest.mark.parametrize(
    "talk",
    [
        at_the_greeting,
        in_the_answer_to("EHLO"),
        in_the_answer_to("MAIL"),
        in_the_answer_to("."),
        never_ending_answers,
    ],
    ids=["greeting", "EHLO", "MAIL", "after DATA", "lines without end"],
)
def test_a_server_that_sends_a_byte_now_and_then_does_not_hold_a_worker(
    talk: Talk, settings
) -> None:
    mail = a_mail()
    with server(talk) as port:
        use(settings, port)
        is_given_back(mail)


def test_a_server_that_reads_a_byte_now_and_then_does_not_hold_a_worker(settings) -> None:
    mail = a_mail("a line of text\n" * 300_000)
    with server(reading_the_mail) as port:
        use(settings, port)
        is_given_back(mail)


@pytest.mark.parametrize("way", ["smtps", "starttls"])
def test_a_tls_handshake_of_single_bytes_does_not_hold_a_worker(way: str, settings) -> None:
    mail = a_mail()
    with server(in_the_handshake if way == "smtps" else after_starttls) as port:
        use(settings, port, EMAIL_USE_SSL=way == "smtps", EMAIL_USE_TLS=way == "starttls")
        is_given_back(mail)


@pytest.mark.parametrize("way", ["smtps", "starttls"])
@pytest.mark.parametrize(
    "talk", [in_the_answer_to("MAIL"), reading_the_mail], ids=["sends slowly", "reads slowly"]
)
def test_inside_tls_it_is_the_same(
    way: str, talk: Talk, settings, tmp_path: Path, monkeypatch
) -> None:
    mail = a_mail("a line of text\n" * 300_000)
    context = certified(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "pem"))

    def wrapped(connection: socket.socket) -> None:
        if way == "starttls":
            converse(connection, "STARTTLS", extensions="250-STARTTLS\r\n")
            connection.sendall(b"220 go\r\n")
        inside = context.wrap_socket(connection, server_side=True)
        if way == "smtps":
            talk(inside)
        else:
            talk(_Greeted(inside))  # type: ignore[arg-type]

    with server(wrapped) as port:
        use(settings, port, EMAIL_USE_SSL=way == "smtps", EMAIL_USE_TLS=way == "starttls")
        is_given_back(mail)


class _Greeted:
    """A connection whose greeting was said before TLS: the next one is swallowed."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._was_greeted = connection, False

    def sendall(self, data: bytes) -> None:
        if self._was_greeted:
            self._connection.sendall(data)
        self._was_greeted = True

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)


def certified(folder: Path) -> ssl.SSLContext:
    """A server's context with a certificate for 127.0.0.1, which is in folder/pem."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "pem").write_bytes(private + certificate.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "pem")
    return context


def test_a_kept_connection_that_becomes_slow_does_not_hold_a_worker(settings) -> None:
    mail, slow = a_mail(), threading.Event()

    def talk(connection: socket.socket) -> None:
        connection.sendall(b"220 hello\r\n")
        lines = connection.makefile("rb")
        for line in lines:
            if line.upper().startswith(b"DATA"):
                connection.sendall(b"354 go\r\n")
                while lines.readline() not in {b".\r\n", b""}:
                    pass
            if slow.is_set() and not line.upper().startswith(b"NOOP"):
                drip(connection)
            connection.sendall(b"250 OK\r\n")

    with server(talk) as port:
        use(settings, port)
        outbound.deliver(mail.pk)
        mail.refresh_from_db()
        assert mail.state == "sent"
        (kept,) = server_connections._kept.backends.values()
        slow.set()
        OutboundMail.objects.update(state="queued", next_attempt_at=mail.created_at)
        is_given_back(mail)
        assert kept[0].connection is None


def test_it_holds_in_a_thread_that_is_not_the_main_one(settings) -> None:
    mail = a_mail()
    composed, found = compose.message(mail), list[BaseException]()

    def work() -> None:
        try:
            with server_connections.connection(mail.mailbox) as connection:
                connection.send_messages([composed])
        except BaseException as error:
            found.append(error)

    with server(in_the_answer_to(".")) as port:
        use(settings, port)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join(SECONDS + SLOW_MACHINE)
        assert not thread.is_alive()
    assert isinstance(found[0], deadline.TooLate | to_smtp.MayBeSent)


def test_an_answer_that_was_complete_counts_though_the_good_byes_take_too_long(settings) -> None:
    mail = a_mail()

    def talk(connection: socket.socket) -> None:
        converse(connection, "RCPT")
        connection.sendall(b"550 5.1.1 nobody\r\n")
        drip(connection)

    with server(talk) as port:
        use(settings, port)
        started = time.monotonic()
        outbound.deliver(mail.pk)
        assert time.monotonic() - started < SECONDS + SLOW_MACHINE
    mail.refresh_from_db()
    assert (mail.state, mail.reason) == ("failed", "recipient refused")


def a_slow_provider(connection: socket.socket) -> None:
    connection.recv(100_000)
    connection.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
    )
    drip(connection, json.dumps({"x": "y" * 1000}).encode())


@pytest.mark.parametrize("provider", ["postmark", "amazon_ses"])
@pytest.mark.parametrize("through_proxy", [False, True], ids=["", "through a proxy"])
def test_a_provider_that_sends_a_byte_now_and_then_does_not_hold_a_worker(
    provider: str, through_proxy: bool, settings, monkeypatch
) -> None:
    mail = a_mail()
    with server(a_slow_provider) as port:
        url = f"http://127.0.0.1:{port}/"
        if through_proxy:
            monkeypatch.setenv("HTTP_PROXY", url)
            url = "http://provider.test/"
        settings.EMAIL_BACKEND = f"anymail.backends.{provider}.EmailBackend"
        settings.ANYMAIL = {
            "POSTMARK_SERVER_TOKEN": "x",
            "POSTMARK_API_URL": url,
            "AMAZON_SES_CLIENT_PARAMS": {
                "endpoint_url": url,
                "region_name": "us-east-1",
                "aws_access_key_id": "x",
                "aws_secret_access_key": "x",
                "config": Config(retries={"max_attempts": 1}),
            },
        }
        is_given_back(mail)


@pytest.mark.parametrize("slow", ["handshake", "answer"])
def test_a_provider_behind_tls_is_no_other(
    slow: str, settings, tmp_path: Path, monkeypatch
) -> None:
    mail, context = a_mail(), certified(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "pem"))

    def answers_slowly(connection: socket.socket) -> None:
        a_slow_provider(context.wrap_socket(connection, server_side=True))

    with server(in_the_handshake if slow == "handshake" else answers_slowly) as port:
        settings.EMAIL_BACKEND = "anymail.backends.postmark.EmailBackend"
        settings.ANYMAIL = {
            "POSTMARK_SERVER_TOKEN": "x",
            "POSTMARK_API_URL": f"https://127.0.0.1:{port}/",
        }
        is_given_back(mail)


def test_a_host_with_several_addresses_that_do_not_answer_shares_the_time_among_them(
    settings, monkeypatch
) -> None:
    mail = a_mail()
    with server(at_the_greeting) as port:
        full = socket.create_server(("127.0.0.1", 0), backlog=0)
        waiting = [
            socket.socket() for _ in range(4)
        ]  # the queue is full: nobody else gets an answer
        for one in waiting:
            one.setblocking(False)
            with suppress(BlockingIOError):
                one.connect(full.getsockname())
        where = (socket.AF_INET, socket.SOCK_STREAM, 6, "", full.getsockname())
        monkeypatch.setattr(deadline.socket, "getaddrinfo", lambda *a, **k: [where] * 8)
        use(settings, port)
        is_given_back(mail)
        for one in (*waiting, full):
            one.close()
