import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from inbound.transports.imap.session import fetch, missing
from inbound.transports.imap.watchers import Watchers, accounts


class Command(BaseCommand):
    help = (
        "Watches the IMAP accounts of the staff site and of IMAP_URLS, side by side: one that hangs holds up no other."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="name what a server has and we never stored, and end")
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
        short = 0
        for account in accounts():
            uids = missing(account)
            short += len(uids)
            words = f"{len(uids)} never stored: {', '.join(map(str, uids[:50]))}" if uids else "everything is stored"
            self.stdout.write(f"{account.name}: {words}")
            if uids and fetch_too:
                self.stdout.write(f"  {fetch(account, uids)} stored now")
        if short and not fetch_too:
            raise CommandError(f"{short} messages were never stored; --fetch stores them")
