"""Mail from standard input, a file, an mbox, a Maildir or a folder of .eml files into the helpdesk."""

import mailbox as mailboxes
import os
import re
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import close_old_connections

from inbound import store
from inbound.models import Mailbox
from inbound.reading.message import Envelope

# sysexits.h, as an MTA's pipe transport reads them: 75 is tried again, the others bounce.
EX_DATAERR, EX_NOINPUT, EX_NOUSER, EX_TEMPFAIL = 65, 66, 67, 75
CHUNK = 50


class Command(BaseCommand):
    help = (
        "Takes in mail: `-` (standard input, one message, for a pipe transport), .eml files, mbox files, Maildirs "
        "or folders. Exits 0 once everything is stored, 75 for a fault of ours (try again), 65, 66 or 67 for the caller's. "
        "A message of many that cannot be stored is named, and the others are stored."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("source", nargs="*", default=["-"], help="FILE, MBOX, MAILDIR, folder, or - (the default)")
        parser.add_argument("--mailbox", help="the mailbox that it is for; by default the first")
        parser.add_argument(
            "--recipient", default="", help="the envelope recipient, with its +token, where the caller knows it"
        )
        parser.add_argument(
            "--as-history", action="store_true",
            help="an old archive: tickets are closed, with the mails' own dates, and nothing is sent",
        )  # fmt: skip
        parser.add_argument("--sender", help="the envelope sender, where the caller knows it; empty: the null sender")

    def handle(self, *args: Any, **options: Any) -> None:
        self._empty: list[str] = []
        self._refused: list[str] = []  # what was left out for its own sake, and why
        try:
            code = self._ingest(
                options["source"],
                options["mailbox"],
                options["sender"],
                options["recipient"],
                history=options["as_history"],
            )
        except store.TEMPORARY as error:
            code = self._say(EX_TEMPFAIL, f"temporary fault: {type(error).__name__}: {error}")
        except store.UnknownRecipient as error:  # switched off just now
            code = self._say(EX_NOUSER, f"{error} is no mailbox of ours")
        if left_out := [*self._empty, *self._refused]:
            self.stderr.write("\n".join(left_out))
            # Of a pipe's one message: the sender's mistake where there is none, else the next version may take it.
            code = code or (EX_TEMPFAIL if self._refused and options["source"] == ["-"] else EX_DATAERR)
        if code:
            sys.exit(code)

    def _ingest(
        self, sources: list[str], address: str | None, sender: str | None, recipient: str, *, history: bool
    ) -> int:
        close_old_connections()
        if recipient:
            named = store.mailbox_for(recipient)
            if named is None:
                return self._say(EX_NOUSER, f"--recipient: {recipient} is no mailbox of ours")
            address = named.address
        found = (
            Mailbox.objects.filter(is_active=True, **({"address": address} if address else {})).order_by("pk").first()
        )
        if found is None:
            return self._say(
                EX_NOUSER, f"--mailbox: there is no mailbox {address}" if address else "there is no mailbox yet"
            )
        count, bar = 0, _Bar(self.stderr.isatty())
        group: list[tuple[str, store.Arrival]] = []
        for source in sources:
            if source != "-" and not Path(source).exists():
                return self._say(EX_NOINPUT, f"there is no {source}")
            for read, key in _messages(source):
                name = (key or source).removeprefix("ingest:")
                try:
                    raw = read()
                except (OSError, KeyError) as error:
                    self._refused.append(f"{name}: it cannot be read: {type(error).__name__}: {error}")
                    continue
                if not raw.strip():
                    self._empty.append(f"{name}: the message is empty")
                    continue
                envelope = Envelope(sender, (recipient or found.address,), "ingest")
                group.append((name, store.Arrival(raw, envelope, "ingest", key, history)))
                if len(group) >= CHUNK:
                    count += self._store(group)
                    group = []
                    bar.show(count)
        count += self._store(group)
        bar.end()
        if sources != ["-"]:
            self.stdout.write(f"{count} messages stored for {found.address}")
        return 0

    def _store(self, group: list[tuple[str, store.Arrival]]) -> int:
        """How many are stored now. One that cannot be for its own sake holds up no other. Raises what is no mail's fault."""
        try:
            return len(store.accept_many([arrival for _, arrival in group])) if group else 0
        except Exception as error:
            if len(group) == 1:
                if not store.is_its_own(error):
                    raise
                self._refused.append(f"{group[0][0]}: it cannot be stored: {type(error).__name__}: {error}")
                return 0
        return sum(self._store([each]) for each in group)

    def _say(self, code: int, words: str) -> int:
        self.stderr.write(words)
        return code


def _messages(source: str) -> Iterator[tuple[Callable[[], bytes], str | None]]:
    """What reads each message, and its key: a file's path and place, so that a run that was cut short can be run again."""
    if source == "-":
        yield sys.stdin.buffer.read, None
        return
    path = Path(source).resolve()
    if path.is_dir() and (path / "cur").is_dir():
        box = mailboxes.Maildir(str(path), create=False)
        for key in sorted(box.keys()):
            yield partial(box.get_bytes, key), _key(path, key.split(":")[0])
    elif path.is_dir():
        for file in sorted(p for p in path.rglob("*") if p.is_file() and p.suffix in {".eml", ".txt", ".msg"}):
            yield file.read_bytes, _key(file, "")
    elif path.read_bytes()[:5] == b"From ":
        mbox = mailboxes.mbox(str(path), create=False)
        for number in mbox.keys():  # noqa: SIM118  # not a dict
            yield partial(_of_mbox, mbox, number), _key(path, str(number))
    else:
        yield path.read_bytes, _key(path, "")


def _of_mbox(mbox: "mailboxes.mbox", number: Any) -> bytes:
    """The message as it was before it was put there: a line that looks like the next message's first one got a ">" then,
    and would be read as a quotation. (A ">From " that was one before is marked by mboxrd, but not by older programs.)"""
    return re.sub(rb"^>(>*+From )", rb"\1", mbox.get_bytes(number), flags=re.MULTILINE)


def _key(path: Path, place: str) -> str:
    stat = os.stat(path)
    return f"ingest:{path}:{int(stat.st_mtime) if path.is_file() else ''}:{place}"[-300:]


class _Bar:
    def __init__(self, shown: bool) -> None:
        self.shown = shown

    def show(self, count: int) -> None:
        if self.shown:
            sys.stderr.write(f"\r{count} messages")
            sys.stderr.flush()

    def end(self) -> None:
        if self.shown:
            sys.stderr.write("\r" + " " * 40 + "\r")
