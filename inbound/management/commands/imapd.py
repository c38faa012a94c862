import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from inbound.transports.imap.session import watch


class Command(BaseCommand):
    help = "Watches the IMAP accounts in IMAP_URLS, side by side: one that hangs holds up no other."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.IMAP_ACCOUNTS:
            raise CommandError(
                "IMAP_URLS: names no account, for example imaps://USER:PASSWORD@HOST/INBOX?mailbox=ADDRESS"
            )
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        threads = [
            threading.Thread(target=watch, args=(account, stop), daemon=True) for account in settings.IMAP_ACCOUNTS
        ]
        for thread in threads:
            thread.start()
        while not stop.wait(1.0):
            if not all(thread.is_alive() for thread in threads):
                raise CommandError("an account's watcher died")
        for thread in threads:
            thread.join(10)
