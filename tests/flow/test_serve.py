"""The product as a stranger runs it: `manage.py serve` as a process, spoken to from outside."""

import base64
import json
import os
import re
import signal
import smtplib
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

from tests.support.mail import eml
from tests.support.services import free_port, migrated_sqlite, wait_for

ROOT = Path(__file__).resolve().parents[2]


class Served:
    def __init__(self, folder: Path, is_new: bool = False, **environment: str) -> None:
        self.folder = folder
        self.environment = environment
        if not is_new:
            migrated_sqlite(folder / "var")
            self.environment["DJANGO_SETTINGS_MODULE"] = "tests.support.fast_settings"
        self.smtp, self.http = free_port(), free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self.log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "serve"],
            cwd=ROOT,
            stdout=self.log,
            stderr=self.log,
            env={
                **keep,
                "VAR_DIR": str(self.folder / "var"),
                "SMTP_ADDR": f"127.0.0.1:{self.smtp}",
                "HTTP_ADDR": f"127.0.0.1:{self.http}",
                "ADMIN_PASSWORD": "correct horse battery",
                "UNDO_SEND_SECONDS": "0",
                **self.environment,
            },
        )
        wait_for(self._answers, 60)

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "log").read_text()
        try:
            with (
                smtplib.SMTP("127.0.0.1", self.smtp, timeout=2),
                urllib.request.urlopen(self.url("/api/health/"), timeout=2),
            ):
                return True
        except OSError:
            return False

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.http}{path}"

    def kill(self, number: int = signal.SIGKILL) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(40)

    def processes(self) -> list[int]:
        """Those that it has forked, and the readers that these have started."""
        assert self.process is not None
        forked = _children(self.process.pid)
        return [*forked, *(reader for one in forked for reader in _children(one))]

    def send(self, raw: bytes, rcpt: str = "support@example.com") -> None:
        with smtplib.SMTP("127.0.0.1", self.smtp, timeout=10) as smtp:
            smtp.sendmail("cleo@example.net", [rcpt], raw)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        connection = sqlite3.connect(
            f"file:{self.folder}/var/helpdesk.sqlite3?mode=ro", uri=True, timeout=10
        )
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()

    def write(self, statement: str) -> None:
        with sqlite3.connect(f"{self.folder}/var/helpdesk.sqlite3", timeout=30) as connection:
            connection.execute(statement)
        connection.close()

    def sent(self) -> list[Message]:
        return [
            message_from_bytes(path.read_bytes())
            for path in sorted((self.folder / "var/sent-mail").glob("*.eml"))
        ]


def _children(pid: int) -> list[int]:
    threads = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for thread in threads for child in (thread / "children").read_text().split()]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    found = Served(tmp_path)
    found.start()
    yield found
    if found.process and found.process.poll() is None:
        found.kill()


def test_a_mail_becomes_a_ticket_with_an_acknowledgement_whose_reply_is_a_comment(
    served: Served,
) -> None:
    served.send(eml("Fire!", message_id="first@example.net"))
    wait_for(lambda: len(served.sent()) == 1, 2)
    (ack,) = served.sent()
    assert ack["In-Reply-To"] == "<first@example.net>"
    reply_to = re.search(r"<(.+)>", ack["Reply-To"])
    assert reply_to is not None
    served.send(
        eml("Still burning", message_id="second@example.net", in_reply_to=ack["Message-ID"])
    )
    served.send(eml("And now the desk", message_id="third@example.net"), rcpt=reply_to[1])
    served.send(
        eml("Only references", message_id="fourth@example.net", references="<first@example.net>")
    )
    wait_for(lambda: served.rows("select count(*) from helpdesk_comment") == [(4,)], 5)
    assert served.rows("select count(*) from helpdesk_ticket") == [(1,)]


def test_killed_right_after_250_the_ticket_is_there_once_after_a_restart(served: Served) -> None:
    for number in range(5):
        served.send(eml(f"mail {number}", message_id=f"{number}@example.net"))
    served.kill()
    served.start()
    wait_for(lambda: served.rows("select count(*) from helpdesk_ticket") == [(5,)], 15)
    wait_for(
        lambda: served.rows("select distinct state from helpdesk_outboundmail") == [("sent",)], 15
    )
    ids = [mail["Message-ID"] for mail in served.sent()]
    assert len(set(ids)) == 5


def test_each_of_its_processes_may_be_killed_while_mail_arrives_and_nothing_is_lost_or_doubled(
    served: Served,
) -> None:
    first = served.processes()
    assert len(first) >= 4
    for number, pid in enumerate(first):
        for mail in range(5):
            key = (
                f"{number}.{mail}@example.net"  # its sender, too: who writes much is answered less
            )
            _send_until_taken(served, eml("x", sender=key, message_id=key))
        os.kill(pid, signal.SIGKILL)
    _send_until_taken(served, eml("x", sender="z@example.net", message_id="last@example.net"))
    mails = 5 * len(first) + 1
    wait_for(lambda: served.rows("select count(*) from helpdesk_ticket") == [(mails,)], 30)
    wait_for(
        lambda: (
            served.rows("select state, count(*) from helpdesk_outboundmail group by state")
            == [("sent", mails)]
        ),
        30,
    )
    assert len({mail["Message-ID"] for mail in served.sent()}) == mails
    with urllib.request.urlopen(served.url("/api/health/"), timeout=5) as answer:
        assert json.load(answer)["processes_ended"] == 3  # a reader is none of them
    log = (served.folder / "log").read_text()
    assert log.count("was ended by SIGKILL; it is started again in 0.2 s") == 3
    assert served.kill(signal.SIGTERM) == 0


def _send_until_taken(served: Served, raw: bytes) -> None:
    """As a mail server does it."""

    def is_taken() -> bool:
        try:
            served.send(raw)
        except (OSError, smtplib.SMTPException):
            return False
        return True

    wait_for(is_taken, 20)


def test_its_processes_end_with_it(served: Served) -> None:
    processes = served.processes()
    served.kill()
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in processes), 5)


def test_a_port_that_is_taken_ends_it_with_an_error(served: Served, tmp_path: Path) -> None:
    (tmp_path / "second").mkdir()
    second = Served(tmp_path / "second")
    second.smtp = served.smtp
    with pytest.raises(AssertionError, match=r"mail listener .* before it was ready"):
        second.start()
    assert second.process is not None
    assert second.process.wait(10) == 1


def test_a_reply_in_the_same_instant_as_its_parent_gives_one_ticket(served: Served) -> None:
    for number in range(10):
        served.send(eml("reply", message_id=f"r{number}@x", in_reply_to=f"<p{number}@x>"))
        served.send(eml("parent", message_id=f"p{number}@x"))
    wait_for(lambda: served.rows("select count(*) from helpdesk_comment") == [(20,)], 15)
    assert served.rows("select count(*) from helpdesk_ticket") == [(10,)]


def test_it_starts_from_nothing_serves_its_static_files_with_debug_off_and_stops_cleanly(
    tmp_path: Path,
) -> None:
    served = Served(tmp_path, is_new=True)
    served.start()
    assert served.rows("select count(*) from helpdesk_person where role = 'admin'") == [(1,)]
    with urllib.request.urlopen(served.url("/static/helpdesk/staff.css")) as answer:
        assert answer.status == 200
    with urllib.request.urlopen(served.url("/admin/login/")) as answer:
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert served.kill(signal.SIGINT) == 0
    assert "Traceback" not in (served.folder / "log").read_text()


def test_a_large_mail_that_a_provider_posts_is_stored_as_it_came(tmp_path: Path) -> None:
    served = Served(tmp_path, ANYMAIL_WEBHOOK_SECRET="postmark:correct horse battery")
    served.start()
    raw = eml("Large", message_id="large@example.net") + b"x" * 76 * 200_000
    post = {
        "RawEmail": raw.decode(),
        "OriginalRecipient": "support@example.com",
        "MessageID": "m-1",
        "Headers": [],
    }
    request = urllib.request.Request(
        served.url("/anymail/postmark/inbound/"),
        json.dumps(post).encode(),
        {
            "Content-Type": "application/json",
            "Authorization": "Basic "
            + base64.b64encode(b"postmark:correct horse battery").decode(),
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 200
        assert served.rows("select data from inbound_rawmail") == [(raw,)]
        with pytest.raises(urllib.error.HTTPError, match="413"):
            urllib.request.urlopen(
                urllib.request.Request(request.full_url, request.data), timeout=30
            )
    finally:
        served.kill()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SMTP_ADDR", "nonsense"),
        ("MAX_MAIL_BYTES", "lots"),
        ("DATABASE_URL", "mysql://x"),
        ("EMAIL_URL", "anymail://nobody"),
        ("DEBUG", "maybe"),
    ],
)
def test_a_bad_setting_stops_the_start_with_its_name(name: str, value: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path), name: value},
    )
    assert done.returncode != 0
    assert f"{name}: " in done.stderr.splitlines()[-1]


def test_a_pipe_is_told_75_when_a_setting_is_wrong(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "ingest"],
        cwd=ROOT,
        input=eml("x"),
        capture_output=True,
        timeout=60,
        env={"PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path)},
    )
    assert done.returncode == 75
    assert b"SECRET_KEY: not set" in done.stderr


def test_a_pipe_is_told_75_when_the_database_is_away(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "ingest"],
        cwd=ROOT,
        input=eml("x"),
        capture_output=True,
        timeout=60,
        env={
            "PATH": os.environ["PATH"],
            "VAR_DIR": str(tmp_path),
            "HELPDESK_KEYS": "throwaway",
            "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none",
        },
    )
    assert done.returncode == 75, done.stderr
