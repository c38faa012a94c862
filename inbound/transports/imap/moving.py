"""What is stored is moved to the folder that the account names: each message once, whatever breaks
off in between."""

import logging

from imapclient import DELETED, IMAPClient
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

from inbound.imap_folders import is_same_folder
from inbound.models import InboundMail
from inbound.transports.imap import known
from inbound.transports.imap.account import Account
from inbound.transports.imap.cursors import note_moved
from inbound.transports.imap.folder import Folder, uids_between

log = logging.getLogger(__name__)

TOGETHER = 50  # in one command
GIVEN_UP = 3  # refusals one after the other, after which no more is tried at this contact


def move_on(folder: Folder, moved_uid: int, to: int, *, was_cut: bool) -> str:
    """Moves what lies over `moved_uid`, and not over `to`, and is stored; notes how far it got.
    What went wrong, or "".

    All of it is stored and marked by now: where it lies holds up nothing. What is refused is tried
    again at the next contact. `was_cut`: the last contact broke off, so the first of these may lie
    in the other folder already. Raises where the connection ends, and leases.Lost."""
    if trouble := _cannot_move(folder.client, folder.account):
        return trouble
    # What is marked as deleted has been copied (see _move), or nobody wants it.
    there = uids_between(folder, moved_uid, to, "UNDELETED")
    refused: list[int] = []
    for start in range(0, len(there), TOGETHER):
        group = there[start : start + TOGETHER]
        wanted = sorted(known.stored(folder, group))
        if was_cut and wanted and not folder.client.has_capability("MOVE"):
            wanted, was_cut = _without_copied(folder, wanted), False
        failed, words = _moved(folder, wanted)
        refused, trouble = refused + failed, words or trouble
        note_moved(folder, refused[0] - 1 if refused else group[-1])
        if len(failed) >= GIVEN_UP:
            return trouble
    if not refused:
        note_moved(folder, to)
    return trouble


def _cannot_move(client: IMAPClient, account: Account) -> str:
    """What is wrong with the folder for what is stored, or "". One that is not there is made."""
    try:
        if _is_watched(client, account):
            return f"what is stored is not moved: {account.move_to} is the watched folder itself"
        if not client.folder_exists(account.move_to):
            client.create_folder(account.move_to)
    except IMAPClientAbortError:
        raise
    except IMAPClientError as error:
        return _says_of_moving(account, error)
    return ""


def _is_watched(client: IMAPClient, account: Account) -> bool:
    names = [account.folder.lower(), account.move_to.lower()]
    if not names[0].endswith(names[1]) and not names[1].endswith(names[0]):
        return is_same_folder(account.folder, account.move_to)
    prefixes = (client.namespace().personal or ()) if client.has_capability("NAMESPACE") else ()
    return is_same_folder(
        account.folder, account.move_to, [str(prefix) for prefix, _ in prefixes if prefix]
    )


def _moved(folder: Folder, uids: list[int]) -> tuple[list[int], str]:
    """Those that the server did not move, and why."""
    if not uids:
        return [], ""
    folder.confirm()
    try:
        _move(folder, uids)
    except IMAPClientAbortError:
        raise
    except IMAPClientError as error:
        if len(uids) == 1:
            return uids, _says_of_moving(folder.account, error)
        return _moved_alone(folder, uids)
    return [], ""


def _moved_alone(folder: Folder, uids: list[int]) -> tuple[list[int], str]:
    """One may be what all were refused for."""
    failed: list[int] = []
    trouble, in_a_row = "", 0
    for number, uid in enumerate(uids):
        more, words = _moved(folder, [uid])
        failed, trouble, in_a_row = failed + more, words or trouble, in_a_row + 1 if more else 0
        if in_a_row == GIVEN_UP:
            return failed + uids[number + 1 :], trouble
    return failed, trouble


def _move(folder: Folder, uids: list[int]) -> None:
    """By MOVE (RFC 6851), or by COPY where the server has none."""
    client = folder.client
    if client.has_capability("MOVE"):
        client.move(uids, folder.account.move_to)
    else:
        client.copy(uids, folder.account.move_to)
        _remove(folder, uids)


def _remove(folder: Folder, uids: list[int]) -> None:
    client = folder.client
    client.add_flags(uids, [DELETED], silent=True)
    if client.has_capability("UIDPLUS"):
        client.uid_expunge(uids)
        return
    # EXPUNGE takes all that is marked (RFC 3501 6.4.3). What somebody else has marked and not
    # removed yet is theirs to remove: until they have, ours stay with it, marked.
    marked = client.search(["DELETED"])
    if set(marked) <= known.stored(folder, marked):
        client.expunge()


def _without_copied(folder: Folder, uids: list[int]) -> list[int]:
    """Without those that the other folder has by their Message-IDs: they were copied when the
    connection ended, and are only removed here."""
    client, account = folder.client, folder.account
    keys = {folder.key(uid): uid for uid in uids}
    rows = InboundMail.objects.filter(transport_key__in=list(keys)).exclude(message_id="")
    ids = {
        keys[str(key)]: name
        for key, name in rows.values_list("transport_key", "message_id")
        if name.isascii()
    }
    client.select_folder(account.move_to, readonly=True)
    copied = [uid for uid, name in ids.items() if client.search(["HEADER", "Message-ID", name])]
    client.select_folder(account.folder)
    if copied:
        folder.confirm()
        _remove(folder, copied)
    return [uid for uid in uids if uid not in copied]


def _says_of_moving(account: Account, error: Exception) -> str:
    log.warning("IMAP %s: cannot move to %s: %s", account.name, account.move_to, error)
    return f"what is stored cannot be moved to {account.move_to}: {error}"[:1000]
