"""One account, watched for ever: fetch, store, commit, and only then \\Seen.

The cursor (UIDVALIDITY and the last UID, RFC 9051 2.3.1.1) is in the database, so what another client
has read is not skipped, and what was fetched before a crash is known by its key. A folder whose
UIDVALIDITY changed is read again from its beginning; intake knows what it has had.
"""

import logging
import random
import ssl
import threading
import time
from datetime import timedelta

from django.db import close_old_connections
from django.utils import timezone
from imapclient import SEEN, IMAPClient
from imapclient.exceptions import IMAPClientError

from inbound import store
from inbound.message import Envelope
from inbound.models import ImapCursor, InboundMail, Mailbox
from inbound.transports.imap import oauth
from inbound.transports.imap.account import Account

log = logging.getLogger(__name__)

TIMEOUT = 60  # seconds for each step of the server's
IDLE_SECONDS = 28 * 60  # RFC 2177: less than 29 minutes
POLL_SECONDS = 60
BATCH = 50
LONGEST_PAUSE = 300.0
FAULTS = (IMAPClientError, oauth.Refused, store.UnknownRecipient, *store.TEMPORARY)
RECENT = timedelta(days=1)
CHECKED = 5000  # the newest of a folder that `check` compares


def watch(account: Account, stop: threading.Event) -> None:
    """Until `stop`: a fault closes the connection and is followed by a growing pause, with jitter."""
    failures = 0
    while not stop.is_set():
        try:
            with _connect(account) as client:
                failures = 0
                _follow(client, account, stop)
        except FAULTS as error:
            failures += 1
            log.warning("IMAP %s: %s: %s", account.name, type(error).__name__, error)
            _note(account, f"{type(error).__name__}: {error}"[:1000])
            stop.wait(min(LONGEST_PAUSE, 2.0**failures) * random.uniform(0.5, 1.0))
        finally:
            close_old_connections()


def fetch_new(client: IMAPClient, account: Account) -> int:
    """Stores what came after the cursor; how many messages. The folder is selected here."""
    selected = client.select_folder(account.folder)
    cursor, _ = ImapCursor.objects.get_or_create(account=account.name)
    validity = int(selected[b"UIDVALIDITY"])
    known = cursor.uid_validity == validity
    if not known:
        # A changed folder is read again from its beginning. The cursor is set when that is done: until then a
        # crash begins it anew, and the keys know what is stored.
        uids = client.search(["ALL"]) if cursor.uid_validity else _at_first(client, account)
    else:
        uids = [uid for uid in client.search(["UID", f"{cursor.last_uid + 1}:*"]) if uid > cursor.last_uid]
    count = 0
    for start in range(0, len(uids), BATCH):
        # PEEK: fetching must not mark as read what is not stored yet.
        for uid in sorted(uids)[start : start + BATCH]:
            answer = client.fetch([uid], ["BODY.PEEK[]"])
            raw = answer.get(uid, {}).get(b"BODY[]")
            if raw is None:
                continue  # deleted meanwhile
            store.accept(raw, Envelope("", (_recipient(account),), account.name), "imap",
                         key=_key(account, validity, uid))  # fmt: skip
            if known:
                ImapCursor.objects.filter(pk=cursor.pk, last_uid__lt=uid).update(last_uid=uid)
            client.add_flags([uid], [SEEN], silent=True)
            if account.move_to:
                _move(client, uid, account.move_to)
            count += 1
    newest = int(selected.get(b"UIDNEXT", 1)) - 1
    # What arrived meanwhile has a higher UID; mail that the first contact passed over is behind the cursor.
    reached = max([newest, *uids])
    changes: dict[str, int] = {"uid_validity": validity, "last_uid": reached}
    if not known:
        # Unless everything was taken, some of what was there was passed over: `missing` looks behind it.
        changes["first_uid"] = 0 if account.first_contact == "all" or cursor.uid_validity else reached
    ImapCursor.objects.filter(pk=cursor.pk).update(**changes)
    _note(account, "")
    return count


def try_out(account: Account) -> str:
    """Signs in and opens the folder; what is there, in words. Raises the server's error, in its own words."""
    with _connect(account) as client:
        selected = client.select_folder(account.folder, readonly=True)
        idle = "it tells of new mail at once" if client.has_capability("IDLE") else "it is asked every minute"
        return f"{account.folder} has {int(selected[b'EXISTS'])} messages; {idle}."


def missing(account: Account) -> list[int]:
    """The UIDs that the folder has, up to the cursor, and that were never stored: there should be none but
    what the first contact passed over. The newest CHECKED are compared."""
    cursor = ImapCursor.objects.filter(account=account.name).first()
    with _connect(account) as client:
        selected = client.select_folder(account.folder, readonly=True)
        validity = int(selected[b"UIDVALIDITY"])
        if cursor is None or cursor.uid_validity != validity:
            return []
        uids = [uid for uid in client.search(["ALL"]) if cursor.first_uid < uid <= cursor.last_uid][-CHECKED:]
    keys = {_key(account, validity, uid): uid for uid in uids}
    known: set[str] = set()
    wanted = list(keys)
    for start in range(0, len(wanted), 500):
        rows = InboundMail.objects.filter(transport_key__in=wanted[start : start + 500])
        known |= {str(key) for key in rows.values_list("transport_key", flat=True)}
    return sorted(uid for key, uid in keys.items() if key not in known)


def fetch(account: Account, uids: list[int]) -> int:
    """Stores those messages, wherever the cursor is; how many."""
    count = 0
    with _connect(account) as client:
        validity = int(client.select_folder(account.folder, readonly=True)[b"UIDVALIDITY"])
        for uid in uids:
            raw = client.fetch([uid], ["BODY.PEEK[]"]).get(uid, {}).get(b"BODY[]")
            if raw is not None:
                envelope = Envelope("", (_recipient(account),), account.name)
                store.accept(raw, envelope, "imap", key=_key(account, validity, uid))
                count += 1
    return count


def _key(account: Account, validity: int, uid: int) -> str:
    return f"imap:{account.name}:{validity}:{uid}"[:300]


def _at_first(client: IMAPClient, account: Account) -> list[int]:
    if account.first_contact == "all":
        return list(client.search(["ALL"]))
    if account.first_contact == "nothing":
        return []
    unread = client.search(["UNSEEN"])
    if account.first_contact == "unread":
        return list(unread)
    # What another client has marked as read since yesterday may be what nobody has answered. RFC 9051 6.4.4:
    # SINCE is by the day, in the server's time zone.
    return sorted({*unread, *client.search(["SINCE", (timezone.now() - RECENT).date()])})


def _move(client: IMAPClient, uid: int, folder: str) -> None:
    if client.has_capability("MOVE"):
        client.move([uid], folder)
    else:
        client.copy([uid], folder)
        client.delete_messages([uid])
        client.uid_expunge([uid]) if client.has_capability("UIDPLUS") else client.expunge()


def _connect(account: Account) -> IMAPClient:
    context = ssl.create_default_context()
    client = IMAPClient(
        account.host, account.port, ssl=account.tls == "tls", ssl_context=context if account.tls == "tls" else None,
        timeout=TIMEOUT, use_uid=True,
    )  # fmt: skip
    if account.tls == "starttls":
        client.starttls(context)
    try:
        if account.auth == "xoauth2":
            client.oauth2_login(account.user, oauth.access_token(account.row))
        else:
            client.login(account.user, account.password)
    except BaseException:
        client.shutdown()
        raise
    return client


def _follow(client: IMAPClient, account: Account, stop: threading.Event) -> None:
    can_idle = client.has_capability("IDLE")
    while not stop.is_set():
        fetch_new(client, account)
        close_old_connections()
        if can_idle:
            _idle(client, stop)
        elif not stop.wait(POLL_SECONDS):
            client.noop()


def _idle(client: IMAPClient, stop: threading.Event) -> None:
    """Until the server says something, or the time to begin a new IDLE has come."""
    client.idle()
    until = time.monotonic() + IDLE_SECONDS
    try:
        while not stop.is_set() and time.monotonic() < until:
            if client.idle_check(timeout=1):
                break
    finally:
        client.idle_done()


def _recipient(account: Account) -> str:
    if account.mailbox:
        return account.mailbox
    first = Mailbox.objects.filter(is_active=True).order_by("pk").values_list("address", flat=True).first()
    return str(first or "")


def _note(account: Account, error: str) -> None:
    try:
        seen = {} if error else {"contacted_at": timezone.now()}
        ImapCursor.objects.get_or_create(account=account.name)
        ImapCursor.objects.filter(account=account.name).update(error=error, **seen)
    except store.TEMPORARY:
        log.warning("IMAP %s: the database is away", account.name)
