"""Many IMAP accounts at once, with everything that goes wrong with them: real Dovecots, a real
`imapd`."""

import ipaddress
import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import RequestFactory
from django.utils import timezone
from imapclient.exceptions import CapabilityError, IMAPClientError, LoginError

from helpdesk.health import health
from helpdesk.models import Person
from inbound import store
from inbound.models import ImapAccount, ImapCursor, InboundMail
from inbound.transports.imap import oauth, session, taking_in, waiting, watchers
from inbound.transports.imap.account import Account, read_account
from inbound.transports.imap.accounts import of_row
from inbound.transports.imap.checking import try_out
from inbound.transports.imap.connecting import connect
from inbound.transports.imap.contact import fetch_new
from inbound.transports.imap.session import watch
from inbound.transports.imap.watchers import Watchers
from tests.support.dovecot import Dovecot, dovecot
from tests.support.mail import eml, mailbox
from tests.support.services import free_port, wait_for

ROOT = Path(__file__).resolve().parents[2]
USERS = [f"user{number:02}" for number in range(20)]
SEED = 1906
MESSAGES = int(os.environ.get("IMAP_MESSAGES", "300"))


# --- Twenty mailboxes and a thousand messages, from outside


class Imapd:
    """`manage.py imapd` as a process, over a database of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self.env = {
            **keep,
            "VAR_DIR": str(folder / "var"),
            "HELPDESK_KEYS": "make",
            "MAILBOX_SILENCE": "60",
        }
        self.log = (folder / "log").open("ab")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "imapd"],
            cwd=ROOT,
            stdout=self.log,
            stderr=self.log,
            env=self.env,
        )

    def end(self, number: int = signal.SIGKILL) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(20)

    def manage(self, *arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def sql(self, query: str) -> list[Any]:
        with sqlite3.connect(self.folder / "var/helpdesk.sqlite3", timeout=10) as connection:
            return connection.execute(query).fetchall()

    def count(self) -> int:
        return int(self.sql("select count(*) from inbound_inboundmail")[0][0])


SETUP = """
from datetime import timedelta
from django.core.management import call_command
from django.utils import timezone
from inbound import store
from inbound.models import ImapAccount, Mailbox
call_command("migrate", verbosity=0)
box = Mailbox.objects.create(address="support@example.com")
for user, port in {accounts}:
    ImapAccount.objects.create(
        mailbox=box, host="127.0.0.1", port=port, security="", username=user, secret="secret",
        created_at=timezone.now() - timedelta(minutes=5),
    )
"""
HEALTH = """
from django.test import RequestFactory
from helpdesk.health import health
from helpdesk.models import Person
request = RequestFactory().get("/")
request.user = Person(role="agent")
print(health(request).content.decode())
"""


@pytest.fixture
def imapd(tmp_path: Path) -> Iterator[Imapd]:
    found = Imapd(tmp_path)
    yield found
    if found.process and found.process.poll() is None:
        found.end()


@contextmanager
def fake_server(greeting: bytes = b"") -> Iterator[tuple[int, list[bytes]]]:
    """Takes every connection, greets or keeps silent, and hangs for ever: its port, and what it was
    sent."""
    said: list[bytes] = []
    held: list[socket.socket] = []

    def listen(peer: socket.socket) -> None:
        with suppress(OSError):
            peer.sendall(greeting)
            while heard := peer.recv(1000):
                said.append(heard)
                if heard.split()[1:2] == [b"CAPABILITY"]:
                    peer.sendall(b"* CAPABILITY IMAP4rev1\r\n" + heard.split()[0] + b" OK done\r\n")

    def run() -> None:
        with suppress(OSError):
            while True:
                peer, _ = server.accept()
                held.append(peer)
                threading.Thread(target=listen, args=(peer,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=run, daemon=True).start()
        yield server.getsockname()[1], said
        server.shutdown(socket.SHUT_RDWR)
    for peer in held:
        peer.close()


def test_the_messages_of_twenty_mailboxes_arrive_once_whatever_is_cut_killed_or_hangs(
    imapd: Imapd,
) -> None:
    chance = random.Random(SEED)
    names = [f"m{number}" for number in range(MESSAGES)]
    with fake_server() as (hanging, _), dovecot() as server:

        def deliver(names: list[str]) -> None:
            for name in names:
                # A third has been read by another client before we look.
                flags = "S" if chance.random() < 0.33 else ""
                server.put(
                    chance.choice(USERS), name, eml(name, message_id=f"{name}@imap"), flags=flags
                )

        for user in USERS:
            old = eml("old", message_id=f"old-{user}@imap")
            server.put(
                user, "old", old, flags="S", age=timedelta(days=4)
            )  # read long ago: not ours
        deliver(names[: MESSAGES // 2])
        accounts = [("hangs", hanging), *((user, server.port) for user in USERS)]
        imapd.manage("shell", "-v0", "-c", SETUP.format(accounts=accounts))

        imapd.start()
        # The one that hangs is the first in the list.
        wait_for(
            lambda: imapd.sql("select count(distinct client) from inbound_inboundmail") == [(20,)],
            20,
        )
        blows = ["cut", "cut", "restart", "kill", "kill"]
        chance.shuffle(blows)
        share = MESSAGES // 2 // len(blows)
        for number, blow in enumerate(blows):
            moment = imapd.count() + chance.randrange(share // 20, share)
            deliver(names[MESSAGES // 2 + number * share :][:share])
            wait_for(lambda moment=moment: imapd.count() >= moment, 20, f"{moment} messages")
            if blow == "kill":
                imapd.end()
                imapd.start()
            elif blow == "cut":
                wait_for(server.cut, 10, "a session to cut")
            else:
                server.stop()
                server.start()
        wait_for(lambda: imapd.count() >= MESSAGES, 30, "all messages")
        server.put("user07", "last", eml("last", message_id="last@imap"), flags="S")
        wait_for(lambda: imapd.count() > MESSAGES, 10, "one that another client has read at once")
        found = [
            row[0] for row in imapd.sql("select message_id from inbound_inboundmail order by id")
        ]
        assert found.pop() == "last@imap"
        assert sorted(found) == sorted(f"{name}@imap" for name in names)

        unwell = json.loads(imapd.manage("shell", "-v0", "-c", HEALTH))["mailboxes_not_reached"]
        assert [words.partition(":")[0] for words in unwell] == ["hangs at 127.0.0.1"]
        assert imapd.end(signal.SIGTERM) == 0

        imapd.sql("update inbound_imapaccount set is_active = 0 where username = 'hangs'")
        assert imapd.manage("imapd", "--check").count("everything is stored") == 20


# --- One account, from inside


@pytest.fixture(scope="module")
def plain() -> Iterator[Dovecot]:
    # One that says nothing during IDLE, as Exchange does.
    with dovecot("imap_idle_notify_interval = 29 mins") as server:
        yield server


@pytest.fixture
def database(transactional_db: None) -> Iterator[None]:
    mailbox()
    yield
    connections.close_all()


def account(server: Dovecot, user: str) -> Account:
    return read_account(server.url(user))


def row(server: Dovecot, user: str, **fields: Any) -> ImapAccount:
    fields = {
        "security": "",
        "host": "127.0.0.1",
        "port": server.port,
        "secret": "secret",
        **fields,
    }
    return ImapAccount.objects.create(mailbox=mailbox(), username=user, **fields)


def put(server: Dovecot, user: str, *names: str) -> None:
    for name in names:
        server.put(user, name, eml(name, message_id=f"{name}@imap"))


def stored() -> list[str]:
    return sorted(InboundMail.objects.values_list("message_id", flat=True))


def healthy(check: str) -> Any:
    """What an agent sees of it."""
    request = RequestFactory().get("/")
    request.user = Person(role=Person.Role.AGENT)
    return json.loads(health(request).content)[check]


@contextmanager
def watching(*accounts: Account) -> Iterator[None]:
    stop = threading.Event()
    threads = [threading.Thread(target=watch, args=(account, stop)) for account in accounts]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(15)


@contextmanager
def all_watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watchers]:
    monkeypatch.setattr(watchers, "LOOK_SECONDS", 0.1)
    found = Watchers()
    found.start()
    try:
        yield found
    finally:
        found.stop()


def test_a_check_names_the_account_that_is_not_reached_and_looks_at_the_others(
    plain: Dovecot, database: None
) -> None:
    row(plain, "away", port=free_port())
    put(plain, "checked", "checked")
    fetch_new_of(row(plain, "checked"))
    said = StringIO()
    with pytest.raises(CommandError, match="1 account was not reached"):
        call_command("imapd", check=True, stdout=said)
    away, checked = said.getvalue().splitlines()
    assert away.startswith("away@127.0.0.1")
    assert "refused" in away
    assert checked.endswith("everything is stored")


def fetch_new_of(found: ImapAccount) -> int:
    with connect(of_row(found)) as client:
        return fetch_new(client, of_row(found))


def test_a_check_names_what_was_never_stored_and_fetches_it_when_told(
    plain: Dovecot, database: None
) -> None:
    found = row(plain, "short")
    fetch_new_of(found)
    put(plain, "short", "lost")
    fetch_new_of(found)
    InboundMail.objects.all().delete()
    said = StringIO()
    with pytest.raises(CommandError, match="1 messages were never stored"):
        call_command("imapd", check=True, stdout=said)
    assert said.getvalue().strip().endswith("1 never stored: 1")
    call_command("imapd", check=True, fetch=True, stdout=said)
    assert stored() == ["lost@imap"]
    call_command("imapd", check=True, stdout=said)
    assert said.getvalue().strip().endswith("everything is stored")


def test_a_connection_that_ends_while_it_idles_is_made_anew_at_once(
    plain: Dovecot, database: None
) -> None:
    with watching(of_row(row(plain, "cut"))):
        wait_for(lambda: ImapCursor.objects.filter(contacted_at__isnull=False).exists(), 10)
        time.sleep(1)
        assert plain.cut()
        put(plain, "cut", "after")
        wait_for(lambda: stored() == ["after@imap"], 10)


def test_a_long_first_contact_is_no_silence(plain: Dovecot, database: None, monkeypatch) -> None:
    real, notes = store.accept_many, []

    def accept_many(arrivals: Any) -> list[list[int]]:
        notes.append(ImapCursor.objects.get().contacted_at)
        return real(arrivals)

    monkeypatch.setattr(store, "accept_many", accept_many)
    put(plain, "long", *(f"long-{number}" for number in range(taking_in.BATCH + 1)))
    fetch_new_of(row(plain, "long"))
    first, second = notes
    assert first < second <= ImapCursor.objects.get().contacted_at


def test_the_pause_grows_while_the_folder_cannot_be_opened(
    plain: Dovecot, database: None, monkeypatch
) -> None:
    class Stop(threading.Event):
        pauses: list[float] = []

        def wait(self, timeout: float | None = None) -> bool:
            self.pauses.append(timeout or 0)
            if len(self.pauses) == 4:
                self.set()
            return self.is_set()

    monkeypatch.setattr(session.random, "uniform", lambda low, high: 1.0)
    stop = Stop()
    watch(replace(account(plain, "folder"), folder="Nowhere"), stop)
    assert stop.pauses == [2, 4, 8, 16]
    assert "Nowhere" in ImapCursor.objects.get().error


def test_a_folder_to_move_to_that_is_not_there_holds_up_no_mail(
    plain: Dovecot, database: None
) -> None:
    found = row(plain, "mover", move_to="Nowhere")
    put(plain, "mover", "a", "b", "c")
    with suppress(IMAPClientError):
        fetch_new_of(found)
    assert stored() == ["a@imap", "b@imap", "c@imap"]


def test_a_mailbox_where_nothing_arrives_is_not_silent(
    plain: Dovecot, database: None, settings, monkeypatch
) -> None:
    # A minute, twenty times as fast.
    settings.MAILBOX_SILENCE = 60 / 20
    monkeypatch.setattr(waiting, "IDLE_SECONDS", waiting.IDLE_SECONDS / 20)
    quiet = row(plain, "quiet")
    with watching(of_row(quiet)):
        wait_for(lambda: ImapCursor.objects.filter(contacted_at__isnull=False).exists(), 10)
        time.sleep(5)
        assert healthy("mailboxes_not_reached") == []


def test_health_names_an_account_of_imap_urls_too(plain: Dovecot, database: None, settings) -> None:
    settings.IMAP_ACCOUNTS = [account(plain, "by-url")]
    long_ago = timezone.now() - timedelta(seconds=settings.MAILBOX_SILENCE + 60)
    cursor = ImapCursor.objects.create(
        account=account(plain, "by-url").name, contacted_at=long_ago, error="no route"
    )
    (words,) = healthy("mailboxes_not_reached")
    assert words.startswith("by-url")
    assert words.endswith("no route")
    ImapCursor.objects.filter(pk=cursor.pk).update(contacted_at=timezone.now())
    assert healthy("mailboxes_not_reached") == []


def test_a_secret_that_no_key_opens_holds_up_no_other_account(
    plain: Dovecot, database: None, settings, monkeypatch
) -> None:
    keys, settings.FERNET_KEYS = settings.FERNET_KEYS, ["a key that is gone"]
    row(plain, "locked", created_at=timezone.now() - timedelta(hours=1))
    settings.FERNET_KEYS = keys
    row(plain, "open")
    put(plain, "open", "open")
    with all_watched(monkeypatch) as found:
        wait_for(lambda: stored() == ["open@imap"], 10)
        assert found.is_alive()
    (words,) = healthy("mailboxes_not_reached")
    assert words.startswith("locked at 127.0.0.1")


# --- TLS: who we talk to is verified before the password is sent


@dataclass
class Certificates:
    folder: Path

    def __post_init__(self) -> None:
        key, self.ca = ec.generate_private_key(ec.SECP256R1()), self.folder / "ca.pem"
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "A CA of a test")])
        self._write(
            self.ca, self._sign(key, key, name, name, x509.BasicConstraints(ca=True, path_length=0))
        )
        server = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "A Dovecot of a test")])
        # For the address alone: under the name "localhost" it is somebody else's.
        own = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        self._write(self.folder / "server.pem", self._sign(server, key, subject, name, own))
        (self.folder / "server.key").write_bytes(
            server.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )

    def _sign(
        self, key: Any, ca: Any, subject: x509.Name, issuer: x509.Name, more: Any
    ) -> x509.Certificate:
        now = timezone.now()
        made = x509.CertificateBuilder(
            issuer, subject, key.public_key(), x509.random_serial_number()
        )
        made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(
            now + timedelta(days=1)
        )
        return made.add_extension(more, critical=False).sign(ca, hashes.SHA256())

    def _write(self, path: Path, certificate: x509.Certificate) -> None:
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


@dataclass
class Tokens:
    """An endpoint that gives access tokens for refresh tokens, and tells Dovecot whose an access
    token is."""

    refresh: str = "refresh-0"  # the only one that is good
    good: set[str] = field(default_factory=set)
    asked: list[dict[str, str]] = field(default_factory=list)
    given: int = 0
    more: dict[str, Any] = field(default_factory=dict)  # what an answer says besides
    rotates: bool = False
    port: int = 0

    def answer(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        self.asked.append(form)
        if form.get("grant_type") != "refresh_token" or form.get("refresh_token") != self.refresh:
            return 400, {
                "error": "invalid_grant",
                "error_description": "AADSTS700082: The refresh token has expired.",
            }
        self.given += 1
        self.good.add(f"access-{self.given}")
        answer = {
            "access_token": f"access-{self.given}",
            "token_type": "Bearer",
            "expires_in": 3599,
            **self.more,
        }
        if self.rotates:
            self.refresh = answer["refresh_token"] = f"refresh-{self.given}"
        return 200, answer

    def look_up(self, token: str) -> tuple[int, dict[str, Any]]:
        if token in self.good:
            return 200, {"email": "cleo", "active": True}
        return 400, {"error": "invalid_token"}


@contextmanager
def tokens_endpoint() -> Iterator[Tokens]:
    tokens = Tokens()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self._say(*tokens.answer({name: values[0] for name, values in form.items()}))

        def do_GET(self) -> None:
            self._say(*tokens.look_up(parse_qs(urlsplit(self.path).query)["access_token"][0]))

        def _say(self, code: int, words: dict[str, Any]) -> None:
            body = json.dumps(words).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    tokens.port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield tokens
    server.shutdown()
    server.server_close()


SECURE = """
ssl = yes
ssl_cert = <{folder}/server.pem
ssl_key = <{folder}/server.key
auth_mechanisms = plain xoauth2
passdb {{
  driver = oauth2
  mechanisms = xoauth2
  args = {folder}/oauth2
}}
"""
OAUTH2 = """
tokeninfo_url = http://127.0.0.1:{port}/whose?access_token=
username_attribute = email
active_attribute = active
active_value = true
"""


@dataclass
class Secure:
    server: Dovecot
    ca: Path
    tokens: Tokens


@pytest.fixture(scope="module")
def _secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    certificates = Certificates(tmp_path_factory.mktemp("certificates"))
    for folder in (certificates.folder, *certificates.folder.parents):
        if folder.owner() == certificates.folder.owner() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)  # Dovecot's own account reads it
    with tokens_endpoint() as tokens:
        (certificates.folder / "oauth2").write_text(OAUTH2.format(port=tokens.port))
        with dovecot(SECURE.format(folder=certificates.folder)) as server:
            yield Secure(server, certificates.ca, tokens)


@pytest.fixture
def secure(_secure: Secure, database: None, monkeypatch: pytest.MonkeyPatch) -> Secure:
    """With an endpoint that has given nothing yet."""
    fresh = Tokens(port=_secure.tokens.port)
    for name, value in vars(fresh).items():
        setattr(_secure.tokens, name, value)
    monkeypatch.setattr(oauth, "_tokens", {})
    return _secure


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_certificate_must_be_the_servers_and_by_somebody_who_is_trusted(
    secure: Secure, monkeypatch, security: str
) -> None:
    port = secure.server.tls_port if security == "tls" else secure.server.port
    found = replace(account(secure.server, "dora"), tls=security, port=port)
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        try_out(found)
    monkeypatch.setenv("SSL_CERT_FILE", str(secure.ca))
    assert try_out(found).startswith("INBOX has 0 messages")
    with pytest.raises(OSError, match="not valid for 'localhost'"):
        try_out(replace(found, host="localhost"))


def test_no_password_goes_to_a_server_that_offers_no_starttls(database: None) -> None:
    with fake_server(b"* OK [CAPABILITY IMAP4rev1] hello\r\n") as (port, said):
        found = Account("127.0.0.1", port, "cleo", "INBOX", "", "starttls", "secret")
        with pytest.raises(CapabilityError):
            try_out(found)
    assert b"secret" not in b"".join(said)
    assert b"LOGIN" not in b"".join(said).upper()


# --- OAuth 2


def oauth_row(secure: Secure, **fields: Any) -> ImapAccount:
    url = f"http://127.0.0.1:{secure.tokens.port}/token"
    fields = {
        "auth": "xoauth2",
        "secret": "refresh-0",
        "token_url": url,
        "client_id": "app-1",
        **fields,
    }
    return row(secure.server, "cleo", **fields)


def test_a_refresh_token_that_rotates_is_stored_encrypted_before_it_is_used(secure: Secure) -> None:
    secure.tokens.rotates = True
    found = oauth_row(
        secure, client_secret="hush", scope="https://outlook.office.com/IMAP.AccessAsUser.All"
    )
    put(secure.server, "cleo", "by-token")
    assert fetch_new_of(found) == 1
    assert secure.tokens.asked == [
        {
            "grant_type": "refresh_token",
            "refresh_token": "refresh-0",
            "client_id": "app-1",
            "client_secret": "hush",
            "scope": "https://outlook.office.com/IMAP.AccessAsUser.All",
        }
    ]
    found.refresh_from_db()
    assert found.secret == "refresh-1"
    with connections["default"].cursor() as cursor:
        cursor.execute("select secret from inbound_imapaccount")
        assert "refresh-1" not in cursor.fetchone()[0]
    fetch_new_of(found)  # under the access token that is still good
    assert len(secure.tokens.asked) == 1
    oauth._tokens.clear()
    fetch_new_of(found)
    assert secure.tokens.asked[1]["refresh_token"] == "refresh-1"
    assert stored() == ["by-token@imap"]


def test_an_endpoint_that_gives_no_token_is_quoted_where_the_account_stands(secure: Secure) -> None:
    found = oauth_row(secure, secret="revoked")
    with watching(of_row(found)):
        wait_for(lambda: ImapCursor.objects.exclude(error="").exists(), 10)
    cursor = ImapCursor.objects.get()
    assert cursor.error.startswith("Refused: the token endpoint answers 400")
    assert "AADSTS700082: The refresh token has expired." in cursor.error
    assert "revoked" not in cursor.error
    ImapAccount.objects.update(created_at=timezone.now() - timedelta(hours=1))
    (words,) = healthy("mailboxes_not_reached")
    assert "AADSTS700082" in words


def test_health_says_a_week_before_that_a_refresh_token_expires(secure: Secure) -> None:
    secure.tokens.more = {"refresh_token_expires_in": 8 * 24 * 3600}
    found = oauth_row(secure)
    fetch_new_of(found)
    assert healthy("tokens_expiring") == []
    secure.tokens.more = {"refresh_token_expires_in": 6 * 24 * 3600}
    oauth._tokens.clear()
    fetch_new_of(found)
    (words,) = healthy("tokens_expiring")
    assert words.startswith("cleo at 127.0.0.1: ")
    ImapAccount.objects.update(is_active=False)
    assert healthy("tokens_expiring") == []


def test_a_token_that_rotates_does_not_begin_a_second_session(secure: Secure, monkeypatch) -> None:
    secure.tokens.rotates = True
    oauth_row(secure)
    with all_watched(monkeypatch) as found:
        wait_for(lambda: ImapCursor.objects.filter(contacted_at__isnull=False).exists(), 10)
        first = list(found._running.values())
        time.sleep(1)  # the list of accounts has been read again
        assert list(found._running.values()) == first
        put(secure.server, "cleo", "after")
        wait_for(lambda: "after@imap" in stored(), 10)


def test_a_session_under_an_old_password_ends_before_the_new_one_begins(
    plain: Dovecot, database: None, monkeypatch
) -> None:
    found = row(plain, "edited", secret="wrong")
    with all_watched(monkeypatch) as watched:
        wait_for(lambda: ImapCursor.objects.exclude(error="").exists(), 10)
        ((first, _),) = list(watched._running.values())
        found.secret = "secret"
        found.save()
        put(plain, "edited", "after")
        wait_for(lambda: stored() == ["after@imap"], 15)
        assert not first.is_alive()
        assert len(watched._running) == 1
    assert ImapCursor.objects.get().error == ""


def test_an_access_token_that_the_server_refuses_is_not_offered_again(secure: Secure) -> None:
    found = oauth_row(secure)
    fetch_new_of(found)
    secure.tokens.good.clear()  # revoked, though it had an hour to go
    with pytest.raises(LoginError):
        fetch_new_of(found)
    fetch_new_of(found)
    assert secure.tokens.given == 2
