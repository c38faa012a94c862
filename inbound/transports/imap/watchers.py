"""A watcher for each account, side by side: one that hangs holds up no other. Accounts come and go while it runs."""

import logging
import threading

from django.conf import settings
from django.db import close_old_connections

from inbound.models import ImapAccount
from inbound.store import TEMPORARY
from inbound.transports.imap.account import Account, of_row
from inbound.transports.imap.session import watch

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0  # how often the list of accounts is read again


class Watchers:
    """Threads, one for each account that is not paused."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._running: dict[Account, tuple[threading.Thread, threading.Event]] = {}
        self._thread = threading.Thread(target=self._look, name="imap", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(10)
        for _, stop in self._running.values():
            stop.set()
        for thread, _ in self._running.values():
            thread.join(5)

    def _look(self) -> None:
        while not self._stop.is_set():
            try:
                self._match(accounts())
            except TEMPORARY as error:
                log.warning("cannot read the list of IMAP accounts: %s", type(error).__name__)
            finally:
                close_old_connections()
            self._stop.wait(LOOK_SECONDS)

    def _match(self, wanted: list[Account]) -> None:
        for account, (thread, stop) in list(self._running.items()):
            if account not in wanted:  # removed, paused or changed
                stop.set()
            if not thread.is_alive():  # told to end, or dead of what nobody foresaw: another one takes over
                del self._running[account]
        names = {account.name for account in self._running}
        for account in wanted:
            if account.name not in names:
                stop = threading.Event()
                thread = threading.Thread(target=watch, args=(account, stop), name=f"imap {account.name}", daemon=True)
                self._running[account] = (thread, stop)
                thread.start()


def accounts() -> list[Account]:
    """Those of the staff site that are watched, and those of IMAP_URLS."""
    rows = (
        ImapAccount.objects.filter(is_active=True, mailbox__is_active=True)
        .select_related("mailbox")
        .defer("secret", "client_secret")
    )
    found = [of_row(row) for row in rows.order_by("pk")]
    names = {account.name for account in found}
    return found + [account for account in settings.IMAP_ACCOUNTS if account.name not in names]
