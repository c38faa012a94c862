"""Messages that could not be taken in for their own sake. They hold up no other, are named where
people look, and lie unread on the server until somebody has read, moved or deleted them."""

import logging
import re
from collections.abc import Iterable

from django.conf import settings
from imapclient import SEEN
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

from inbound.models import ImapPassedOver
from inbound.reading import headers
from inbound.transports.imap.folder import Folder

log = logging.getLogger(__name__)

TRIES = 3  # contacts, before a message is passed over for good
# where the connection was lost while it was fetched: more often that is the network's fault
LOST_TRIES = 10
NAMED = 50  # how many are named at once
ASKED, LOOKED_AT = 50, 200  # UIDs in one command, and in one contact


def of(folder: Folder) -> dict[int, bool]:
    """The folder's, by UID, and whether for good: the others are tried again. Those are forgotten
    which are gone, or which somebody has read since they were named; of very many, the newest are
    looked at."""
    found = ImapPassedOver.objects.filter(account=folder.account.name, uid_validity=folder.validity)
    rows = {row.uid: row for row in found.order_by("is_final", "-pk")}
    settled: list[int] = []
    for start in range(0, min(len(rows), LOOKED_AT), ASKED):
        asked = list(rows)[start : start + ASKED]
        try:
            answer = folder.client.fetch(asked, ["FLAGS"])
        except IMAPClientAbortError:
            raise
        except IMAPClientError:
            continue  # they are what servers have trouble with
        for uid in asked:
            is_read = SEEN in answer[uid].get(b"FLAGS", ()) if uid in answer else None
            if is_read is None or (is_read and rows[uid].was_read is False):
                settled.append(uid)
            elif rows[uid].was_read is None:
                found.filter(uid=uid).update(was_read=is_read)
    forget(folder, settled)
    return {uid: row.is_final for uid, row in rows.items() if uid not in settled}


def too_large(folder: Folder, uid: int, size: int) -> None:
    reason = f"it has {size:,} bytes, more than MAX_MAIL_BYTES ({settings.MAX_MAIL_BYTES:,})"
    _note(folder, uid, reason, tries=1)
    _name_by_server(folder, uid)


def failed(folder: Folder, uid: int, error: Exception | str, *, raw: bytes | None = None) -> None:
    """One contact more in which it could not be taken in; after TRIES it is passed over for
    good."""
    reason = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
    if not _note(folder, uid, reason, tries=TRIES):
        return
    if raw is None:
        _name_by_server(folder, uid)
    else:
        _name(folder, uid, subject=_subject_of(raw))


def lost(folder: Folder, uid: int, error: Exception) -> None:
    """The connection ended while this message alone was asked for. A server that says goodbye (RFC
    9051 7.1.5) has answered; what only breaks off may be the network."""
    said_goodbye = bool(folder.client._imap.untagged_responses.get("BYE"))
    _note(
        folder, uid, f"{type(error).__name__}: {error}", tries=TRIES if said_goodbye else LOST_TRIES
    )


def forget(folder: Folder, uids: Iterable[int]) -> None:
    """They are stored after all, or somebody has seen to them."""
    if uids := list(uids):
        ImapPassedOver.objects.filter(
            account=folder.account.name, uid_validity=folder.validity, uid__in=uids
        ).delete()


def forget_others(folder: Folder) -> None:
    """Those under another UIDVALIDITY: their UIDs mean nothing any more."""
    ImapPassedOver.objects.filter(account=folder.account.name).exclude(
        uid_validity=folder.validity
    ).delete()


def forget_all(folder: Folder) -> None:
    ImapPassedOver.objects.filter(account=folder.account.name).delete()


def named(accounts: Iterable[str]) -> list[tuple[str, str]]:
    """The account and a line for each message of theirs that was passed over for good, the newest
    NAMED."""
    rows = ImapPassedOver.objects.filter(account__in=list(accounts), is_final=True).order_by("-pk")[
        :NAMED
    ]
    return [
        (row.account, f"UID {row.uid} ({row.subject or 'no subject known'}): {row.reason}"[:500])
        for row in rows
    ]


def _note(folder: Folder, uid: int, reason: str, *, tries: int) -> bool:
    """Whether it is passed over for good by now. Written before anything else is asked of the
    server."""
    row, _ = ImapPassedOver.objects.get_or_create(
        account=folder.account.name, uid_validity=folder.validity, uid=uid
    )
    row.attempts = min(row.attempts + 1, 1000)
    row.reason = headers.one_line(reason)[:1000]
    row.is_final = row.is_final or row.attempts >= tries
    row.save()
    log.warning(
        "IMAP %s: UID %d cannot be taken in (%d): %s",
        folder.account.name,
        uid,
        row.attempts,
        row.reason,
    )
    return row.is_final


def _name_by_server(folder: Folder, uid: int) -> None:
    """As far as the server can: a message is known by its UID, too."""
    try:
        said = folder.client.fetch([uid], ["FLAGS", "BODY.PEEK[HEADER.FIELDS (SUBJECT)]"])[uid]
        head = next(value for value in said.values() if isinstance(value, bytes))
        _name(folder, uid, subject=_subject_of(head), was_read=SEEN in said[b"FLAGS"])
    except (IMAPClientAbortError, OSError):
        raise
    except (IMAPClientError, LookupError, ValueError, StopIteration):
        return


def _name(folder: Folder, uid: int, **words: object) -> None:
    rows = ImapPassedOver.objects.filter(
        account=folder.account.name, uid_validity=folder.validity, uid=uid
    )
    rows.update(**words)


def _subject_of(raw: bytes) -> str:
    """ "" where it has none, or one that cannot be read: it may be what is wrong with the
    message."""
    try:
        found = _SUBJECT.search(raw[:100_000].partition(b"\n\n")[0].partition(b"\r\n\r\n")[0])
        return headers.text(found[1].decode("utf-8", "replace"))[:300] if found else ""
    except Exception:
        return ""


_SUBJECT = re.compile(rb"^subject[ \t]*:[ \t]*(.*(?:\r?\n[ \t].*)*)", re.IGNORECASE | re.MULTILINE)
