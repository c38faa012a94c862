"""What people have looked at by hand: whether an account can be reached, and whether all that its
folder has is stored."""

from itertools import chain

from inbound.models import ImapCursor
from inbound.transports.imap import known, passed_over
from inbound.transports.imap.account import Account
from inbound.transports.imap.connecting import connect
from inbound.transports.imap.folder import open_folder, uids_between
from inbound.transports.imap.taking_in import taken_in

CHECKED = 5000  # the newest of a folder that are compared


def try_out(account: Account) -> str:
    """Signs in and opens the folder; what is there, in words. Raises the server's error, in its own
    words."""
    with connect(account) as client:
        selected = client.select_folder(account.folder, readonly=True)
        idle = (
            "it tells of new mail at once"
            if client.has_capability("IDLE")
            else "it is asked every minute"
        )
        return f"{account.folder} has {int(selected[b'EXISTS'])} messages; {idle}."


def missing(account: Account) -> list[int]:
    """The UIDs that the folder has, up to the cursor, and that were never stored: there should be
    none but what the first contact passed over, and what could not be taken in. The newest CHECKED
    are compared."""
    cursor = ImapCursor.objects.filter(account=account.name).first()
    with connect(account) as client:
        folder = open_folder(client, account, readonly=True)
        if cursor is None or cursor.uid_validity != folder.validity:
            return []
        there = uids_between(folder, cursor.first_uid, cursor.last_uid, most=CHECKED)
        there = sorted({*there, *passed_over.of(folder)})
    had: set[int] = set()
    for start in range(0, len(there), 500):
        had |= known.among(folder, there[start : start + 500])
    return sorted(set(there) - had)


def fetch(account: Account, uids: list[int]) -> int:
    """Stores those messages, wherever the cursor is; how many. What was passed over is tried
    again."""
    with connect(account) as client:
        folder = open_folder(client, account, readonly=True)
        left = passed_over.of(folder)
        again = sorted(uid for uid in uids if uid in left)
        fresh = sorted(uid for uid in uids if uid not in left)
        return sum(
            len(stored)
            for stored in chain(
                taken_in(folder, fresh, alone=0), taken_in(folder, again, alone=len(again))
            )
        )
