"""`manage.py ingest` with what people have: large archives, Maildirs, folders; killed, repeated,
misused."""

import gzip
import mailbox as mailboxes
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
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

from helpdesk.escalation import sweep
from helpdesk.models import (
    BusinessCalendar,
    Comment,
    OutboundMail,
    SLAAlert,
    SLAClock,
    SLAPolicy,
    Ticket,
)
from inbound import store
from inbound.addresses import reply_address
from inbound.models import InboundMail
from inbound.reading.message import Envelope
from tasks.inbound import process
from tests.support.mail import SUPPORT, agent, customer, eml, mailbox, receive, ticket_of
from tests.support.services import migrated_sqlite, wait_for

ROOT = Path(__file__).resolve().parents[2]
SEPARATOR = b"From cleo@example.net Sat Nov 21 09:00:00 2026\n"
MESSAGES = int(os.environ.get("MBOX_MESSAGES", "800"))


class Manage:
    """`manage.py` as a process, over a database of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self.env = {
            **keep,
            "VAR_DIR": str(folder / "var"),
            "HELPDESK_KEYS": "make",
            "SUPPORT_ADDRESS": SUPPORT,
        }

    def start(self, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env={**self.env, **environment},
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

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
    return eml(
        f"Message {number}\n\nFrom the archive\n",
        message_id=f"{number}@archive",
        subject=f"Number {number}",
    )


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
    assert (
        manage.run("shell", "-v0", "-c", "from helpdesk.setup import first_rows; first_rows()")[0]
        == 0
    )

    running = manage.start("ingest", str(archive))
    half = random.Random(1906).randrange(MESSAGES * 9 // 20, MESSAGES * 11 // 20)
    wait_for(lambda: manage.count() >= half, 40)
    running.send_signal(signal.SIGKILL)
    assert running.wait(10) == -signal.SIGKILL
    assert half <= manage.count() < MESSAGES
    code, said = manage.run("ingest", str(archive))
    assert (code, f"{MESSAGES} messages stored for {SUPPORT}: " in said) == (0, True)
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


def said(address: str = SUPPORT, *, new: int = 0, known: int = 0, refused: int = 0) -> str:
    counts = f"{new} new, {known} known, {refused} refused"
    return f"{new + known} messages stored for {address}: {counts}\n"


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
        "1@archive",
        "bounces@example.net",
        [SUPPORT],
        "ingest",
    )


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
        assert said.endswith(f"59 messages stored for {SUPPORT}: 59 new, 0 known, 1 refused\n")
        assert ingest(source)[0] == 0  # run again after an update
        assert stored() == sorted([*others, "17@archive"])


@pytest.mark.django_db(transaction=True)
def test_a_fault_of_ours_among_them_is_75_and_the_next_run_goes_on(tmp_path: Path) -> None:
    mailbox()
    for source in boxes(tmp_path, 120):
        InboundMail.objects.all().delete()
        with (
            not_stored(b"<7@archive>", ValueError("x")),
            not_stored(b"<101@archive>", OperationalError("away")),
        ):
            code, said = ingest(source)
        assert code == 75
        assert "OperationalError: away" in said
        assert "it cannot be stored: ValueError: x" in said
        assert 49 <= len(stored()) < 120
        assert ingest(source)[0] == 0
        assert len(set(stored())) == len(stored()) == 120


@pytest.mark.django_db(transaction=True)
def test_a_pipes_mail_that_cannot_be_stored_does_not_bounce(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
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
    assert ingest(tmp_path / "Maildir") == (0, said(new=4))
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
    passed_over = f"1 file passed over: it is no mail ({tmp_path}/2025/readme.pdf)\n"
    for words in (said(new=3), said(known=3)):
        assert ingest(tmp_path) == (0, passed_over + words)
        assert stored() == ["0@archive", "1@archive", "2@archive"]
    at = (tmp_path / "a.eml").stat().st_mtime
    (tmp_path / "a.eml").write_bytes(message(7))
    os.utime(tmp_path / "a.eml", (at, at))  # as tar and rsync leave it
    assert ingest(tmp_path) == (0, passed_over + said(new=1, known=2))
    assert stored() == ["0@archive", "1@archive", "2@archive", "7@archive"]


@pytest.mark.django_db(transaction=True)
def test_the_same_file_is_another_mailboxs_mail_too(tmp_path: Path) -> None:
    mailbox()
    mailbox("sales@example.com")
    path = tmp_path / "one.eml"
    path.write_bytes(message(1))
    assert ingest(path) == (0, said(new=1))
    assert ingest(path, mailbox="sales@example.com") == (0, said("sales@example.com", new=1))
    assert ingest(path, mailbox="sales@example.com") == (0, said("sales@example.com", known=1))
    rows = InboundMail.objects.order_by("pk").values_list("mailbox__address", flat=True)
    assert list(rows) == [SUPPORT, "sales@example.com"]


@pytest.mark.django_db(transaction=True)
def test_the_same_bytes_are_the_same_mail_wherever_they_lie(tmp_path: Path) -> None:
    mailbox()
    with (tmp_path / "twice.mbox").open("wb") as file:
        for number in (1, 2, 1, 2, 1):
            file.write(SEPARATOR + message(number) + b"\n")
    (tmp_path / "copy.eml").write_bytes(message(2))
    assert ingest(tmp_path) == (0, said(new=2, known=4))
    assert stored() == ["1@archive", "2@archive"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_what_was_taken_in_by_a_former_key_is_known(tmp_path: Path, end: bytes) -> None:
    mailbox()
    mailbox("sales@example.com")
    archive = tmp_path / "old.mbox"
    raws = [
        message(number).replace(b"\nFrom the", b"\n>From the").replace(b"\n", end)
        for number in range(60)
    ]
    without_id = eml("No id").replace(b"\n", end)
    archive.write_bytes(
        b"".join(SEPARATOR.replace(b"\n", end) + raw + end for raw in [*raws, without_id])
    )
    # As the standard library found them there, before.
    former = mailboxes.mbox(archive, create=False)
    for number in former.keys():  # noqa: SIM118
        raw = former.get_bytes(number).replace(b"\n>From the", b"\nFrom the")
        key = f"ingest:{archive}:{int(archive.stat().st_mtime)}:{number}"
        store.accept(raw, Envelope(None, (SUPPORT,), "ingest"), "ingest", key=key)
    archive.write_bytes(archive.read_bytes() + SEPARATOR + message(99))
    assert ingest(archive) == (0, said(new=1, known=61))
    assert ingest(archive, mailbox="sales@example.com") == (0, said("sales@example.com", new=62))


def test_ctrl_c_says_how_to_go_on_and_stores_no_half(tmp_path: Path) -> None:
    archive = tmp_path / "archive.mbox"
    archive.write_bytes(
        b"".join(SEPARATOR + message(number) + b"\n" for number in range(5 * MESSAGES))
    )
    manage = Manage(tmp_path)
    migrated_sqlite(tmp_path / "var")
    assert (
        manage.run("shell", "-v0", "-c", "from helpdesk.setup import first_rows; first_rows()")[0]
        == 0
    )
    running = manage.start("ingest", str(archive))
    wait_for(lambda: manage.count() >= 100, 40)
    running.send_signal(signal.SIGINT)
    words, _ = running.communicate(timeout=20)
    assert running.returncode == 130
    assert "run the same command again" in words
    assert "Traceback" not in words
    had = manage.count()
    assert 100 <= had < 5 * MESSAGES
    assert manage.sql("select count(*) from inbound_rawmail") == [(had,)]
    assert manage.run("ingest", str(archive)) == (0, said(new=5 * MESSAGES - had, known=had))


def pipe(monkeypatch: pytest.MonkeyPatch, raw: bytes, **options: Any) -> tuple[int, str]:
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(raw)))
    return ingest("-", **options)


@pytest.mark.django_db(transaction=True)
def test_a_server_that_did_not_hear_the_exit_code_hands_the_same_mail_over_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mailbox()
    mailbox("sales@example.com")
    raw = b"Received: by mx.example.com (Postfix) id 4F; Sat, 21 Nov 2026 09:00:00 +0100\n" + eml(
        "Disk full"
    )
    for given in (raw, raw, b"From cleo@example.net Sat Nov 21 09:05:00 2026\n" + raw):
        assert pipe(monkeypatch, given, recipient=SUPPORT, sender="cleo@example.net") == (0, "")
    assert InboundMail.objects.count() == 1
    # For somebody else it is another mail, and so is what another way brought.
    assert (
        pipe(monkeypatch, raw, recipient="support+x@example.com", sender="cleo@example.net")[0] == 0
    )
    assert pipe(monkeypatch, raw, recipient="sales@example.com", sender="cleo@example.net")[0] == 0
    assert (
        pipe(
            monkeypatch,
            raw.replace(b"id 4F", b"id 50"),
            recipient=SUPPORT,
            sender="cleo@example.net",
        )[0]
        == 0
    )
    assert InboundMail.objects.count() == 4


@pytest.mark.django_db(transaction=True)
def test_mail_whose_lines_end_in_cr_is_known_by_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox()
    raws = [message(number).replace(b"\n", b"\r") for number in range(4)]
    (tmp_path / "one.eml").write_bytes(raws[0])
    (tmp_path / "old.mbox").write_bytes(
        b"".join(SEPARATOR.replace(b"\n", b"\r") + raw + b"\r" for raw in raws[1:3])
    )
    assert ingest(tmp_path) == (0, said(new=3))
    assert pipe(monkeypatch, raws[3]) == (0, "")
    assert stored() == [f"{number}@archive" for number in range(4)]
    rows = InboundMail.objects.order_by("message_id")
    assert [row.raw.content for row in rows.select_related("raw") if row.raw] == raws


@pytest.mark.django_db(transaction=True)
def test_two_mails_of_the_same_bytes_that_came_no_way_are_two(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mailbox()
    for _ in range(2):
        assert pipe(monkeypatch, eml("Disk full\n\nReceived: nothing\n")) == (0, "")
    assert InboundMail.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_message_that_is_too_large_is_refused_by_its_size_and_the_others_are_stored(
    tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox()
    settings.MAX_MAIL_BYTES = 10_000
    large = eml("x" * 20_000, subject="Pictures", message_id="large@x")
    reason = f"it has {len(large):,} bytes, more than MAX_MAIL_BYTES (10,000)\n"
    (mbox, maildir, files) = boxes(tmp_path, 2)
    (files / "large.eml").write_bytes(large)
    (maildir / "new/large").write_bytes(large)
    mbox.write_bytes(SEPARATOR + large + b"\n" + mbox.read_bytes())
    for source, name in (
        (mbox, f"{mbox}, message 1"),
        (maildir, f"{maildir}/new/large"),
        (files, f"{files}/large.eml"),
    ):
        InboundMail.objects.all().delete()
        code, words = ingest(source)
        assert code == 65
        refused, counts = words.splitlines(keepends=True)
        assert refused.startswith(f"{name}: ")
        assert refused.endswith(reason)
        assert counts == said(new=2, refused=1)
    assert "(Pictures)" in ingest(mbox)[1]
    # For a pipe it is the sender's mistake, and the words are for the bounce.
    assert pipe(monkeypatch, large) == (65, f"the message was not taken: {reason}")
    settings.MAX_MAIL_BYTES = len(large)
    assert pipe(monkeypatch, large) == (0, "")


@pytest.mark.django_db(transaction=True)
def test_the_folders_of_mail_programs(tmp_path: Path) -> None:
    """Thunderbird, Apple Mail, Google Takeout, Dovecot's Maildir++."""
    mailbox()

    def put(
        name: str, *numbers: int, at: Callable[[Path, bytes], object] = Path.write_bytes
    ) -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        at(path, b"".join(SEPARATOR + message(number) + b"\n" for number in numbers))

    put("Thunderbird/Inbox", 1, 2)
    put("Thunderbird/Inbox.msf", 90)
    put("Thunderbird/Inbox.sbd/Invoices.2020", 3)
    put("Thunderbird/Empty", *[])
    put("Apple/Support.mbox/mbox", 4)
    (tmp_path / "Apple/Support.mbox/table_of_contents").write_bytes(b"\0\0From ")
    put("Takeout/All mail.mbox", 5)
    put("Takeout/2019.mbox.gz", 6, 7, at=lambda path, data: path.write_bytes(gzip.compress(data)))
    put(".hidden/Inbox", 91)
    for number, folder in enumerate(
        ("cur", "new", ".Sent/cur", ".Sent.2019/new", ".Empty/cur", "tmp"), 8
    ):
        (tmp_path / "Maildir" / folder).mkdir(parents=True)
        if folder != ".Empty/cur":
            (tmp_path / "Maildir" / folder / f"{number}.x.host:2,S").write_bytes(message(number))
    (tmp_path / "Maildir/.Sent.2019/cur").mkdir()
    (tmp_path / "Maildir/dovecot-uidlist").write_text("3 V1 N4\n")
    passed_over = f"6 files passed over: they are no mail (the first: {tmp_path}/.hidden)\n"
    assert ingest(tmp_path) == (0, passed_over + said(new=11))
    assert stored() == sorted(f"{number}@archive" for number in range(1, 12))


def emlx(mail: bytes, size: int | None = None) -> bytes:
    count = len(mail) if size is None else size
    return (
        b"%-10d\n" % count
        + mail
        + b'<?xml version="1.0" encoding="UTF-8"?>\n<plist version="1.0"><dict/></plist>\n'
    )


def written(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@pytest.mark.django_db(transaction=True)
def test_mail_of_mh_of_apple_and_of_a_maildir_with_only_new_is_read(tmp_path: Path) -> None:
    mailbox()
    written(tmp_path / "MH/inbox/1", message(1))
    written(tmp_path / "MH/inbox/27", b"Received: from x\n" + message(2))
    written(tmp_path / "MH/inbox/,3", message(90))  # deleted
    written(tmp_path / "MH/inbox/4", b"\x89PNG\r\n")
    written(tmp_path / "Apple/Messages/5.emlx", emlx(message(5)))
    written(tmp_path / "Apple/Messages/6.partial.emlx", emlx(message(6)))
    written(tmp_path / "Apple/Messages/7.emlx", message(7))
    written(tmp_path / "OnlyNew/new/1.host", message(8))
    written(tmp_path / "photos/new/1.jpg", b"\xff\xd8\xff")
    passed_over = f"3 files passed over: they are no mail (the first: {tmp_path}/MH/inbox/,3)\n"
    assert sorted(ingest(tmp_path)[1].splitlines()) == sorted(
        (passed_over + said(new=6)).splitlines()
    )
    raws = {row.message_id: row.raw.content for row in InboundMail.objects.all() if row.raw}
    assert raws["5@archive"] == message(5)
    assert sorted(raws) == [f"{number}@archive" for number in (1, 2, 5, 6, 7, 8)]
    code, words = ingest(written(tmp_path / "cut.emlx", emlx(message(9), 9000)))
    assert (code, "of the 9,000 that its first line says" in words) == (65, True)


@pytest.mark.django_db(transaction=True)
def test_a_maildirs_cur_or_new_that_is_given_by_its_name_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox()
    written(tmp_path / "md/cur/1.a:2,S", message(1))
    written(tmp_path / "md/new/2.a", message(2))
    assert ingest(tmp_path / "md/cur") == (0, said(new=1))
    monkeypatch.chdir(tmp_path / "md/new")
    assert ingest(".") == (0, said(new=1))
    assert stored() == ["1@archive", "2@archive"]


@pytest.mark.django_db(transaction=True)
def test_a_folder_without_mail_says_so(tmp_path: Path) -> None:
    mailbox()
    assert ingest(tmp_path) == (65, f"{tmp_path}: there is no mail in it\n" + said())
    written(tmp_path / "a/notes.pdf", b"%PDF")
    written(tmp_path / "b/1.eml", message(1))
    code, words = ingest(tmp_path / "a", tmp_path / "gone", tmp_path / "b")
    assert (code, stored()) == (66, ["1@archive"])
    assert f"there is no {tmp_path}/gone\n" in words
    assert f"{tmp_path}/a: there is no mail in it\n" in words
    assert f"1 file passed over: it is no mail ({tmp_path}/a/notes.pdf)\n" in words


@pytest.mark.django_db(transaction=True)
def test_links_to_files_are_followed_and_to_folders_named(tmp_path: Path) -> None:
    mailbox()
    box = tmp_path / "box"
    written(tmp_path / "elsewhere/1.eml", message(1))
    written(tmp_path / "elsewhere/2.eml", message(2))
    written(box / "3.eml", message(3))
    (box / "1.eml").symlink_to(tmp_path / "elsewhere/1.eml")
    (box / "linked").symlink_to(tmp_path / "elsewhere")
    (box / "round").symlink_to(box)
    (box / "gone.eml").symlink_to("/nowhere")
    (box / "itself").symlink_to(box / "itself")
    code, words = ingest(box)
    assert (code, stored()) == (65, ["1@archive", "3@archive"])
    for name in ("linked", "round"):
        assert f"{box}/{name}: passed over: a link to a folder is not followed\n" in words
    assert f"{box}/gone.eml: it cannot be read: FileNotFoundError" in words
    assert f"{box}/itself: it cannot be read: OSError" in words
    assert "2 files passed over" in words
    assert said(new=2, refused=2) in words
    assert ingest(box / "gone.eml")[0] == 65


def test_what_may_not_be_read_is_named_and_all_else_is_stored(tmp_path: Path) -> None:
    manage = Manage(tmp_path)
    migrated_sqlite(tmp_path / "var")
    assert (
        manage.run("shell", "-v0", "-c", "from helpdesk.setup import first_rows; first_rows()")[0]
        == 0
    )
    box = tmp_path / "box"
    shut = [
        written(box / "Sent", SEPARATOR + message(91)),
        written(box / "a.eml", message(92)),
        written(box / "md/new/2.a", message(93)).parent,
        written(box / "secret/b.eml", message(94)).parent,
        written(tmp_path / "closed/c.eml", message(95)).parent,
    ]
    written(box / "Inbox", SEPARATOR + message(1))
    written(box / "md/cur/1.a:2,S", message(2))
    written(box / "cut.gz", gzip.compress(SEPARATOR + message(96))[:60])
    last = written(tmp_path / "last/3.eml", message(3))
    for path in shut:
        path.chmod(0)
    sources = map(str, (box, tmp_path / "closed/c.eml", tmp_path / "closed", last))
    # root reads everything else
    held = (
        ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    )
    try:
        done = subprocess.run(
            [*held, sys.executable, "manage.py", "ingest", *sources],
            cwd=ROOT,
            env=manage.env,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
            check=False,
        )
    finally:
        for path in shut:
            path.chmod(0o700)
    assert done.returncode == 65, done.stdout
    for path in (*shut[:4], tmp_path / "closed/c.eml", tmp_path / "closed", box / "cut.gz"):
        assert done.stdout.count(f"{path}: it cannot be read: ") == 1, done.stdout
    assert "3 messages stored" in done.stdout
    assert "3 new, 0 known, 7 refused" in done.stdout


@pytest.mark.django_db(transaction=True)
def test_an_archive_that_ends_in_the_middle_is_named_and_what_could_be_read_is_stored(
    tmp_path: Path,
) -> None:
    mailbox()
    data = gzip.compress(
        b"".join(
            SEPARATOR + message(number) + os.urandom(9000).hex().encode() + b"\n\n"
            for number in range(99)
        )
    )
    (tmp_path / "cut.mbox.gz").write_bytes(data[: len(data) // 2])
    code, words = ingest(tmp_path / "cut.mbox.gz")
    assert code == 65
    assert "it cannot be read: EOFError" in words
    assert len(stored()) > 10


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("order", [(0, 1, 2, 3), (1, 3, 2, 0)])
def test_an_archive_becomes_closed_tickets_with_their_own_dates_and_nobody_hears_of_it(
    tmp_path: Path, order: tuple[int, ...]
) -> None:
    mailbox()
    ada = agent()
    SLAPolicy.objects.create(
        name="All",
        calendar=BusinessCalendar.objects.create(name="Always", weekly="always"),
        first_response=10,
        next_response=10,
        resolution=60,
    )
    written = [datetime(2019, 3, day, 8, 30, tzinfo=UTC) for day in (4, 5, 6, 7)]
    dates = [format_datetime(date) for date in written]
    thread = [
        eml("It smokes", message_id="q@old", Date=dates[0]),
        eml(
            "Unplug it",
            message_id="a@old",
            sender="Ada <ada@example.com>",
            to="cleo@example.net",
            in_reply_to="<q@old>",
            Date=dates[1],
        ),
        eml(
            "Thanks!",
            message_id="t@old",
            in_reply_to="<a@old>",
            references="<q@old> <a@old>",
            Date=dates[2],
        ),
        eml(
            "Me too",
            message_id="s@old",
            sender="stranger@example.org",
            in_reply_to="<q@old>",
            Date=dates[3],
        ),
    ]
    archive = mailboxes.mbox(tmp_path / "2019.mbox")
    for number in order:
        archive.add(thread[number])
    archive.flush()
    assert ingest(tmp_path / "2019.mbox", as_history=True)[0] == 0
    for _ in range(3):  # a reply that came before its parent waits for it
        InboundMail.objects.update(next_attempt_at=timezone.now())
        for pk in (
            InboundMail.objects.filter(state="received").order_by("pk").values_list("pk", flat=True)
        ):
            process(pk)

    ticket = Ticket.objects.get()
    assert (ticket.status, ticket.created_at, ticket.requester.email) == (
        "closed",
        written[0],
        "cleo@example.net",
    )
    assert ticket.closed_at is not None
    assert ticket.customer_waits_since is None
    comments = list(ticket.comments.select_related("author").order_by("created_at"))
    assert [comment.created_at for comment in comments] == written
    assert [comment.text.strip() for comment in comments] == [
        "It smokes",
        "Unplug it",
        "Thanks!",
        "Me too",
    ]
    assert comments[1].author == ada
    assert [comment.visibility for comment in comments] == [
        *[Comment.Visibility.PUBLIC] * 3,
        Comment.Visibility.HELD,
    ]
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
        path.write_bytes(
            eml(
                "By token",
                message_id=f"token-{number}@x",
                sender=sender,
                to="undisclosed@example.net",
            )
        )
        assert ingest(path, recipient=token, sender=sender)[0] == 0
        process(InboundMail.objects.latest("pk").pk)
    rows = InboundMail.objects.order_by("pk")[2:]
    assert [(row.reason, row.ticket_number, row.rcpt_to) for row in rows] == [
        ("comment", ticket.pk, [token]),
        ("hold", ticket.pk, [token]),
    ]
    assert other.comments.count() == 1
