"""Mail that is being sent when something dies or says no: a real Postfix as relay, real workers
that are killed."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.flow.test_outbox import fill
from tests.flow.test_serve import ROOT, Served
from tests.support import services
from tests.support.postfix import Postfix, postfix
from tests.support.services import free_port, migrated_sqlite, wait_for

DENIES_SECONDS = int(os.environ.get("RELAY_DENIES_SECONDS", "5"))
ANSWERS = 100
KEYS = ("SECRET_KEY", "JWT_KEY", "PIN_KEY", "FERNET_KEYS")


def allow(server: Postfix, networks: str) -> None:
    main = server.folder / "conf/main.cf"
    kept = [line for line in main.read_text().splitlines() if not line.startswith("mynetworks")]
    main.write_text("\n".join([*kept, f"mynetworks = {networks}", ""]))
    server.stop()
    server.forget_log()
    server.start()


def health(served: Served) -> tuple[int, dict[str, object]]:
    try:
        with urllib.request.urlopen(served.url("/api/health/"), timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.mark.timeout(DENIES_SECONDS + 240)
def test_a_relay_that_denies_for_a_while_gets_every_answer_once_when_it_allows(
    tmp_path: Path,
) -> None:
    with postfix(free_port()) as relay:
        allow(relay, "192.0.2.0/24")
        served = Served(tmp_path, EMAIL_URL=f"smtp://127.0.0.1:{relay.port}")
        served.start()
        try:
            fill(served, ANSWERS)
            wait_for(lambda: health(served)[0] == 503, 30, "health to notice")
            assert health(served)[1]["problems"] == ["mail_servers_failing"]
            time.sleep(DENIES_SECONDS)
            (refused,) = served.rows("select error from helpdesk_mailserver")
            assert "Relay access denied" in str(refused[0])
            states = served.rows("select state, count(*) from helpdesk_outboundmail group by state")
            assert states == [("queued", ANSWERS)]
            asked = relay.log().count("NOQUEUE: reject")
            assert asked < 10 + DENIES_SECONDS / 10  # not every answer each time
            allow(relay, "127.0.0.0/8")
            query = "select count(*) from helpdesk_outboundmail where state = 'sent'"
            wait_for(lambda: served.rows(query) == [(ANSWERS,)], 120, "all of it to be sent")
            wait_for(lambda: health(served)[0] == 200, 10, "health to be well")
            wait_for(lambda: relay.log().count("message-id=<m") >= ANSWERS, 10)
            assert (
                len({f"m{n}@" for n in range(ANSWERS) if f"message-id=<m{n}@" in relay.log()})
                == ANSWERS
            )
            assert relay.log().count("message-id=<m") == ANSWERS
        finally:
            served.kill()


@dataclass
class Hanging:
    """A mail server that answers the first message's end when it is told to; what it took is
    counted."""

    port: int = 0
    reached: threading.Event = field(default_factory=threading.Event)
    goes_on: threading.Event = field(default_factory=threading.Event)
    taken: list[float] = field(default_factory=list)

    def talk(self, connection: socket.socket) -> None:
        connection.sendall(b"220 hello\r\n")
        lines = connection.makefile("rb")
        for line in lines:
            command = line.split()[0].upper() if line.split() else b""
            if command == b"DATA":
                connection.sendall(b"354 go\r\n")
                while lines.readline() not in {b".\r\n", b""}:
                    pass
                if not self.reached.is_set():
                    self.reached.set()
                    connection.setblocking(False)
                    while not self.goes_on.wait(0.1):
                        with suppress(BlockingIOError):
                            if not connection.recv(1, socket.MSG_PEEK):
                                return  # its client is gone
                    connection.setblocking(True)
                self.taken.append(time.monotonic())
            connection.sendall(b"221 bye\r\n" if command == b"QUIT" else b"250 OK\r\n")


@contextmanager
def hanging() -> Iterator[Hanging]:
    found = Hanging()
    listening = socket.create_server(("127.0.0.1", 0))
    found.port = listening.getsockname()[1]

    def one(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            found.talk(connection)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=one, args=(listening.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield found
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()


@dataclass
class Workers:
    """Celery's workers and its beat as processes, with a Redis of their own and a SQLite file."""

    folder: Path
    redis: services.RedisServer
    email_url: str
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        keep = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        keys = {name: f"{name}-of-the-test-with-more-than-32-characters" for name in KEYS}
        return {
            **keep,
            **keys,
            "VAR_DIR": str(self.folder / "var"),
            "CELERY_BROKER_URL": self.redis.url,
            "EMAIL_URL": self.email_url,
        }

    def start(self, name: str, queues: str) -> None:
        command = ["worker", "-Q", queues, "-c", "1", "-n", f"celery@{name}", "-l", "WARNING"]
        if queues == "beat":
            command = [
                "beat",
                "--schedule",
                str(self.folder / "schedule"),
                "--pidfile",
                "",
                "-l",
                "WARNING",
            ]
        with (self.folder / f"log-{name}").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "helpdesk", *command],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        process = self.running.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def children(self, name: str) -> list[int]:
        pid = self.running[name].pid
        return [
            int(found) for found in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]

    def mail(self, *, is_secret: bool) -> None:
        secret = "True, sealed=encrypt(json.dumps(['x', ''])), expires_at=timezone.now() + timedelta(minutes=5)"
        code = (
            "import json; from datetime import timedelta; from django.utils import timezone\n"
            "from helpdesk.models import *; from inbound.models import Mailbox; from inbound.secrets import encrypt\n"
            "person = Person.objects.create_user('cleo@example.net')\n"
            "box = Mailbox.objects.create(address='support@example.com')\n"
            "OutboundMail.objects.create(kind='code', person=person, mailbox=box, subject='x', text='x',"
            " to_address=person.email, message_id='m1@example.com', is_automatic=False, is_secret="
            + (secret if is_secret else "False")
            + ")"
        )
        subprocess.run(
            [sys.executable, "manage.py", "shell", "-v0", "-c", code],
            cwd=ROOT,
            check=True,
            timeout=60,
            env={**self.environment, "CELERY_BROKER_URL": ""},
        )

    def row(self) -> tuple[str, int, str]:
        connection = sqlite3.connect(
            f"file:{self.folder}/var/helpdesk.sqlite3?mode=ro", uri=True, timeout=10
        )
        try:
            (found,) = connection.execute(
                "select state, deaths, held_by from helpdesk_outboundmail"
            ).fetchall()
            return found  # type: ignore[no-any-return]
        finally:
            connection.close()


@pytest.fixture
def server() -> Iterator[Hanging]:
    with hanging() as found:
        yield found


@pytest.fixture
def workers(tmp_path: Path, server: Hanging) -> Iterator[Workers]:
    migrated_sqlite(tmp_path / "var")
    with services.redis() as redis:
        found = Workers(tmp_path, redis, f"smtp://127.0.0.1:{server.port}")
        try:
            yield found
        finally:
            for name in list(found.running):
                found.kill(name)


def test_what_a_killed_worker_was_sending_goes_out_when_it_starts_again(
    workers: Workers, server: Hanging
) -> None:
    workers.start("beat", "beat")
    workers.start("one", "outbound")
    workers.mail(is_secret=False)
    assert server.reached.wait(30)
    workers.kill("one")
    workers.start("one", "outbound")
    wait_for(lambda: workers.row()[0] == "sent", 30, "the mail to be sent")
    assert len(server.taken) == 1
    assert workers.row()[1:] == (0, "")


def test_what_a_killed_process_of_the_pool_was_sending_goes_out_by_the_next(
    workers: Workers, server: Hanging
) -> None:
    workers.start("beat", "beat")
    workers.start("one", "outbound")
    workers.mail(is_secret=False)
    assert server.reached.wait(30)
    os.kill(int(workers.row()[2].split()[2]), signal.SIGKILL)
    wait_for(lambda: workers.row()[0] == "sent", 30, "the mail to be sent")
    assert len(server.taken) == 1


def test_a_second_worker_of_the_same_name_leaves_alone_what_the_first_sends(
    workers: Workers, server: Hanging
) -> None:
    workers.start("beat", "beat")
    workers.start("one", "outbound")
    workers.mail(is_secret=False)
    assert server.reached.wait(30)
    first = workers.running.pop("one")
    workers.start("one", "outbound")
    workers.running["first"] = first
    time.sleep(8)
    assert server.taken == []
    server.goes_on.set()
    wait_for(lambda: workers.row()[0] == "sent", 20, "the mail to be sent")
    assert len(server.taken) == 1


def test_a_code_of_a_killed_worker_is_sent_by_another_within_ten_seconds(
    workers: Workers, server: Hanging
) -> None:
    workers.start("beat", "beat")
    workers.start("one", "codes")
    workers.mail(is_secret=True)
    assert server.reached.wait(30)
    workers.start("two", "codes")
    time.sleep(8)  # until it is up; meanwhile the lease is renewed
    assert int(workers.row()[2].split()[2]) in workers.children("one")
    killed = time.monotonic()
    workers.kill("one")
    wait_for(lambda: workers.row()[0] == "sent", 20, "the code to be sent")
    assert server.taken[0] - killed < 10


def test_a_worker_lives_on_whose_redis_went_away_while_it_sent(
    workers: Workers, server: Hanging
) -> None:
    workers.start("beat", "beat")
    workers.start("one", "outbound")
    workers.mail(is_secret=False)
    assert server.reached.wait(30)
    log = workers.folder / "log-one"
    workers.redis.stop()
    wait_for(lambda: "broker" in log.read_text(), 20, "the worker to notice")
    workers.redis.start()
    wait_for(lambda: "answers again" in log.read_text(), 20, "the worker to be back")
    server.goes_on.set()
    wait_for(lambda: workers.row()[0] == "sent", 20, "the mail to be sent")
    time.sleep(2)  # what it says to Redis of that, it says afterwards
    assert workers.running["one"].poll() is None, log.read_text()[-2000:]
    assert len(server.taken) == 1


def test_what_a_killed_serve_was_sending_goes_out_when_it_starts_again(
    tmp_path: Path, server: Hanging
) -> None:
    served = Served(tmp_path, EMAIL_URL=f"smtp://127.0.0.1:{server.port}")
    served.start()
    try:
        fill(served, 1)
        assert server.reached.wait(30)
        served.kill()
        served.start()
        wait_for(
            lambda: served.rows("select state from helpdesk_outboundmail") == [("sent",)],
            8,
            "the mail to be sent",
        )
        assert len(server.taken) == 1
    finally:
        served.kill()
