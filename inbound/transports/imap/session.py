"""One account, watched for ever: one contact after the other (contact.py), and what comes in
between where something goes wrong."""

import logging
import random
import threading
import time
from collections.abc import Iterator

from django.db import close_old_connections
from imapclient.exceptions import IMAPClientAbortError

from inbound.transports.imap import cursors, leases
from inbound.transports.imap.account import Account
from inbound.transports.imap.connecting import connect
from inbound.transports.imap.contact import fetch_new
from inbound.transports.imap.troubles import FORESEEN, in_words
from inbound.transports.imap.waiting import wait

log = logging.getLogger(__name__)

LONGEST_PAUSE = 300.0
LEAST_SECONDS = 1.0  # from one contact to the next
STEADY_SECONDS = 30.0  # a session that lasted so long and is cut off is begun again without a pause


def watch(account: Account, stop: threading.Event) -> None:
    """Until `stop`, while no other process does. Whatever goes wrong is noted, ends the connection,
    leaves the account to another process that watches it, and is followed by a growing pause, with
    jitter."""
    failures = 0
    lease = None
    while not stop.is_set():
        working_since = None
        try:
            lease = lease or leases.acquire(account.name, stop)
            for _ in _contacts(account, lease, stop) if lease else ():
                failures, working_since = 0, working_since or time.monotonic()
        except leases.Lost:
            log.warning("IMAP %s: another process watches it now", account.name)
        except Exception as error:  # what nobody foresaw, too
            lost = isinstance(error, IMAPClientAbortError | ConnectionError)
            if lost and working_since and time.monotonic() - working_since > STEADY_SECONDS:
                log.info("IMAP %s: the server hung up: %s", account.name, error)
                continue
            failures += 1
            _note(account, error)
            if lease:
                leases.release(lease)
            lease = None
            _rest()
            stop.wait(min(LONGEST_PAUSE, 2.0 ** min(failures, 20)) * random.uniform(0.5, 1.0))
        finally:
            _rest()
        if lease and lease.is_lost:
            lease = None
    if lease:
        leases.release(lease)
        _rest()


def _contacts(account: Account, lease: leases.Lease, stop: threading.Event) -> Iterator[int]:
    """One session, and how many messages each contact in it took in."""
    with connect(account) as client:
        while not stop.is_set() and not lease.is_lost:
            began = time.monotonic()
            yield fetch_new(client, account, lease)
            close_old_connections()
            wait(client, stop, lease)
            # Some servers say something each time they are asked to wait.
            stop.wait(max(0.0, began + LEAST_SECONDS - time.monotonic()))


def _note(account: Account, error: Exception) -> None:
    """Never raises: what cannot be written stands in the log."""
    words = in_words(error)
    unforeseen = None if isinstance(error, FORESEEN) else error
    log.warning("IMAP %s: %s", account.name, words, exc_info=unforeseen)
    try:
        cursors.note_failure(account, words)
    except Exception as fault:
        name = type(fault).__name__
        log.warning("IMAP %s: the database does not take that down: %s", account.name, name)


def _rest() -> None:
    try:
        close_old_connections()
    except Exception as fault:
        log.warning("a connection to the database is not closed: %s", type(fault).__name__)
