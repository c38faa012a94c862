"""One account, watched for ever: fetch, store, commit, and only then \\Seen.

The cursor (UIDVALIDITY and the last UID, RFC 9051 2.3.1.1) is in the database, so what another client
has read is not skipped, and what was fetched before a crash is known by its key. Of a folder whose UIDVALIDITY changed,
what came after the account's first contact is read again, and what is stored already is recognised.
"""

import logging
import random
import select
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from datetime import datetime, timedelta
from itertools import chain

from django.conf import settings
from django.db import close_old_connections
from django.utils import timezone
from imapclient import SEEN, IMAPClient
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError, LoginError

from inbound import hosts, store
from inbound.models import ImapAccount, ImapCursor, InboundMail, Mailbox
from inbound.reading.message import Envelope
from inbound.secrets import opened
from inbound.transports.imap import oauth, passed_over
from inbound.transports.imap.account import Account
from inbound.transports.imap.asking import asked
from inbound.transports.imap.folder import Folder, keys_of, open_folder, uids, uids_between

log = logging.getLogger(__name__)

TIMEOUT = 60  # seconds for each step of the server's
IDLE_SECONDS = 28 * 60  # RFC 2177: less than 29 minutes
POLL_SECONDS = 60
BATCH, BATCH_BYTES = 50, 8_000_000  # what is fetched in one go and shares a commit
LONGEST_PAUSE = 300.0
STEADY_SECONDS = 30.0  # a session that lasted so long and is cut off is begun again without a pause
FAULTS = (IMAPClientError, oauth.Refused, store.UnknownRecipient, *store.TEMPORARY)
RECENT = timedelta(days=1)
CHECKED = 5000  # the newest of a folder that `check` compares


def watch(account: Account, stop: threading.Event) -> None:
    """Until `stop`: a fault closes the connection and is followed by a growing pause, with jitter."""
    failures = 0
    while not stop.is_set():
        working_since = None
        try:
            with connect(account) as client:
                while not stop.is_set():
                    fetch_new(client, account)
                    failures, working_since = 0, working_since or time.monotonic()
                    close_old_connections()
                    _wait(client, stop)
        except Exception as error:  # what nobody foresaw, too: it is noted, and tried again like the others
            lost = isinstance(error, IMAPClientAbortError | ConnectionError)
            if lost and working_since and time.monotonic() - working_since > STEADY_SECONDS:
                log.info("IMAP %s: the server hung up: %s", account.name, error)
                continue
            failures += 1
            expected = isinstance(error, FAULTS)
            log.warning("IMAP %s: %s: %s", account.name, type(error).__name__, error, exc_info=not expected)
            _note(account, f"{type(error).__name__}: {error}"[:1000])
            stop.wait(min(LONGEST_PAUSE, 2.0 ** min(failures, 20)) * random.uniform(0.5, 1.0))
        finally:
            close_old_connections()


def connect(account: Account) -> IMAPClient:
    """Signed in. Raises the server's error, oauth.Refused, or OSError."""
    context = ssl.create_default_context()
    with hosts.named_by_an_admin() if account.row else nullcontext():
        client = IMAPClient(
            account.host, account.port, ssl=account.tls == "tls", ssl_context=context if account.tls == "tls" else None,
            timeout=TIMEOUT, use_uid=True,
        )  # fmt: skip
    try:
        if account.tls == "starttls":
            client.starttls(context)
        if account.auth == "xoauth2":
            client.oauth2_login(account.user, oauth.access_token(account.row))
        elif account.row:
            client.login(account.user, opened(ImapAccount.objects.get(pk=account.row).secret))
        else:
            client.login(account.user, account.password)
    except BaseException as error:
        if isinstance(error, LoginError):
            oauth.forget(account.row)  # whatever its time is said to be
        with suppress(OSError):
            client.shutdown()
        raise
    return client


def fetch_new(client: IMAPClient, account: Account) -> int:
    """Stores what came after the cursor; how many messages. The folder is selected here.

    A message that cannot be taken in for its own sake holds up no other: see passed_over.py. Raises where the server
    or the database is away, and goes on there the next time."""
    folder = open_folder(client, account)
    cursor, _ = ImapCursor.objects.get_or_create(account=account.name)
    if cursor.first_contact_at is None:
        cursor.first_contact_at = timezone.now()
    # One of the first messages may be why the last contact did not get to its end: they are asked for one by one.
    alone = BATCH if cursor.is_unfinished else 0
    ImapCursor.objects.filter(pk=cursor.pk).update(
        first_contact_at=cursor.first_contact_at, contacted_at=timezone.now(), is_unfinished=True
    )
    known = cursor.uid_validity == folder.validity
    anew = bool(cursor.uid_validity) and not known
    # The cursor of a folder that is not known is set when all of it is done: until then a crash begins it anew, and the
    # keys know what is stored.
    if known:
        wanted = uids_between(folder, cursor.last_uid)
    elif anew:
        wanted = _since(folder, cursor.first_contact_at)
    else:
        wanted = _at_first(folder)
    left = passed_over.of(folder)
    again = sorted(uid for uid, is_final in left.items() if not is_final)
    fresh = [uid for uid in wanted if uid not in left]
    count, unmarked, trouble = 0, "", _cannot_move(client, account)
    for stored in chain(
        _taken_in(folder, fresh, alone=alone, recognise=anew),
        _taken_in(folder, again, alone=len(again), recognise=anew),  # last: they have held up others before
    ):
        if known:
            ImapCursor.objects.filter(pk=cursor.pk, last_uid__lt=stored[-1]).update(last_uid=stored[-1])
        unmarked = _mark_read(client, account, stored) or unmarked
        if account.move_to and not trouble:
            trouble = _move(client, account, stored)
        count += len(stored)
    # What arrived meanwhile has a higher UID; mail that the first contact passed over is behind the cursor.
    reached = max([folder.newest, *wanted])
    changes: dict[str, object] = {"uid_validity": folder.validity, "last_uid": reached, "is_unfinished": False}
    if not known:
        # Unless everything was taken, some of what was there was passed over: `missing` looks behind it.
        changes["first_uid"] = 0 if account.first_contact == "all" and not anew else reached
    if anew:
        changes |= {"note": _says_of_numbers(folder, cursor, len(wanted)), "noted_at": timezone.now()}
        passed_over.forget_others(folder)
    ImapCursor.objects.filter(pk=cursor.pk).update(error=trouble or unmarked, contacted_at=timezone.now(), **changes)
    return count


def try_out(account: Account) -> str:
    """Signs in and opens the folder; what is there, in words. Raises the server's error, in its own words."""
    with connect(account) as client:
        selected = client.select_folder(account.folder, readonly=True)
        idle = "it tells of new mail at once" if client.has_capability("IDLE") else "it is asked every minute"
        return f"{account.folder} has {int(selected[b'EXISTS'])} messages; {idle}."


def missing(account: Account) -> list[int]:
    """The UIDs that the folder has, up to the cursor, and that were never stored: there should be none but
    what the first contact passed over, and what could not be taken in. The newest CHECKED are compared."""
    cursor = ImapCursor.objects.filter(account=account.name).first()
    with connect(account) as client:
        folder = open_folder(client, account, readonly=True)
        if cursor is None or cursor.uid_validity != folder.validity:
            return []
        there = uids_between(folder, cursor.first_uid, cursor.last_uid, most=CHECKED)
        there = sorted({*there, *passed_over.of(folder)})
    known: set[int] = set()
    for start in range(0, len(there), 500):
        known |= _known(folder, there[start : start + 500])
    return sorted(set(there) - known)


def fetch(account: Account, uids: list[int]) -> int:
    """Stores those messages, wherever the cursor is; how many. What was passed over is tried again."""
    with connect(account) as client:
        folder = open_folder(client, account, readonly=True)
        left = passed_over.of(folder)
        again = sorted(uid for uid in uids if uid in left)
        fresh = sorted(uid for uid in uids if uid not in left)
        return sum(
            len(stored)
            for stored in chain(_taken_in(folder, fresh, alone=0), _taken_in(folder, again, alone=len(again)))
        )


def _taken_in(folder: Folder, uids: list[int], *, alone: int, recognise: bool = False) -> Iterator[list[int]]:
    """The UIDs as their messages are stored, in their order; those that were stored already among them. The first `alone` of
    those that were not are asked for one at a time, so that it shows at which of them the connection ends."""
    start = 0
    while start < len(uids):
        group = uids[start : start + BATCH]
        had = _known(folder, group)
        if alone and not had.issuperset(group):
            first = next(number for number, uid in enumerate(group) if uid not in had)
            group, alone = group[: first + 1], alone - 1
        start += len(group)
        _reached(folder.account)
        for batch in _batches(folder, group, had):
            for stored in _stored(folder, batch, had, recognise=recognise):
                passed_over.forget(folder, stored)
                yield stored


def _batches(folder: Folder, uids: list[int], had: set[int]) -> Iterator[list[int]]:
    """Of a group so many that fetching them needs little memory; without what is too large to be fetched at all."""
    sizes = asked(folder, [uid for uid in uids if uid not in had], "RFC822.SIZE", int)
    batch: list[int] = []
    total = 0
    for uid in uids:
        size = sizes.get(uid, 0)
        if uid not in had and uid not in sizes:
            continue  # gone meanwhile, or counted as passed over
        if size > settings.MAX_MAIL_BYTES:
            passed_over.too_large(folder, uid, size)
            continue
        if batch and total + size > BATCH_BYTES:
            yield batch
            batch, total = [], 0
        batch.append(uid)
        total += size
    if batch:
        yield batch


def _stored(folder: Folder, uids: list[int], had: set[int], *, recognise: bool) -> Iterator[list[int]]:
    """The UIDs of the batch as they are stored: all at once, or where that fails one after the other. One that cannot be
    stored for its own sake is passed over; at a fault of ours they end. What is gone meanwhile is passed over."""
    account = folder.account
    envelope = Envelope(None, (_recipient(account),), account.name)
    # PEEK: fetching must not mark as read what is not stored yet.
    found = asked(folder, [uid for uid in uids if uid not in had], "BODY.PEEK[]", bytes)
    for uid in [uid for uid, raw in found.items() if len(raw) > settings.MAX_MAIL_BYTES]:  # some servers guess the size
        passed_over.too_large(folder, uid, len(found.pop(uid)))
    arrivals = {uid: store.Arrival(raw, envelope, "imap", folder.key(uid)) for uid, raw in found.items()}
    there = [uid for uid in uids if uid in had or uid in arrivals]
    if recognise:
        arrivals = {
            uid: arrival for uid, arrival in arrivals.items() if not _is_stored_before(folder, uid, arrival.raw)
        }
    try:
        if arrivals:
            store.accept_many(list(arrivals.values()))
    except Exception:
        # In their order: the cursor follows, and must not pass over one that is not stored.
        for uid in there:
            if uid in arrivals:
                try:
                    store.accept_many([arrivals[uid]])
                except Exception as error:
                    if not store.is_its_own(error):
                        raise
                    passed_over.failed(folder, uid, error, raw=arrivals[uid].raw)
                    continue
            yield [uid]
    else:
        if there:
            yield there


def _known(folder: Folder, uids: list[int]) -> set[int]:
    keys = {folder.key(uid): uid for uid in uids}
    rows = InboundMail.objects.filter(transport_key__in=list(keys))
    return {keys[str(key)] for key in rows.values_list("transport_key", flat=True)}


def _at_first(folder: Folder) -> list[int]:
    choice = folder.account.first_contact
    if choice == "all":
        return uids(folder)
    if choice == "nothing":
        return []
    unread = uids(folder, "UNSEEN")
    if choice == "unread":
        return unread
    # What another client has marked as read since yesterday may be what nobody has answered. RFC 9051 6.4.4:
    # SINCE is by the day, in the server's time zone.
    return sorted({*unread, *uids(folder, "SINCE", (timezone.now() - RECENT).date())})


def _since(folder: Folder, moment: datetime) -> list[int]:
    """The UIDs of what came since then, by the server's own date of arrival (RFC 9051 2.3.3), which a copy keeps."""
    # SINCE disregards time and zone: a day earlier is a day everywhere.
    near = uids(folder, "SINCE", (moment - timedelta(days=1)).date())
    found: list[int] = []
    for start in range(0, len(near), BATCH):
        dates = asked(folder, near[start : start + BATCH], "INTERNALDATE", datetime)
        # The server's dates have no fractions of a second.
        found += [uid for uid, date in dates.items() if date >= moment.replace(microsecond=0)]
        _reached(folder.account)
    return sorted(found)


def _is_stored_before(folder: Folder, uid: int, raw: bytes) -> bool:
    """Under another UIDVALIDITY. It gets the key that it has now: it is known from here on."""
    before = InboundMail.objects.filter(transport_key__startswith=keys_of(folder.account))
    mail = store.earlier(raw, before.exclude(transport_key__startswith=folder.keys))
    if mail is None:
        return False
    InboundMail.objects.filter(pk=mail.pk).update(transport_key=folder.key(uid))
    return True


def _says_of_numbers(folder: Folder, cursor: ImapCursor, newer: int) -> str:
    older = max(0, folder.count - newer)
    words = (
        f"The server has numbered the folder anew (UIDVALIDITY {cursor.uid_validity} is now {folder.validity}). "
        f"{older} messages from before the first contact ({cursor.first_contact_at:%Y-%m-%d %H:%M} UTC) were passed over; "
        f"of {newer} since then, what was stored already was not stored again."
    )
    log.warning("IMAP %s: %s", folder.account.name, words)
    return words


def _cannot_move(client: IMAPClient, account: Account) -> str:
    """What is wrong with the folder for what is stored, or "". One that is not there is made."""
    try:
        if account.move_to and not client.folder_exists(account.move_to):
            client.create_folder(account.move_to)
    except IMAPClientAbortError:
        raise
    except IMAPClientError as error:
        return _says_of_moving(account, error)
    return ""


def _mark_read(client: IMAPClient, account: Account, uids: list[int]) -> str:
    """What went wrong, or "". Where nobody may mark anything, mail is taken in all the same."""
    try:
        client.add_flags(uids, [SEEN], silent=True)
    except IMAPClientAbortError:
        raise
    except IMAPClientError as error:
        log.warning("IMAP %s: cannot mark as read: %s", account.name, error)
        return f"what is stored cannot be marked as read: {error}"[:1000]
    return ""


def _move(client: IMAPClient, account: Account, uids: list[int]) -> str:
    """What went wrong, or "". The mail is stored and read: where it lies holds up no other."""
    try:
        if client.has_capability("MOVE"):
            client.move(uids, account.move_to)
        else:
            client.copy(uids, account.move_to)
            client.delete_messages(uids)
            client.uid_expunge(uids) if client.has_capability("UIDPLUS") else client.expunge()
    except IMAPClientAbortError:
        raise
    except IMAPClientError as error:
        return _says_of_moving(account, error)
    return ""


def _says_of_moving(account: Account, error: Exception) -> str:
    log.warning("IMAP %s: cannot move to %s: %s", account.name, account.move_to, error)
    return f"what is stored cannot be moved to {account.move_to}: {error}"[:1000]


def _wait(client: IMAPClient, stop: threading.Event) -> None:
    """Until the server says something, or it is time to ask: before it counts as not reached."""
    can_idle = client.has_capability("IDLE")
    until = time.monotonic() + min(IDLE_SECONDS if can_idle else POLL_SECONDS, settings.MAILBOX_SILENCE / 2)
    if can_idle:
        client.idle()
        # IMAPClient's idle_check takes a connection that ended for one where nothing happens, and waits on.
        while not stop.is_set() and time.monotonic() < until and not _has_said_something(client):
            pass
        client.idle_done()
    else:
        stop.wait(max(0.0, until - time.monotonic()))
        client.noop()


def _has_said_something(client: IMAPClient) -> bool:
    """Within a second. That the connection ended is something, too."""
    connection = client.socket()
    connection.setblocking(False)
    try:
        # What came together with the answer to IDLE lies in imaplib's buffer, where select does not see it.
        if client._imap.file.peek(1):
            return True
    except (BlockingIOError, ssl.SSLWantReadError):
        pass
    finally:
        connection.settimeout(TIMEOUT)
    poll = select.poll()  # select() itself knows no more than 1,024 files
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(1000))


def _recipient(account: Account) -> str:
    if account.mailbox:
        return account.mailbox
    first = Mailbox.objects.filter(is_active=True).order_by("pk").values_list("address", flat=True).first()
    return str(first or "")


def _reached(account: Account) -> None:
    ImapCursor.objects.filter(account=account.name).update(contacted_at=timezone.now())


def _note(account: Account, error: str) -> None:
    try:
        ImapCursor.objects.get_or_create(account=account.name)
        ImapCursor.objects.filter(account=account.name).update(error=error)
    except store.TEMPORARY:
        log.warning("IMAP %s: the database is away", account.name)
