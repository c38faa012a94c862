"""A watcher for each account, side by side: one that hangs holds up no other. Accounts come and go
while it runs."""

import logging
import threading

from django.db import close_old_connections

from inbound.store import TEMPORARY
from inbound.transports.imap.account import Account
from inbound.transports.imap.accounts import accounts
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
            except Exception as error:  # those that are watched already are watched on
                known = isinstance(error, TEMPORARY)
                log.warning(
                    "cannot read the list of IMAP accounts: %s",
                    type(error).__name__,
                    exc_info=not known,
                )
            finally:
                close_old_connections()
            self._stop.wait(LOOK_SECONDS)

    def _match(self, wanted: list[Account]) -> None:
        for account, (thread, stop) in list(self._running.items()):
            if account not in wanted:  # removed, paused or changed
                stop.set()
            if (
                not thread.is_alive()
            ):  # told to end, or dead of what nobody foresaw: another one takes over
                del self._running[account]
        names = {account.name for account in self._running}
        for account in wanted:
            if account.name not in names:
                names.add(account.name)
                stop = threading.Event()
                thread = threading.Thread(
                    target=watch, args=(account, stop), name=f"imap {account.name}", daemon=True
                )
                self._running[account] = (thread, stop)
                thread.start()
