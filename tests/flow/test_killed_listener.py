"""A listener that is killed while mail pours in: each mail that it answered with 250 is stored,
once."""

import os
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path

from tests.inbound.transports.smtp.test_listener import Wire
from tests.support.services import ROOT, free_port, migrated_sqlite, wait_for

SENDERS = 8


def test_what_was_answered_is_stored_and_nothing_is_stored_twice(tmp_path: Path) -> None:
    database, port = migrated_sqlite(tmp_path), free_port()
    _manage(tmp_path, "shell", "-c", "from helpdesk.setup import first_rows; first_rows()").wait(60)
    process = _manage(tmp_path, "smtpd", SMTP_ADDR=f"127.0.0.1:{port}")
    try:
        answered = _killed_while_mail_pours_in(process, port)
    finally:
        process.kill()
        process.wait(20)
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT subject FROM inbound_inboundmail").fetchall()
    stored = Counter(subject for (subject,) in rows)
    assert set(answered) <= set(stored)
    assert set(stored.values()) == {1}
    # At each connection one mail, at the most, may be stored whose answer did not arrive.
    assert len(stored) <= len(answered) + SENDERS


def _killed_while_mail_pours_in(process: "subprocess.Popen[bytes]", port: int) -> list[str]:
    """The subjects of those that were answered with 250."""
    answered: list[str] = []
    wait_for(lambda: _is_up(port), 60, "the listener")
    senders = [
        threading.Thread(target=_pour_in, args=(port, f"sender-{number}", answered))
        for number in range(SENDERS)
    ]
    for sender in senders:
        sender.start()
    wait_for(lambda: len(answered) > 300, 60, "mail to be taken")
    process.kill()
    for sender in senders:
        sender.join(20)
    return answered


def _manage(folder: Path, *arguments: str, **environment: str) -> "subprocess.Popen[bytes]":
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    own = {"VAR_DIR": str(folder), "HELPDESK_KEYS": "make", **environment}
    return subprocess.Popen([sys.executable, "manage.py", *arguments], cwd=ROOT, env=kept | own)


def _is_up(port: int) -> bool:
    with suppress(OSError):
        Wire(port)
        return True
    return False


def _pour_in(port: int, name: str, answered: list[str]) -> None:
    with suppress(OSError, AssertionError, IndexError):
        wire = Wire(port)
        for number in range(1_000_000):
            subject = f"{name}-{number}"
            wire.begin()
            wire.socket.sendall(f"Subject: {subject}\r\n\r\n{'x' * 5000}\r\n.\r\n".encode())
            if not wire.answer().startswith("250"):
                return
            answered.append(subject)
