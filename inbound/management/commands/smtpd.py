import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from inbound.transports.smtp.listener import Listener


class Command(BaseCommand):
    help = (
        "Listens for mail: SMTP at SMTP_ADDR, LMTP at LMTP_ADDR. 250 means that the "
        "mail is in the database."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.SMTP_ADDR is None and settings.LMTP_ADDR is None:
            raise CommandError(
                "SMTP_ADDR and LMTP_ADDR are both off: there is nothing to listen to"
            )
        listener = Listener(settings.SMTP_ADDR, settings.LMTP_ADDR)
        try:
            listener.start()
        except OSError as error:
            raise CommandError(f"SMTP_ADDR or LMTP_ADDR: {error}") from error
        for name, port in listener.ports.items():
            self.stdout.write(f"{name.upper()} listens on port {port}")
        self.stdout.flush()
        ended = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: ended.set())
        while not ended.wait(1.0):
            if not listener.is_alive():
                raise CommandError("the listener stopped")
        listener.stop()
