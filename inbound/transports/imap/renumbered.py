"""A folder that the server has numbered anew: under another UIDVALIDITY, or, against RFC 3501
2.3.1.1, under the same one.

What came after the account's first contact is read again, and what is stored already is recognised.
"""

import logging
from datetime import datetime, timedelta

from django.db import transaction

from inbound.models import ImapCursor, InboundMail
from inbound.stored import earlier
from inbound.transports.imap import known, passed_over
from inbound.transports.imap.asking import asked
from inbound.transports.imap.cursors import note_reached, row_of
from inbound.transports.imap.folder import Folder, keys_of, uids

log = logging.getLogger(__name__)

TOGETHER = 50  # messages whose dates are asked for in one command


def is_made_anew(folder: Folder, cursor: ImapCursor) -> bool:
    """Whether other messages have the UIDs that are behind the cursor, under the same UIDVALIDITY,
    against RFC 3501 2.3.1.1."""
    if cursor.uid_validity != folder.validity or not 0 < folder.uid_next <= cursor.last_uid:
        return False
    # Where it is there, UIDNEXT is wrong.
    return not folder.client.search(["UID", str(cursor.last_uid)])


def forget_numbers(folder: Folder, cursor: ImapCursor) -> None:
    """The folder is begun as under a new UIDVALIDITY; a negative one says until then why."""
    cursor.uid_validity = -folder.validity
    with folder.fence(), transaction.atomic():
        known.set_aside(folder)
        passed_over.forget_all(folder)
        row_of(folder.account).update(uid_validity=cursor.uid_validity)


def came_since(folder: Folder, moment: datetime) -> list[int]:
    """The UIDs of what came since then, by the server's own date of arrival (RFC 9051 2.3.3), which
    a copy keeps."""
    # SINCE disregards time and zone: a day earlier is a day everywhere.
    near = uids(folder, "SINCE", (moment - timedelta(days=1)).date())
    found: list[int] = []
    for start in range(0, len(near), TOGETHER):
        dates = asked(folder, near[start : start + TOGETHER], "INTERNALDATE", datetime)
        # The server's dates have no fractions of a second.
        found += [uid for uid, date in dates.items() if date >= moment.replace(microsecond=0)]
        note_reached(folder)
    return sorted(found)


def is_stored_before(folder: Folder, uid: int, raw: bytes) -> bool:
    """Under another UIDVALIDITY. It gets the key that it has now: it is known from here on."""
    before = InboundMail.objects.filter(transport_key__startswith=keys_of(folder.account))
    mail = earlier(raw, before.exclude(transport_key__startswith=folder.keys))
    if mail is None:
        return False
    InboundMail.objects.filter(pk=mail.pk).update(transport_key=folder.key(uid))
    return True


def says_of_numbers(folder: Folder, cursor: ImapCursor, newer: int) -> str:
    """For the account's page. `newer` of its messages came since the first contact."""
    older = max(0, folder.count - newer)
    how = f"UIDVALIDITY {cursor.uid_validity} is now {folder.validity}"
    if cursor.uid_validity < 0:
        how = (
            f"UIDNEXT is {folder.uid_next}, and UID {cursor.last_uid} was read before, "
            "under the same UIDVALIDITY"
        )
    first = f"{cursor.first_contact_at:%Y-%m-%d %H:%M} UTC"
    words = (
        f"The server has numbered the folder anew ({how}). "
        f"{older} messages from before the first contact ({first}) were passed over; "
        f"of {newer} since then, what was stored already was not stored again."
    )
    log.warning("IMAP %s: %s", folder.account.name, words)
    return words
