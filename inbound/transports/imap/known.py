"""Which messages of a folder are known: stored under their UIDs, or come back after they were
stored and moved.

Mail that an account has moved can lie in the watched folder again under a new UID: a rule of the
server's, a second name of the same folder, a label (Gmail shows all mail in "All Mail"). It would
be stored and moved for ever. It is told by its bytes, its Message-ID among them, and by the UID
under which it was stored being gone. Not by the Message-ID alone: a copy that was delivered for
another address has the same one, and can belong to another ticket. Nor by the bytes alone where
these bear neither a trace field nor a Message-ID: a device says "Disk full" twice. Then it is told
by when it came (see `_came_before`).
"""

import logging
import re
import time
from collections.abc import Iterable
from datetime import datetime

from django.db.models import Count, Max, QuerySet, Value
from django.db.models.functions import Concat, Left, Substr

from inbound.glance import HEAD
from inbound.models import ImapCameBack, InboundMail
from inbound.stored import digest as digest_of
from inbound.transports.imap.account import Account
from inbound.transports.imap.asking import asked
from inbound.transports.imap.folder import Folder, keys_of

log = logging.getLogger(__name__)


def among(folder: Folder, uids: list[int]) -> set[int]:
    """Those that need not be fetched."""
    return stored(folder, uids) | set(
        _came_back(folder).filter(uid__in=uids).values_list("uid", flat=True)
    )


def stored(folder: Folder, uids: list[int]) -> set[int]:
    """Those that are stored under these very UIDs."""
    keys = {folder.key(uid): uid for uid in uids}
    rows = InboundMail.objects.filter(transport_key__in=list(keys))
    return {keys[str(key)] for key in rows.values_list("transport_key", flat=True)}


def come_back(folder: Folder, raws: dict[int, bytes]) -> set[int]:
    """Of messages that are new by their UIDs those that are mail of this account which is gone from
    the folder."""
    digests = {uid: digest_of(raw) for uid, raw in raws.items()}
    rows = InboundMail.objects.filter(
        sha256__in=list(digests.values()), transport_key__startswith=keys_of(folder.account)
    )
    before: dict[str, dict[int, datetime]] = {}
    for digest, key, stored_at in rows.order_by("pk").values_list(
        "sha256", "transport_key", "received_at"
    ):
        # Under another UIDVALIDITY it is nowhere any more: 0 is no UID.
        uid = int(str(key).removeprefix(folder.keys)) if str(key).startswith(folder.keys) else 0
        before.setdefault(digest, {})[uid] = stored_at
    named = sorted({uid for found in before.values() for uid in found if uid})
    there = set(folder.client.search(["UID", ",".join(map(str, named))])) if named else set()
    gone = {
        uid: [at for was, at in before.get(digest, {}).items() if was not in there and was != uid]
        for uid, digest in digests.items()
    }
    doubtful = {uid: at for uid, at in gone.items() if at and not _is_one_of_a_kind(raws[uid])}
    return {uid for uid, at in gone.items() if at and uid not in doubtful} | _came_before(
        folder, doubtful
    )


def _is_one_of_a_kind(raw: bytes) -> bool:
    """Whether the header has the time or the id of one mail: a trace field (RFC 5321 4.4), or a
    Message-ID."""
    head = _BLANK.split(raw[:HEAD], maxsplit=1)[0]
    return bool(_OF_ITS_OWN.search(head))


def _came_before(folder: Folder, gone: dict[int, list[datetime]]) -> set[int]:
    """Those that arrived, as the server says, not later than one of the same bytes was stored: the
    server's date of arrival (RFC 3501 2.3.3) stays with what is copied and moved. What the server
    gives no date of is new: to have a mail twice is better than to lose it. A server whose clock is
    ahead can so bring one in again until ours gets there."""
    dates = asked(folder, sorted(gone), "INTERNALDATE", datetime)
    return {uid for uid, date in dates.items() if any(date <= at for at in gone[uid])}


def note_come_back(folder: Folder, uids: Iterable[int]) -> None:
    for uid in uids:
        _came_back(folder).get_or_create(
            account=folder.account.name, uid_validity=folder.validity, uid=uid
        )
        log.warning(
            "IMAP %s: UID %d was stored and moved before; it is left there",
            folder.account.name,
            uid,
        )


def forget_others(folder: Folder) -> None:
    """Those under another UIDVALIDITY: their UIDs mean nothing any more."""
    ImapCameBack.objects.filter(account=folder.account.name).exclude(
        uid_validity=folder.validity
    ).delete()


def set_aside(folder: Folder) -> None:
    """What is stored keeps a key that no UID has any more, for the folder has given its UIDs to
    other messages."""
    former = f"{keys_of(folder.account)}{folder.validity}-{int(time.time())}:"
    rows = InboundMail.objects.filter(transport_key__startswith=folder.keys)
    # SQLite's LIKE disregards case, and accounts do not.
    rows = rows.annotate(begins=Left("transport_key", len(folder.keys))).filter(begins=folder.keys)
    rows.update(transport_key=Concat(Value(former), Substr("transport_key", len(folder.keys) + 1)))
    ImapCameBack.objects.filter(account=folder.account.name).delete()


def says_of_come_back(
    accounts: Iterable[Account], since: datetime | None = None
) -> list[tuple[str, str]]:
    """The account's name, and how much came back, in words; those alone of which something did, and
    still did `since`."""
    by_name = {account.name: account for account in accounts}
    rows = ImapCameBack.objects.filter(account__in=list(by_name)).values_list("account")
    return [
        (
            name,
            f"{count} message{'s' if count > 1 else ''} that had been moved to "
            f"{by_name[name].move_to or 'another folder'} came "
            f"back into {by_name[name].folder}, the last at {last:%Y-%m-%d %H:%M} UTC: known as "
            "the same mail, they were not "
            "stored again and are left there. Does a rule of the server's, a label or another name "
            "lead from one folder to "
            "the other?",
        )
        for name, count, last in rows.annotate(Count("pk"), Max("created_at")).order_by("account")
        if since is None or last >= since
    ]


_BLANK = re.compile(rb"\r?\n\r?\n|\r\r")
_OF_ITS_OWN = re.compile(rb"(?<![^\r\n])(?:received|message-id)[ \t]{0,10}:", re.IGNORECASE)


def _came_back(folder: Folder) -> "QuerySet[ImapCameBack]":
    return ImapCameBack.objects.filter(account=folder.account.name, uid_validity=folder.validity)
