"""Mail from standard input, a file, an mbox, a Maildir or a folder of these into the helpdesk."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import close_old_connections

from inbound import archives, store, stored
from inbound.ingested import Former, archive_key, pipe_key
from inbound.models import Mailbox
from inbound.reading.message import Envelope
from inbound.recipients import mailbox_for

# sysexits.h, as an MTA's pipe transport reads them: 75 is tried again, the others bounce.
EX_DATAERR, EX_NOINPUT, EX_NOUSER, EX_TEMPFAIL = 65, 66, 67, 75
INTERRUPTED = 130  # as a shell says it of SIGINT
GROUP, GROUP_BYTES = 50, 8_000_000  # mails, and bytes, that are stored at once

Named = tuple[str, store.Arrival]  # and what the mail is called where people look for it


class Command(BaseCommand):
    help = (
        "Takes in mail: `-` (standard input, one message, for a pipe transport), .eml files, mbox "
        "files, Maildirs or folders. Exits 0 once everything is stored, 75 for a fault of "
        "ours (try "
        "again), 65, 66 or 67 for the caller's. A message of many that cannot be read or stored is "
        "named, and the others are stored; files that are no mail are counted. What a mailbox has "
        "got from here is not stored again: a run that was cut short is run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "source",
            nargs="*",
            default=["-"],
            help="FILE, MBOX, MAILDIR, folder, or - (the default)",
        )
        parser.add_argument("--mailbox", help="the mailbox that it is for; by default the first")
        parser.add_argument(
            "--recipient",
            default="",
            help="the envelope recipient, with its +token, where the caller knows it",
        )
        parser.add_argument(
            "--as-history",
            action="store_true",
            help="an old archive: tickets are closed, with the mails' own dates, and nothing "
            "is sent",
        )
        parser.add_argument(
            "--sender",
            help="the envelope sender, where the caller knows it; empty: the null sender",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self._new = self._known = self._refused = self._passed_over = 0
        self._first_passed_over = ""
        self._bar = _Bar(self.stderr.isatty())
        is_pipe = options["source"] == ["-"]
        self._code = 0
        try:
            found = self._mailbox(options["mailbox"], options["recipient"])
            if found is not None:
                self._ingest(found, options)
        except store.TEMPORARY as error:
            self._fail(EX_TEMPFAIL, f"temporary fault: {type(error).__name__}: {error}")
        except store.UnknownRecipient as error:  # switched off just now
            self._fail(EX_NOUSER, f"{error} is no mailbox of ours")
        except KeyboardInterrupt:
            self._bar.end()
            self._fail(
                EX_TEMPFAIL if is_pipe else INTERRUPTED,
                f"Interrupted. What is stored stays ({self._counts()} so far); "
                "run the same command again to go on.",
            )
        if self._code:
            sys.exit(self._code)

    def _mailbox(self, address: str | None, recipient: str) -> Mailbox | None:
        """The mailbox that it is for; None, and an exit code, where there is none."""
        close_old_connections()
        if recipient:
            named = mailbox_for(recipient)
            if named is None:
                self._fail(EX_NOUSER, f"--recipient: {recipient} is no mailbox of ours")
                return None
            address = named.address
        chosen = Mailbox.objects.filter(is_active=True, **({"address": address} if address else {}))
        found = chosen.order_by("pk").first()
        if found is None:
            named_so = f"--mailbox: there is no mailbox {address}"
            self._fail(EX_NOUSER, named_so if address else "there is no mailbox yet")
        return found

    def _ingest(self, mailbox: Mailbox, options: dict[str, Any]) -> None:
        self._former = Former(mailbox)
        sources = [source for source in options["source"] if self._is_there(source)]
        group: list[Named] = []
        for named in self._arrivals(sources, mailbox, options):
            group.append(named)
            size = sum(len(arrival.raw) for _, arrival in group)
            if len(group) >= GROUP or size >= GROUP_BYTES:
                self._store(group)
                group = []
        self._store(group)
        self._bar.end()
        if sources and options["source"] != ["-"]:
            self._say_passed_over()
            count = self._new + self._known
            self.stdout.write(f"{count} messages stored for {mailbox.address}: {self._counts()}")

    def _arrivals(
        self, sources: list[str], mailbox: Mailbox, options: dict[str, Any]
    ) -> Iterator[Named]:
        envelope = Envelope(options["sender"], (options["recipient"] or mailbox.address,), "ingest")
        for source in sources:
            for found in self._mails(source):
                raw = found.raw
                if raw is None or not raw.strip():
                    self._refuse(EX_DATAERR, found.name, found.why or "the message is empty")
                    continue
                is_pipe = source == "-"
                key = pipe_key(raw, mailbox, envelope) if is_pipe else archive_key(raw, mailbox)
                arrival = store.Arrival(raw, envelope, "ingest", key, options["as_history"])
                yield found.name, arrival

    def _is_there(self, source: str) -> bool:
        """Whether it can be tried to be read; the others are read all the same."""
        try:
            if source != "-":
                os.lstat(source)
        except (FileNotFoundError, NotADirectoryError):
            self._fail(EX_NOINPUT, f"there is no {source}")
            return False
        except OSError:
            pass  # reading it says why
        return True

    def _mails(self, source: str) -> Iterator[archives.Found]:
        """What is mail; the rest is counted, and a folder without any is refused."""
        is_any = source == "-" or not os.path.isdir(source)
        for found in _messages(source):
            if found.is_mail:
                is_any = True
                yield found
                continue
            self._passed_over += 1
            self._first_passed_over = self._first_passed_over or found.name
            if found.why:
                self._bar.end()
                self.stderr.write(f"{found.name}: passed over: {found.why}")
        if not is_any:
            self._fail(EX_DATAERR, f"{source}: there is no mail in it")

    def _say_passed_over(self) -> None:
        first = self._first_passed_over
        if self._passed_over == 1:
            self.stdout.write(f"1 file passed over: it is no mail ({first})")
        elif self._passed_over:
            count = self._passed_over
            self.stdout.write(f"{count} files passed over: they are no mail (the first: {first})")

    def _store(self, group: list[Named]) -> None:
        """One that cannot be stored for its own sake holds up no other. Raises what is no mail's
        fault."""
        known = stored.known(arrival.key for _, arrival in group if arrival.key)
        new: dict[object, Named] = {}
        for number, (name, arrival) in enumerate(group):
            if arrival.key not in known and not self._former.has(arrival.raw):
                new.setdefault(arrival.key or number, (name, arrival))
        self._known += len(group) - len(new)
        self._store_new(list(new.values()))
        self._bar.show(self._counts())

    def _store_new(self, group: list[Named]) -> None:
        try:
            if group:
                store.accept_many([arrival for _, arrival in group])
                self._new += len(group)
        except Exception as error:
            if len(group) > 1:
                for each in group:
                    self._store_new([each])
                return
            name, arrival = group[0]
            if stored.known([arrival.key] if arrival.key else []):  # by another run, just now
                self._known += 1
                return
            if not store.is_its_own(error):
                raise
            # Of a pipe's mail the next version of ours may take it.
            code = EX_TEMPFAIL if name == "-" else EX_DATAERR
            self._refuse(code, name, f"it cannot be stored: {type(error).__name__}: {error}")

    def _refuse(self, code: int, name: str, why: str) -> None:
        self._refused += 1
        self._bar.end()
        # A pipe's words go into the sender's bounce: whose standard input it was says nothing to
        # them.
        self._fail(code, f"the message was not taken: {why}" if name == "-" else f"{name}: {why}")

    def _fail(self, code: int, words: str) -> None:
        """The first cause makes the exit code, but a fault of ours is more than what is wrong with
        some mail."""
        self.stderr.write(words)
        if not self._code or code != EX_DATAERR:
            self._code = code

    def _counts(self) -> str:
        return f"{self._new} new, {self._known} known, {self._refused} refused"


def _messages(source: str) -> Iterator[archives.Found]:
    limit = settings.MAX_MAIL_BYTES
    if source != "-":
        yield from archives.messages(Path(source), limit)
        return
    raw, size = archives.read_limited(sys.stdin.buffer, limit)
    yield archives.Found("-", raw, "" if raw is not None else archives.too_large(size, limit))


class _Bar:
    def __init__(self, shown: bool) -> None:
        self.shown = shown

    def show(self, words: str) -> None:
        if self.shown:
            sys.stderr.write(f"\r{words}")
            sys.stderr.flush()

    def end(self) -> None:
        if self.shown:
            sys.stderr.write("\r" + " " * 70 + "\r")
