import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from inbound.models import ImapCursor
from inbound.transports.imap.accounts import accounts
from inbound.transports.imap.checking import fetch, missing
from inbound.transports.imap.troubles import in_words
from inbound.transports.imap.watchers import Watchers


class Command(BaseCommand):
    help = (
        "Watches the IMAP accounts of the staff site and of IMAP_URLS, side by side: "
        "one that hangs holds up no other."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--check",
            action="store_true",
            help="name what a server has and we never stored, and end",
        )
        parser.add_argument("--fetch", action="store_true", help="with --check: store it, too")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["check"]:
            self._check(fetch_too=options["fetch"])
            return
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        watchers = Watchers()
        watchers.start()
        while not stop.wait(1.0):
            if not watchers.is_alive():
                raise CommandError("the watchers died")
        watchers.stop()

    def _check(self, *, fetch_too: bool) -> None:
        short, away, new = 0, 0, 0
        for account in accounts():
            try:
                uids = missing(account)
                words = (
                    f"{len(uids)} never stored: {', '.join(map(str, uids[:50]))}"
                    if uids
                    else "everything is stored"
                )
                if not ImapCursor.objects.filter(account=account.name).exists():
                    new += 1
                    words = "it is reached, but was never watched: nothing of it is stored"
                if uids and fetch_too:
                    words += f"; {fetch(account, uids)} stored now"
            except Exception as error:  # whatever it is: the others are looked at
                away += 1
                words = f"not reached: {in_words(error)}"
            else:
                short += len(uids)
            self.stdout.write(f"{account.name}: {words}")
        problems = []
        if short and not fetch_too:
            problems.append(f"{short} messages were never stored; --fetch stores them")
        if new:
            problems.append(
                f"{new} account{'s were' if new > 1 else ' was'} never watched; imapd or serve does"
            )
        if away:
            problems.append(f"{away} account{'s were' if away > 1 else ' was'} not reached")
        if problems:
            raise CommandError("; ".join(problems))
