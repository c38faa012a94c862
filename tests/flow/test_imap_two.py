"""Two processes that watch one account of a real Dovecot, on SQLite and on PostgreSQL: nothing
twice, nothing lost."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from imapclient import IMAPClient

from tests.support.dovecot import Dovecot, dovecot
from tests.support.mail import eml
from tests.support.services import migrated_sqlite, postgres, wait_for

ROOT = Path(__file__).resolve().parents[2]
MESSAGES = int(os.environ.get("IMAP_MESSAGES", "400"))
SETUP = """
from django.core.management import call_command
from inbound.models import ImapAccount, Mailbox
call_command("migrate", verbosity=0)
box = Mailbox.objects.create(address="support@example.com")
ImapAccount.objects.create(
    mailbox=box, host="127.0.0.1", port={port}, security="", username="cleo", secret="secret", first_contact="all",
    move_to="Done",
)
"""
STATE = """
import json
from inbound.models import ImapCursor, InboundMail
from inbound.transports.imap.leases import held
lease = next(iter(held().values()), None)
print(json.dumps({
    "ids": sorted(InboundMail.objects.values_list("message_id", flat=True)),
    "pid": lease and lease.pid, "since": lease and lease.since.isoformat(),
    "errors": list(ImapCursor.objects.values_list("error", flat=True)),
}))
"""


class Two:
    """A database, a Dovecot, and processes that watch the one account which both have."""

    def __init__(self, server: Dovecot, folder: Path, database: str) -> None:
        self.server = server
        keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self.env = {**keep, "VAR_DIR": str(folder / "var"), "HELPDESK_KEYS": "make"}
        if database:
            self.env["DATABASE_URL"] = database
        self.log = (folder / "log").open("ab")
        self.running: dict[int, subprocess.Popen[bytes]] = {}
        self.sent: list[str] = []
        self.manage("shell", "-v0", "-c", SETUP.format(port=server.port))

    def start(self, *command: str) -> int:
        process = subprocess.Popen(
            [sys.executable, "manage.py", *(command or ("imapd",))],
            cwd=ROOT,
            env=self.env,
            stdout=self.log,
            stderr=self.log,
        )
        self.running[process.pid] = process
        return process.pid

    def end(self, pid: int, number: int = signal.SIGKILL) -> int:
        process = self.running.pop(pid)
        process.send_signal(number)
        return process.wait(20)

    def stall(self, pid: int) -> None:
        """Stops it where it holds up nobody: within a write to SQLite it would keep all others from
        writing."""
        while True:
            os.kill(pid, signal.SIGSTOP)
            if "DATABASE_URL" in self.env:
                return
            with closing(
                sqlite3.connect(f"{self.env['VAR_DIR']}/helpdesk.sqlite3", timeout=0.3)
            ) as connection:
                try:
                    connection.execute("BEGIN IMMEDIATE")
                    return
                except sqlite3.OperationalError:
                    os.kill(pid, signal.SIGCONT)
            time.sleep(0.05)

    def manage(self, *arguments: str, check: bool = True) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done.stdout

    def put(self, count: int) -> None:
        for _ in range(count):
            name = f"m{len(self.sent)}"
            self.server.put("cleo", name, eml(name, message_id=f"{name}@imap"))
            self.sent.append(f"{name}@imap")

    def state(self) -> dict[str, Any]:
        return dict(json.loads(self.manage("shell", "-v0", "-c", STATE)))

    def watcher(self) -> int | None:
        return self.state()["pid"]

    def in_folder(self, name: str) -> Counter[str]:
        with IMAPClient("127.0.0.1", self.server.port, ssl=False, timeout=10) as client:
            client.login("cleo", "secret")
            if not client.folder_exists(name):
                return Counter()
            client.select_folder(name, readonly=True)
            found = client.search(["ALL"])
            heads = client.fetch(found, ["BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]"])
            return Counter(
                next(value for value in said.values() if isinstance(value, bytes))
                .split(b"<")[1]
                .split(b">")[0]
                .decode()
                for said in heads.values()
            )

    def moved(self) -> int:
        """How many by now, without asking the server: it is over in a moment."""
        return len(list((self.server.folder / "mail/cleo/.Done").glob("[cn][ue][rw]/*")))

    def all_is_moved_once(self) -> None:
        wait_for(lambda: self.moved() >= len(self.sent), 90, "all to be moved")
        wait_for(lambda: not self.in_folder("INBOX"), 20, "nothing to be left")
        assert self.in_folder("Done") == Counter(self.sent)
        assert self.state()["ids"] == sorted(self.sent)


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def two(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Two]:
    with dovecot() as server, database(request.param, tmp_path) as url:
        found = Two(server, tmp_path, url)
        yield found
        for pid in list(found.running):
            os.kill(pid, signal.SIGCONT)
            found.end(pid)


@contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    if kind == "PostgreSQL":
        with postgres() as server:
            yield server.url
    else:
        migrated_sqlite(folder / "var")
        yield ""


def test_two_processes_take_turns_when_one_is_killed_and_when_one_ends(two: Two) -> None:
    two.put(MESSAGES // 2)
    processes = [two.start(), two.start()]
    wait_for(two.watcher, 20, "one to watch")
    first = two.watcher()
    assert first in processes
    before = len(two.sent)
    two.put(MESSAGES // 2)
    wait_for(lambda: two.moved() > before, 30, "some to be moved")
    two.end(first)
    killed = timezone.now()
    (second,) = two.running
    wait_for(lambda: two.watcher() == second, 30, "the other to take over")
    assert datetime.fromisoformat(two.state()["since"]) - killed < timedelta(seconds=15)
    # Beside one that watches, what was never stored is looked for and stored.
    two.put(MESSAGES // 4)
    two.manage("imapd", "--check", "--fetch")
    third = two.start()
    two.all_is_moved_once()
    assert two.watcher() == second
    since = two.state()["since"]
    assert two.end(second, signal.SIGTERM) == 0
    wait_for(lambda: two.watcher() == third, 8, "the next one, at once")
    assert two.state()["since"] > since
    two.put(5)
    two.all_is_moved_once()
    assert two.state()["errors"] == [""]


def test_a_process_that_stalled_past_its_lease_does_nothing_more_with_the_account(two: Two) -> None:
    two.put(MESSAGES // 2)
    first = two.start()
    wait_for(lambda: two.moved() > 0, 30, "some to be moved")
    two.stall(first)
    second = two.start()
    wait_for(lambda: two.watcher() == second, 30, "the other to take over")
    two.put(MESSAGES // 4)
    os.kill(first, signal.SIGCONT)
    two.put(MESSAGES // 4)
    two.all_is_moved_once()
    assert two.watcher() == second
    two.end(second)
    wait_for(lambda: two.watcher() == first, 15, "the first one again")
    two.put(5)
    two.all_is_moved_once()
