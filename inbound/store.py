"""The one way in: `accept` makes a mail durable. Every transport ends here, and answers only
afterwards.

A secret of ours that comes back is taken out of it (inbound.returned). Nothing else is decided
here. Whether two arrivals are the same mail, whose ticket it is, whether it is spam:
helpdesk.intake, later, with evidence. A mail that cannot be parsed is stored all the same.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.db import DatabaseError, DataError, InterfaceError, transaction
from django.utils import timezone

from inbound.glance import HEAD, glance_at
from inbound.models import InboundMail, Mailbox, RawMail
from inbound.queue import task_for
from inbound.reading import headers
from inbound.reading.message import Envelope
from inbound.recipients import mailbox_among, mailboxes
from inbound.returned import without_secrets
from inbound.rows import insert_values
from tasks.ring import ring

# Faults of ours: the caller answers 451, 503 or exit 75, and the sender tries again.
TEMPORARY = (DatabaseError, InterfaceError, OSError)

TOO_LARGE = "too large"  # InboundMail.reason of what was refused


Row = dict[str, Any]  # columns' attributes and values


class UnknownRecipient(Exception):
    """None of the recipients is a mailbox of ours: the sender's mistake, permanent."""


class Busy(OSError):
    """There is too much to do at once; temporary."""


class RecipientsChanged(OSError):
    """Some of the recipients were mailboxes of ours when they were named, and are none now.
    Temporary: nothing is stored, and the sender hears which ones when it names them again."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A mail as a transport hands it over."""

    raw: bytes
    envelope: Envelope
    transport: str
    key: str | None = None  # the transport's own key; a second arrival under it is none
    is_history: bool = False  # from an old archive


def accept(raw: bytes, envelope: Envelope, transport: str, *, key: str | None = None) -> list[int]:
    """Stores a mail, a row for each mailbox among its recipients, and returns their ids after the
    commit.

    Raises UnknownRecipient when no recipient is ours, and whatever the database raises: then
    nothing is known to be stored, and the answer to the sender must be a temporary one. A known
    `key` returns the ids of its first arrival.
    """
    return accept_many([Arrival(raw, envelope, transport, key)])[0]


def accept_many(arrivals: Sequence[Arrival]) -> list[list[int]]:
    """`accept` for a group in one transaction: all of them are stored, or none."""
    # Not in it: on SQLite nobody else writes meanwhile.
    looked_at = [_look_at(arrival) for arrival in arrivals]
    with transaction.atomic():
        ours = mailboxes(to for arrival in arrivals for to in arrival.envelope.rcpt_tos)
        seen = _seen([arrival.key for arrival in arrivals if arrival.key])
        new = [one for one in looked_at if one.arrival.key not in seen]
        stored = iter(_store(new, [_rows(one, ours) for one in new]))
    return [seen.get(arrival.key or "") or next(stored) for arrival in arrivals]


def _store(new: Sequence["_Looked"], rows: Sequence[list[Row]]) -> Iterator[list[int]]:
    """The ids of each one's rows, which share its bytes."""
    raw_ids = insert_values(RawMail, [{"data": one.raw} for one in new])
    whole = [
        row | {"raw_id": raw_id} for raw_id, its in zip(raw_ids, rows, strict=True) for row in its
    ]
    ids = insert_values(InboundMail, whole)
    for pk, row in zip(ids, whole, strict=True):
        ring(task_for(row["size"]), pk)
    left = iter(ids)
    return ([next(left) for _ in its] for its in rows)


def _seen(keys: list[str]) -> dict[str, list[int]]:
    """The ids of those that are stored under these keys."""
    seen: dict[str, list[int]] = {}
    if keys:
        rows = InboundMail.objects.filter(transport_key__in=keys)
        for pk, key in rows.values_list("pk", "transport_key"):
            seen.setdefault(str(key), []).append(pk)
    return seen


def refuse(head: bytes, envelope: Envelope, transport: str, *, size: int, why: str) -> None:
    """Keeps that a mail of `size` bytes was refused, with its header alone: it lies where people
    look, and a ticket can be made of it. One that is refused again is no other. Its key stays free,
    for the mail may come once it is let in."""
    end = re.search(rb"\r?\n\r?\n", head)
    looked = _look_at(Arrival(head[: end.end() if end else HEAD], envelope, transport))
    columns, *_ = _rows(looked, mailboxes(envelope.rcpt_tos))
    row = InboundMail(**columns, raw=RawMail(data=looked.raw))
    row.size, row.error, row.finished_at = size, why, timezone.now()
    row.state, row.reason = InboundMail.State.QUARANTINED, TOO_LARGE
    row.to_look_at = InboundMail.Look.UNPLACED
    row.evidence = {"rule": "too-large", "kind_reason": why}
    # By its header: what a provider has taken apart is put together with other boundaries each
    # time.
    same = ("reason", "message_id", "from_address", "subject", "size")
    if InboundMail.objects.filter(**{name: getattr(row, name) for name in same}).exists():
        return
    with transaction.atomic():
        assert row.raw is not None
        row.raw.save()
        row.save()


def is_its_own(error: Exception) -> bool:
    """Whether a mail could not be stored for its own sake, so that another try will fare no better:
    the fault is not the database's, the disk's or a setting's."""
    if isinstance(error, DatabaseError | InterfaceError):
        # PostgreSQL's classes 22 (data exception) and 54 (program limit exceeded): the values, not
        # the server.
        state = str(getattr(error.__cause__, "sqlstate", None) or "")
        return isinstance(error, DataError) or state[:2] in {"22", "54"}
    return not isinstance(error, UnknownRecipient | OSError | MemoryError | ImportError)


def _rows(looked: "_Looked", ours: dict[str, Mailbox]) -> list[Row]:
    """A row for each mailbox that it is for; the first one alone has its key. Raises
    UnknownRecipient and RecipientsChanged."""
    recipients = _by_mailbox(looked.arrival.envelope.rcpt_tos, ours)
    return [
        looked.columns
        | {
            "mailbox_id": mailbox_id,
            "transport_key": looked.arrival.key if number == 0 else None,
            "rcpt_to": [headers.one_line(rcpt)[:400] for rcpt in rcpts],
        }
        for number, (mailbox_id, rcpts) in enumerate(recipients.items())
    ]


def _by_mailbox(rcpt_tos: Sequence[str], ours: dict[str, Mailbox]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for recipient in rcpt_tos:
        if mailbox := mailbox_among(recipient, ours):
            found.setdefault(mailbox.pk, []).append(recipient)
    if found and sum(map(len, found.values())) < len(rcpt_tos):
        raise RecipientsChanged("a recipient is no mailbox of ours any more")
    if not found:
        raise UnknownRecipient(", ".join(rcpt_tos) or "no recipient")
    return found


@dataclass(frozen=True, slots=True)
class _Looked:
    """An arrival that was looked at: the bytes that are kept, and what all its rows have in
    common."""

    arrival: Arrival
    raw: bytes
    columns: Row


def _look_at(arrival: Arrival) -> _Looked:
    envelope = arrival.envelope
    sender = _envelope_sender(envelope.mail_from)
    kept = without_secrets(arrival.raw, envelope.rcpt_tos, sender)
    said = envelope.results
    columns = asdict(glance_at(kept.raw)) | {
        "size": len(kept.raw),
        "withheld": kept.secret,
        "transport": arrival.transport,
        "is_history": arrival.is_history,
        "mail_from": sender,
        "client": headers.one_line(envelope.client)[:100],
        "results": None if said is None else [asdict(result) for result in said],
    }
    return _Looked(arrival, kept.raw, columns)


def _envelope_sender(given: str | None) -> str | None:
    """None where it is not known; "" is the null sender, however it is written (Postfix hands a
    pipe MAILER-DAEMON)."""
    if given is None:
        return None
    sender = headers.one_line(given)[:400]
    return "" if sender.lower() in {"<>", "mailer-daemon", "<mailer-daemon>"} else sender
