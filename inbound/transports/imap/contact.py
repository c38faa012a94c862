"""One contact with an account's folder: what came since the last one is stored, then marked as
read, then moved.

The cursor (UIDVALIDITY and the last UID, RFC 9051 2.3.1.1) is in the database, so what another
client has read is not skipped, and what was fetched before a crash is known by its key. It goes no
further than what was seen, whatever UIDNEXT says. Of a folder that the server has numbered anew
(renumbered.py) what came after the account's first contact is read again.
"""

import logging
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain

from django.utils import timezone
from imapclient import SEEN, IMAPClient
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

from inbound.models import ImapCursor
from inbound.transports.imap import cursors, known, moving, passed_over, renumbered
from inbound.transports.imap.account import Account
from inbound.transports.imap.folder import Folder, highest, open_folder, uids, uids_between
from inbound.transports.imap.leases import Lease
from inbound.transports.imap.taking_in import BATCH, taken_in

log = logging.getLogger(__name__)

RECENT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a contact is to take in, and from where the next one goes on."""

    wanted: list[int]  # in ascending order
    seen: int  # what is not over it has been decided about, wanted or not
    is_next: bool = False  # it goes on where the last one ended
    is_renumbered: bool = False  # it begins again: some of it is stored under other UIDs


def fetch_new(client: IMAPClient, account: Account, lease: Lease | None = None) -> int:
    """Stores what came after the cursor; how many messages. The folder is selected here.

    A message that cannot be taken in for its own sake holds up no other: see passed_over.py. Raises
    where the server or the database is away, or the lease is lost, and goes on there the next time.
    """
    folder = open_folder(client, account, lease=lease)
    cursor = cursors.begin(folder)
    if renumbered.is_made_anew(folder, cursor):
        renumbered.forget_numbers(folder, cursor)
    plan = _plan(folder, cursor)
    count, unmarked = _take_in(folder, cursor, plan)
    reached = max([plan.seen, *plan.wanted])  # what arrived meanwhile has a higher UID
    _set_cursor(folder, cursor, plan, reached)
    moved_uid, trouble = cursor.moved_uid if plan.is_next else 0, ""
    if account.move_to and moved_uid < reached:
        trouble = moving.move_on(folder, moved_uid, reached, was_cut=cursor.is_unfinished)
    cursors.end(folder, trouble or unmarked)
    return count


def _plan(folder: Folder, cursor: ImapCursor) -> _Plan:
    if cursor.uid_validity == folder.validity:
        return _Plan(uids_between(folder, cursor.last_uid), cursor.last_uid, is_next=True)
    if cursor.uid_validity:
        assert cursor.first_contact_at is not None
        # SEARCH alone says what was there, and no UIDNEXT.
        seen = highest(folder.client)
        wanted = renumbered.came_since(folder, cursor.first_contact_at)
        return _Plan(wanted, seen, is_renumbered=True)
    # Mail that the first contact passes over is behind the cursor.
    is_all = folder.account.first_contact == "all"
    return _Plan(_at_first(folder), 0 if is_all else folder.newest)


def _at_first(folder: Folder) -> list[int]:
    choice = folder.account.first_contact
    if choice == "all":
        return uids(folder)
    if choice == "nothing":
        return []
    unread = uids(folder, "UNSEEN")
    if choice == "unread":
        return unread
    # What another client has marked as read since yesterday may be what nobody has answered. RFC
    # 9051 6.4.4: SINCE is by the day, in the server's time zone.
    return sorted({*unread, *uids(folder, "SINCE", (timezone.now() - RECENT).date())})


def _take_in(folder: Folder, cursor: ImapCursor, plan: _Plan) -> tuple[int, str]:
    """How many messages, and what went wrong with marking them as read, or ""."""
    left = passed_over.of(folder)
    fresh = [uid for uid in plan.wanted if uid not in left]
    again = sorted(uid for uid, is_final in left.items() if not is_final)
    # One of the first messages may be why the last contact did not get to its end: they are asked
    # for one by one. So are those of other contacts, last, for they have held up others before.
    alone, recognise = BATCH if cursor.is_unfinished else 0, plan.is_renumbered
    count, trouble = 0, ""
    for stored in chain(
        taken_in(folder, fresh, alone=alone, recognise=recognise),
        taken_in(folder, again, alone=len(again), recognise=recognise),
    ):
        if plan.is_next:
            # The cursor of a folder that is not known is set when all of it is done: until then a
            # crash begins it anew, and the keys know what is stored.
            cursors.note_stored(folder, stored[-1])
        trouble = _mark_read(folder, stored) or trouble
        count += len(stored)
    return count, trouble


def _mark_read(folder: Folder, stored: list[int]) -> str:
    """What went wrong, or "". Where nobody may mark anything, mail is taken in all the same."""
    try:
        folder.client.add_flags(stored, [SEEN], silent=True)
    except IMAPClientAbortError:
        raise
    except IMAPClientError as error:
        log.warning("IMAP %s: cannot mark as read: %s", folder.account.name, error)
        return f"what is stored cannot be marked as read: {error}"[:1000]
    return ""


def _set_cursor(folder: Folder, cursor: ImapCursor, plan: _Plan, reached: int) -> None:
    changes: dict[str, object] = {"uid_validity": folder.validity, "last_uid": reached}
    if not plan.is_next:
        # Unless everything was taken, some of what was there was passed over: `missing` looks
        # behind it.
        is_all = folder.account.first_contact == "all" and not plan.is_renumbered
        changes |= {"first_uid": 0 if is_all else reached, "moved_uid": 0}
    if plan.is_renumbered:
        words = renumbered.says_of_numbers(folder, cursor, len(plan.wanted))
        changes |= {"note": words, "noted_at": timezone.now()}
    if not folder.account.move_to:
        changes["moved_uid"] = reached  # it stays, whatever the account says later
    with folder.fence():
        cursors.row_of(folder.account).update(**changes)
        if plan.is_renumbered:
            passed_over.forget_others(folder)
            known.forget_others(folder)
