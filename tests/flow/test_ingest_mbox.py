"""`manage.py ingest` with what people have: large archives, Maildirs, folders; killed, repeated, misused."""

import mailbox as mailboxes
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.core.management import call_command
from django.db import DataError, OperationalError
from django.utils import timezone

from helpdesk.models import BusinessCalendar, Comment, OutboundMail, SLAAlert, SLAClock, SLAPolicy, Ticket
from helpdesk.sla.sweep import sweep
from inbound import store
from inbound.addresses import reply_address
from inbound.models import InboundMail
from tasks.inbound import process
from tests.mail import SUPPORT, agent, customer, eml, mailbox, receive, ticket_of
from tests.services import migrated_sqlite, wait_for

ROOT = Path(__file__).resolve().parents[2]
MESSAGES = int(os.environ.get("MBOX_MESSAGES", "800"))


class Manage:
    """`manage.py` as a process, over a database of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self.env = {**keep, "VAR_DIR": str(folder / "var"), "HELPDESK_KEYS": "make", "SUPPORT_ADDRESS": SUPPORT}

    def start(self, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "manage.py", *arguments], cwd=ROOT, env={**self.env, **environment}, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def run(self, *arguments: str, **environment: str) -> tuple[int, str]:
        process = self.start(*arguments, **environment)
        said, _ = process.communicate(timeout=60)
        return process.returncode, said

    def sql(self, query: str) -> list[Any]:
        with sqlite3.connect(self.folder / "var/helpdesk.sqlite3", timeout=10) as connection:
            return connection.execute(query).fetchall()

    def count(self) -> int:
        return int(self.sql("select count(*) from inbound_inboundmail")[0][0])


def message(number: int) -> bytes:
    return eml(f"Message {number}\n\nFrom the archive\n", message_id=f"{number}@archive", subject=f"Number {number}")


def test_an_mbox_that_is_killed_halfway_and_run_again_is_stored_once(tmp_path: Path) -> None:
    archive = tmp_path / "archive.mbox"
    with archive.open("wb") as file:
        for number in range(MESSAGES):
            file.write(
                b"From cleo@example.net Sat Nov 21 09:00:00 2026\n"
                + message(number).replace(b"\nFrom the", b"\n>From the")
                + b"\n"
            )
    manage = Manage(tmp_path)
    migrated_sqlite(tmp_path / "var")
    assert manage.run("shell", "-v0", "-c", "from helpdesk.setup import first_rows; first_rows()")[0] == 0

    running = manage.start("ingest", str(archive))
    half = random.Random(1906).randrange(MESSAGES * 9 // 20, MESSAGES * 11 // 20)
    wait_for(lambda: manage.count() >= half, 40)
    running.send_signal(signal.SIGKILL)
    assert running.wait(10) == -signal.SIGKILL
    assert half <= manage.count() < MESSAGES
    assert manage.run("ingest", str(archive)) == (0, f"{MESSAGES} messages stored for {SUPPORT}\n")
    counts = "select count(*), count(distinct message_id) from inbound_inboundmail"
    assert manage.sql(counts) == [(MESSAGES, MESSAGES)]
    number = random.Random(1906).randrange(MESSAGES)
    query = f"select data from inbound_rawmail r join inbound_inboundmail m on m.raw_id = r.id where message_id = '{number}@archive'"
    assert manage.sql(query) == [(message(number),)]


def test_a_database_that_is_away_is_75_for_a_file_as_for_a_pipe(tmp_path: Path) -> None:
    (tmp_path / "one.eml").write_bytes(message(1))
    away = {"DATABASE_URL": "postgres://nobody@127.0.0.1:1/none", "HELPDESK_KEYS": "throwaway"}
    code, said = Manage(tmp_path).run("ingest", str(tmp_path / "one.eml"), **away)
    assert code == 75
    assert "temporary fault" in said
    assert "Traceback" not in said


def ingest(*sources: object, **options: Any) -> tuple[int, str]:
    """The exit code, and what was said."""
    said = StringIO()
    try:
        call_command("ingest", *map(str, sources), stdout=said, stderr=said, **options)
    except SystemExit as end:
        return int(str(end.code)), said.getvalue()
    return 0, said.getvalue()


def stored() -> list[str]:
    return sorted(InboundMail.objects.values_list("message_id", flat=True))


@pytest.mark.django_db(transaction=True)
def test_the_exit_code_says_whose_mistake_it_is(tmp_path: Path) -> None:
    good, empty = tmp_path / "good.eml", tmp_path / "empty.eml"
    good.write_bytes(message(1))
    empty.write_bytes(b" \n")
    assert ingest(good) == (67, "there is no mailbox yet\n")
    mailbox()
    code, said = ingest(empty)
    assert (code, "empty.eml" in said) == (65, True)
    assert ingest(tmp_path / "missing.eml") == (66, f"there is no {tmp_path / 'missing.eml'}\n")
    assert ingest(good, mailbox="sales@example.com")[0] == 67
    assert ingest(good, recipient="nobody@example.org")[0] == 67
    assert stored() == []
    assert ingest(good, sender="bounces@example.net")[0] == 0
    row = InboundMail.objects.get()
    assert (row.message_id, row.mail_from, row.rcpt_to, row.transport) == (
        "1@archive", "bounces@example.net", [SUPPORT], "ingest",
    )  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_an_empty_file_among_others_is_named_and_the_others_are_stored(tmp_path: Path) -> None:
    mailbox()
    for number in range(3):
        (tmp_path / f"{number}.eml").write_bytes(message(number) if number != 1 else b"")
    code, said = ingest(tmp_path)
    assert code == 65
    assert "1.eml" in said
    assert stored() == ["0@archive", "2@archive"]


@contextmanager
def not_stored(words: bytes, error: Exception) -> Iterator[None]:
    """Mail with those words cannot be stored, alone or with others."""
    real = store.accept_many

    def broken(arrivals: list[store.Arrival]) -> list[list[int]]:
        if any(words in arrival.raw for arrival in arrivals):
            raise error
        return real(arrivals)

    with patch.object(store, "accept_many", broken):
        yield


def boxes(folder: Path, count: int) -> Iterator[Path]:
    """The same messages as an mbox, a Maildir and a folder of files."""
    mbox, maildir = mailboxes.mbox(folder / "archive.mbox"), mailboxes.Maildir(folder / "Maildir")
    (folder / "files").mkdir()
    for number in range(count):
        mbox.add(message(number))
        maildir.add(message(number))
        (folder / f"files/{number:03}.eml").write_bytes(message(number))
    mbox.close()
    yield from (folder / "archive.mbox", folder / "Maildir", folder / "files")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("error", [DataError("invalid byte sequence"), ValueError("embedded null")])
def test_what_cannot_be_stored_for_its_own_sake_is_named_and_the_others_are_stored(
    tmp_path: Path, error: Exception
) -> None:
    mailbox()
    others = sorted(f"{number}@archive" for number in range(60) if number != 17)
    for source in boxes(tmp_path, 60):
        InboundMail.objects.all().delete()
        with not_stored(b"<17@archive>", error):
            code, said = ingest(source)
        assert code == 65
        assert stored() == others
        (words,) = [line for line in said.splitlines() if "cannot be stored" in line]
        assert words.startswith(str(source))
        assert words.endswith(f"it cannot be stored: {type(error).__name__}: {error}")
        assert f"59 messages stored for {SUPPORT}" in said
        assert ingest(source)[0] == 0  # run again after an update
        assert stored() == sorted([*others, "17@archive"])


@pytest.mark.django_db(transaction=True)
def test_a_fault_of_ours_among_them_is_75_and_the_next_run_goes_on(tmp_path: Path) -> None:
    mailbox()
    for source in boxes(tmp_path, 120):
        InboundMail.objects.all().delete()
        with not_stored(b"<7@archive>", ValueError("x")), not_stored(b"<101@archive>", OperationalError("away")):
            code, said = ingest(source)
        assert code == 75
        assert "OperationalError: away" in said
        assert "it cannot be stored: ValueError: x" in said
        assert 49 <= len(stored()) < 120
        assert ingest(source)[0] == 0
        assert len(set(stored())) == len(stored()) == 120


@pytest.mark.django_db(transaction=True)
def test_a_pipes_mail_that_cannot_be_stored_does_not_bounce(monkeypatch: pytest.MonkeyPatch) -> None:
    mailbox()
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(message(1))))
    with not_stored(b"<1@archive>", ValueError("x")):
        assert ingest("-")[0] == 75


@pytest.mark.django_db(transaction=True)
def test_a_file_of_many_that_cannot_be_read_holds_up_no_other(tmp_path: Path) -> None:
    mailbox()
    _, maildir, files = boxes(tmp_path, 3)
    for folder in (maildir, files):
        InboundMail.objects.all().delete()
        first = min(path for path in folder.rglob("*") if path.is_file())
        first.unlink()
        first.symlink_to("/proc/self/mem")  # it opens, and reading it is an error
        code, said = ingest(folder)
        assert len(stored()) == 2
        assert (code, "it cannot be read" in said) == (65, True)


@pytest.mark.django_db(transaction=True)
def test_a_maildir_is_stored_once_though_its_mail_is_read_in_between(tmp_path: Path) -> None:
    mailbox()
    box = mailboxes.Maildir(tmp_path / "Maildir")
    for number in range(4):
        read = mailboxes.MaildirMessage(message(number))
        if number % 2:
            read.set_subdir("cur")
            read.set_flags("S")
        box.add(read)
    assert ingest(tmp_path / "Maildir") == (0, f"4 messages stored for {SUPPORT}\n")
    assert stored() == [f"{number}@archive" for number in range(4)]
    for found in (tmp_path / "Maildir/new").iterdir():
        found.rename(tmp_path / "Maildir/cur" / f"{found.name}:2,RS")
    box.add(message(4))
    ingest(tmp_path / "Maildir")
    assert stored() == [f"{number}@archive" for number in range(5)]


@pytest.mark.django_db(transaction=True)
def test_a_folder_is_read_to_its_depth_once_and_a_file_that_changed_again(tmp_path: Path) -> None:
    mailbox()
    (tmp_path / "2025/march").mkdir(parents=True)
    for number, name in enumerate(["a.eml", "2025/b.eml", "2025/march/c.eml", "2025/readme.pdf"]):
        (tmp_path / name).write_bytes(message(number))
    for _ in range(2):
        assert ingest(tmp_path) == (0, f"3 messages stored for {SUPPORT}\n")
        assert stored() == ["0@archive", "1@archive", "2@archive"]
    (tmp_path / "a.eml").write_bytes(message(7))
    os.utime(tmp_path / "a.eml", (2_000_000_000, 2_000_000_000))
    ingest(tmp_path)
    assert stored() == ["0@archive", "1@archive", "2@archive", "7@archive"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("order", [(0, 1, 2, 3), (1, 3, 2, 0)])
def test_an_archive_becomes_closed_tickets_with_their_own_dates_and_nobody_hears_of_it(
    tmp_path: Path, order: tuple[int, ...]
) -> None:
    mailbox()
    ada = agent()
    SLAPolicy.objects.create(
        name="All", calendar=BusinessCalendar.objects.create(name="Always", weekly="always"), first_response=10,
        next_response=10, resolution=60,
    )  # fmt: skip
    written = [datetime(2019, 3, day, 8, 30, tzinfo=UTC) for day in (4, 5, 6, 7)]
    dates = [format_datetime(date) for date in written]
    thread = [
        eml("It smokes", message_id="q@old", Date=dates[0]),
        eml("Unplug it", message_id="a@old", sender="Ada <ada@example.com>", to="cleo@example.net", in_reply_to="<q@old>", Date=dates[1]),
        eml("Thanks!", message_id="t@old", in_reply_to="<a@old>", references="<q@old> <a@old>", Date=dates[2]),
        eml("Me too", message_id="s@old", sender="stranger@example.org", in_reply_to="<q@old>", Date=dates[3]),
    ]  # fmt: skip
    archive = mailboxes.mbox(tmp_path / "2019.mbox")
    for number in order:
        archive.add(thread[number])
    archive.flush()
    assert ingest(tmp_path / "2019.mbox", as_history=True)[0] == 0
    for _ in range(3):  # a reply that came before its parent waits for it
        InboundMail.objects.update(next_attempt_at=timezone.now())
        for pk in InboundMail.objects.filter(state="received").order_by("pk").values_list("pk", flat=True):
            process(pk)

    ticket = Ticket.objects.get()
    assert (ticket.status, ticket.created_at, ticket.requester.email) == ("closed", written[0], "cleo@example.net")
    assert ticket.closed_at is not None
    assert ticket.customer_waits_since is None
    comments = list(ticket.comments.select_related("author").order_by("created_at"))
    assert [comment.created_at for comment in comments] == written
    assert [comment.text.strip() for comment in comments] == ["It smokes", "Unplug it", "Thanks!", "Me too"]
    assert comments[1].author == ada
    assert [comment.visibility for comment in comments] == [*[Comment.Visibility.PUBLIC] * 3, Comment.Visibility.HELD]
    sweep()
    assert not OutboundMail.objects.exists()
    assert not SLAClock.objects.exists()
    assert not SLAAlert.objects.exists()
    assert ticket.sla_check_at is None
    # What comes from now on is no history.
    row = receive(eml("It smokes again", message_id="n@new", in_reply_to="<a@old>"))
    assert ticket_of(row).follows == ticket
    assert timezone.now() - ticket_of(row).created_at < timedelta(minutes=1)
    assert SLAClock.objects.exists()
    assert OutboundMail.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_recipients_token_leads_to_its_ticket_for_who_takes_part_in_it(tmp_path: Path) -> None:
    ticket = ticket_of(receive(eml("Help", message_id="first@example.net")))
    other = ticket_of(receive(eml("Something else", message_id="other@example.net")))
    token = reply_address(SUPPORT, ticket.pk, customer().pk)
    assert token != SUPPORT
    # Neither To nor References name it: the envelope alone does.
    for number, sender in enumerate(["cleo@example.net", "mallory@example.org"]):
        path = tmp_path / f"{number}.eml"
        path.write_bytes(eml("By token", message_id=f"token-{number}@x", sender=sender, to="undisclosed@example.net"))
        assert ingest(path, recipient=token, sender=sender)[0] == 0
        process(InboundMail.objects.latest("pk").pk)
    rows = InboundMail.objects.order_by("pk")[2:]
    assert [(row.reason, row.ticket_number, row.rcpt_to) for row in rows] == [
        ("comment", ticket.pk, [token]), ("hold", ticket.pk, [token]),
    ]  # fmt: skip
    assert other.comments.count() == 1
