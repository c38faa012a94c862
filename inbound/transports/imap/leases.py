"""Who watches an account: of all processes that have it, one. Two at once would move a message
twice.

A lease is a row with a token and an end, and is prolonged while its process lives. Its end is by
the database's clock, read and written in the database: holders may be on machines whose clocks
differ. The clock only decides how soon another may take over; that the one before writes nothing
more is by the token, looked at in the transaction that writes.
"""

import logging
import os
import socket
import threading
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db import IntegrityError, connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from inbound.connections import rest_connection
from inbound.models import ImapLease

log = logging.getLogger(__name__)

LASTS = timedelta(seconds=10)
PROLONG_SECONDS = 2.5
LOOK_SECONDS = 1.0  # between two looks at a lease that another process holds


class Lost(Exception):
    """Another process watches the account by now: nothing more is written or moved here."""


class Lease:
    """Held by this process until it is lost or released."""

    def __init__(self, account: str, token: str) -> None:
        self.account = account
        self.token = token
        self.is_lost = False  # as far as has been seen: `fence` and `confirm` look

    @contextmanager
    def fence(self) -> Iterator[None]:
        """A transaction in which the lease stays this one's: who wants to take it over waits for
        its end. Raises Lost."""
        with transaction.atomic():
            if (
                connection.vendor == "postgresql"
            ):  # a process that stalls within it, or is cut off, holds up nobody for longer
                with connection.cursor() as cursor:
                    cursor.execute(
                        "SET LOCAL idle_in_transaction_session_timeout = "
                        f"{LASTS // timedelta(milliseconds=1)}"
                    )
            if not list(
                _of(self.account)
                .select_for_update()
                .filter(token=self.token)
                .values_list("pk", flat=True)
            ):
                self.is_lost = True
                raise Lost(self.account)
            yield

    def confirm(self) -> None:
        """Prolongs it, right before something is done outside the database. Raises Lost."""
        if not _of(self.account).filter(token=self.token).update(expires_at=Now() + LASTS):
            self.is_lost = True
            raise Lost(self.account)


def acquire(account: str, stop: threading.Event) -> Lease | None:
    """Waits until nobody else holds it; None once `stop` is set. Raises the database's error. No
    connection to the database is kept: what follows may wait for a server for a minute."""
    is_waiting = False
    while not stop.is_set():
        if lease := _take(account):
            _keep(lease)
            rest_connection()
            return lease
        if not is_waiting:
            is_waiting = True
            log.info("IMAP %s: another process watches it; this one waits", account)
        rest_connection()
        stop.wait(LOOK_SECONDS)
    return None


def release(lease: Lease) -> None:
    """The next one has it at once. Never raises: what is not released ends by itself."""
    with _lock:
        _held.pop(lease.token, None)
        if not _held:
            _none_left.set()
    try:
        _of(lease.account).filter(token=lease.token).update(token="", expires_at=Now())
    except Exception as error:
        log.warning(
            "IMAP %s: the lease is not released (%s); it ends by itself",
            lease.account,
            type(error).__name__,
        )


def held(accounts: Iterable[str] | None = None) -> dict[str, ImapLease]:
    """Who watches what, by account."""
    rows = ImapLease.objects.filter(expires_at__gt=Now()).exclude(token="")
    return {
        row.account: row
        for row in (rows if accounts is None else rows.filter(account__in=list(accounts)))
    }


def _take(account: str) -> Lease | None:
    if not _of(account).exists():
        try:
            with transaction.atomic():
                ImapLease.objects.create(account=account, expires_at=Now())
        except IntegrityError:
            pass  # another process has just made it
    free = _of(account).filter(expires_at__lte=Now())
    if not free.exists():  # a look costs less than a write
        return None
    lease = Lease(account, uuid.uuid4().hex)
    taken = free.update(
        token=lease.token,
        host=socket.gethostname()[:253],
        pid=os.getpid(),
        since=Now(),
        expires_at=Now() + LASTS,
    )
    return lease if taken else None


def _of(account: str) -> "QuerySet[ImapLease]":
    return ImapLease.objects.filter(account=account)


# --- One thread of a process prolongs all that it holds: who watches may wait for a minute

_lock = threading.Lock()
_none_left = threading.Event()
_held: dict[str, Lease] = {}
_keeper: threading.Thread | None = None


def _keep(lease: Lease) -> None:
    global _keeper
    with _lock:
        _held[lease.token] = lease
        _none_left.clear()
        if _keeper is None:
            _keeper = threading.Thread(target=_prolong_all, name="imap leases", daemon=True)
            _keeper.start()


def _prolong_all() -> None:
    global _keeper
    while True:
        with _lock:
            leases = dict(_held)
            if not leases:
                _keeper = None
                break
        try:
            mine = ImapLease.objects.filter(token__in=list(leases))
            if mine.update(expires_at=Now() + LASTS) < len(leases):
                left = set(mine.values_list("token", flat=True))
                for token, lease in leases.items():
                    lease.is_lost = lease.is_lost or token not in left
        except (
            Exception
        ) as error:  # the database is away: it is tried again, and `fence` has the last word
            log.warning("the leases of IMAP accounts are not prolonged: %s", type(error).__name__)
        rest_connection()
        _none_left.wait(PROLONG_SECONDS)
    connection.close()
