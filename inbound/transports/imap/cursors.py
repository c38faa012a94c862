"""How far an account's folder has been read and moved, and how the last contact went: the cursor's
row, which is written nowhere else but with what it follows from (contact.py)."""

from django.db.models import QuerySet, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from inbound.models import ImapCursor
from inbound.transports.imap.account import Account
from inbound.transports.imap.folder import Folder


def row_of(account: Account) -> QuerySet[ImapCursor]:
    return ImapCursor.objects.filter(account=account.name)


def begin(folder: Folder) -> ImapCursor:
    """Notes that a contact begins; the cursor as the last one left it, and the time of the
    first."""
    cursor, _ = ImapCursor.objects.get_or_create(account=folder.account.name)
    if cursor.first_contact_at is None:
        cursor.first_contact_at = timezone.now()
    with folder.fence():
        row_of(folder.account).update(
            first_contact_at=cursor.first_contact_at,
            contacted_at=timezone.now(),
            is_unfinished=True,
        )
    return cursor


def note_reached(folder: Folder) -> None:
    """In the middle of a contact that may take long."""
    row_of(folder.account).update(contacted_at=timezone.now())


def note_stored(folder: Folder, uid: int) -> None:
    """What came before `uid` is stored, and it is."""
    rows = row_of(folder.account).filter(uid_validity=folder.validity, last_uid__lt=uid)
    rows.update(last_uid=uid, failing_since=None)


def note_moved(folder: Folder, uid: int) -> None:
    """What is stored up to `uid` needs no moving any more."""
    with folder.fence():
        row_of(folder.account).update(moved_uid=uid)


def end(folder: Folder, trouble: str) -> None:
    """The contact got to its end; `trouble` is what was left undone all the same, or ""."""
    with folder.fence():
        row_of(folder.account).update(
            error=trouble, contacted_at=timezone.now(), is_unfinished=False, failing_since=None
        )


def note_failure(account: Account, words: str) -> None:
    """A contact broke off, or there was none. Raises the database's errors."""
    ImapCursor.objects.get_or_create(account=account.name)
    row_of(account).update(
        error=words, failing_since=Coalesce("failing_since", Value(timezone.now()))
    )
