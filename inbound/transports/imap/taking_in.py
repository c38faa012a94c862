"""Messages are fetched and stored, in their order and in batches that need little memory. One that
cannot be taken in for its own sake holds up no other: see passed_over.py."""

from collections.abc import Iterator

from django.conf import settings

from inbound import store
from inbound.default_mailbox import default_mailbox
from inbound.reading.message import Envelope
from inbound.transports.imap import known, leases, passed_over
from inbound.transports.imap.account import Account
from inbound.transports.imap.asking import asked
from inbound.transports.imap.cursors import note_reached
from inbound.transports.imap.folder import Folder
from inbound.transports.imap.renumbered import is_stored_before

BATCH, BATCH_BYTES = 50, 8_000_000  # what is fetched in one go and shares a commit


def taken_in(
    folder: Folder, uids: list[int], *, alone: int, recognise: bool = False
) -> Iterator[list[int]]:
    """The UIDs as their messages are stored, in their order; those that were stored already among
    them. The first `alone` of those that were not are asked for one at a time, so that it shows at
    which of them the connection ends."""
    start = 0
    while start < len(uids):
        group = uids[start : start + BATCH]
        had = known.among(folder, group)
        if alone and not had.issuperset(group):
            first = next(number for number, uid in enumerate(group) if uid not in had)
            group, alone = group[: first + 1], alone - 1
        start += len(group)
        note_reached(folder)
        for batch in _batches(folder, group, had):
            for stored in _stored(folder, batch, had, recognise=recognise):
                passed_over.forget(folder, stored)
                yield stored


def _batches(folder: Folder, uids: list[int], had: set[int]) -> Iterator[list[int]]:
    """Of a group so many that fetching them needs little memory; without what is too large to be
    fetched at all."""
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


def _stored(
    folder: Folder, uids: list[int], had: set[int], *, recognise: bool
) -> Iterator[list[int]]:
    """The UIDs of the batch as they are stored: all at once, or where that fails one after the
    other. What is gone meanwhile is passed over."""
    raws = _fetched(folder, [uid for uid in uids if uid not in had])
    there = [uid for uid in uids if uid in had or uid in raws]
    arrivals = _arrivals(folder, raws, recognise=recognise)
    try:
        if arrivals:
            _accept(folder, list(arrivals.values()))
    except leases.Lost:
        raise
    except Exception:
        yield from _one_by_one(folder, there, arrivals)
    else:
        if there:
            yield there


def _fetched(folder: Folder, uids: list[int]) -> dict[int, bytes]:
    # PEEK: fetching must not mark as read what is not stored yet.
    found = asked(folder, uids, "BODY.PEEK[]", bytes)
    # Some servers guess the size.
    for uid in [uid for uid, raw in found.items() if len(raw) > settings.MAX_MAIL_BYTES]:
        passed_over.too_large(folder, uid, len(found.pop(uid)))
    return found


def _arrivals(
    folder: Folder, raws: dict[int, bytes], *, recognise: bool
) -> dict[int, store.Arrival]:
    """Without what was stored under other UIDs."""
    envelope = Envelope(None, (_recipient(folder.account),), folder.account.name)
    before: set[int] = set()
    if recognise:
        before = {uid for uid, raw in raws.items() if is_stored_before(folder, uid, raw)}
    elif folder.account.move_to:
        before = known.come_back(folder, raws)
        with folder.fence():
            known.note_come_back(folder, before)
    return {
        uid: store.Arrival(raw, envelope, "imap", folder.key(uid))
        for uid, raw in raws.items()
        if uid not in before
    }


def _recipient(account: Account) -> str:
    if account.mailbox:
        return account.mailbox
    first = default_mailbox()
    return first.address if first else ""


def _one_by_one(
    folder: Folder, there: list[int], arrivals: dict[int, store.Arrival]
) -> Iterator[list[int]]:
    """In their order: the cursor follows, and must not pass over one that is not stored. One that
    cannot be stored for its own sake is passed over; at a fault of ours they end."""
    for uid in there:
        if uid in arrivals:
            try:
                _accept(folder, [arrivals[uid]])
            except Exception as error:
                if isinstance(error, leases.Lost) or not store.is_its_own(error):
                    raise
                passed_over.failed(folder, uid, error, raw=arrivals[uid].raw)
                continue
        yield [uid]


def _accept(folder: Folder, arrivals: list[store.Arrival]) -> None:
    with folder.fence():
        store.accept_many(arrivals)
