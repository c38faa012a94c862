"""The one way in: `accept` makes a mail durable. Every transport ends here, and answers only afterwards.

A secret of ours that comes back is taken out of it (inbound.returned). Nothing else is decided here. Whether two arrivals are the same mail, whose ticket it is, whether it is
spam: helpdesk.intake, later, with evidence. A mail that cannot be parsed is stored all the same.
"""

import hashlib
import logging
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass

from django.db import DatabaseError, DataError, InterfaceError, close_old_connections, connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from inbound.addresses import mailbox_candidates
from inbound.models import InboundMail, Mailbox, RawMail
from inbound.reading import headers
from inbound.reading.message import Envelope
from inbound.returned import without_secrets
from tasks.ring import ring

log = logging.getLogger(__name__)

# Faults of ours: the caller answers 451, 503 or exit 75, and the sender tries again.
TEMPORARY = (DatabaseError, InterfaceError, OSError)


LARGE = 200_000  # bytes; a larger mail can take seconds to read, and waits in a queue of its own
HEAD = 200_000  # bytes in which the header block ends, for what a row is found by


class UnknownRecipient(Exception):
    """None of the recipients is a mailbox of ours: the sender's mistake, permanent."""


class RecipientsChanged(OSError):
    """Some of the recipients were mailboxes of ours when they were named, and are none now. Temporary: nothing
    is stored, and the sender hears which ones when it names them again."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A mail as a transport hands it over."""

    raw: bytes
    envelope: Envelope
    transport: str
    key: str | None = None  # the transport's own key; a second arrival under it is none
    is_history: bool = False  # from an old archive


def accept(raw: bytes, envelope: Envelope, transport: str, *, key: str | None = None) -> list[int]:
    """Stores a mail, a row for each mailbox among its recipients, and returns their ids after the commit.

    Raises UnknownRecipient when no recipient is ours, and whatever the database raises: then nothing
    is known to be stored, and the answer to the sender must be a temporary one. A known `key`
    returns the ids of its first arrival.
    """
    return accept_many([Arrival(raw, envelope, transport, key)])[0]


def accept_many(arrivals: Sequence[Arrival]) -> list[list[int]]:
    """`accept` for a group in one transaction: all of them are stored, or none."""
    with transaction.atomic():
        known = _mailboxes(
            {a for arrival in arrivals for r in arrival.envelope.rcpt_tos for a in mailbox_candidates(r)}
        )
        seen: dict[str, list[int]] = {}
        if keys := [arrival.key for arrival in arrivals if arrival.key]:
            for pk, key in InboundMail.objects.filter(transport_key__in=keys).values_list("pk", "transport_key"):
                seen.setdefault(str(key), []).append(pk)
        new = [[] if arrival.key in seen else _rows(arrival, known) for arrival in arrivals]
        # Two statements for the whole group; each row's bytes are shared by its mailboxes.
        RawMail.objects.bulk_create([rows[0].raw for rows in new if rows and rows[0].raw])
        InboundMail.objects.bulk_create([row for rows in new for row in rows])
        for row in (row for rows in new for row in rows):
            ring(task_for(row.size), row.pk)
    return [[row.pk for row in rows] or seen[arrival.key or ""] for arrival, rows in zip(arrivals, new, strict=True)]


def mailbox_for(recipient: str) -> Mailbox | None:
    """The active mailbox that mail to `recipient` belongs to; `postmaster` is always somebody's."""
    candidates = list(mailbox_candidates(recipient))
    return _pick(candidates, _mailboxes(candidates))


def is_its_own(error: Exception) -> bool:
    """Whether a mail could not be stored for its own sake, so that another try will fare no better: the fault is not
    the database's, the disk's or a setting's."""
    if isinstance(error, DatabaseError | InterfaceError):
        # PostgreSQL's classes 22 (data exception) and 54 (program limit exceeded): the values, not the server.
        state = str(getattr(error.__cause__, "sqlstate", None) or "")
        return isinstance(error, DataError) or state[:2] in {"22", "54"}
    return not isinstance(error, UnknownRecipient | OSError | MemoryError | ImportError)


def earlier(raw: bytes, mails: QuerySet[InboundMail]) -> InboundMail | None:
    """The first of `mails` that is this one: the same bytes, or the same Message-ID and body."""
    glance = _glance(without_secrets(raw).raw)
    same = Q(sha256=glance.sha256)
    if glance.message_id:
        same |= Q(message_id=glance.message_id, body_sha256=glance.body_sha256)
    return mails.filter(same).order_by("pk").first()


def meaning(raw: bytes) -> tuple[str, ...]:
    """The header fields without which two mails with the same body are not the same mail."""
    head, _ = _head_and_body(raw)
    fields = _fields(head, _MEANING)
    return tuple(" ".join(fields.get(name, "").split()) for name in _MEANING)


# Not Subject, To and Date: a list puts its tag there, and the words can be read all the same.
_MEANING = (
    "content-type", "content-transfer-encoding", "reply-to", "in-reply-to", "references", "auto-submitted", "precedence",
    "list-id", "x-auto-response-suppress",
)  # fmt: skip


def requeue(mails: Iterable[InboundMail], *, force: bool = False) -> int:
    """Makes mails due again, from the beginning; how many were. What is done stays done.

    `force` lets a mail through that was quarantined: a person has looked at it.
    """
    sizes = {mail.pk: mail.size for mail in mails}
    pks = list(sizes)
    with transaction.atomic():
        changed = (
            InboundMail.objects.filter(pk__in=pks)
            .exclude(state__in=[InboundMail.State.DONE, InboundMail.State.RECEIVED])
            .update(
                state=InboundMail.State.RECEIVED, next_attempt_at=timezone.now(), attempts=0, faults=0, error="",
                reason="", waiting_for="", finished_at=None, force=force, to_look_at=None, is_slow=False,
            )
        )  # fmt: skip
        # One that backs off after a fault is due now; its attempts keep their count.
        changed += (
            InboundMail.objects.filter(pk__in=pks, state=InboundMail.State.RECEIVED, next_attempt_at__gt=timezone.now())
            .exclude(error="")
            .update(next_attempt_at=timezone.now())
        )
        for pk, size in sizes.items():
            ring(task_for(size), pk)
    return changed


def task_for(size: int, *, is_slow: bool = False) -> str:
    """The task that reads a mail of that size: forty that are made to be slow hold up no ordinary one."""
    if is_slow:
        return "tasks.inbound.process_slow"
    return "tasks.inbound.process_large" if size > LARGE else "tasks.inbound.process"


def dismiss(rows: "QuerySet[InboundMail]", *, by: str) -> int:
    """Somebody has looked at them, and nothing is to be done; how many. They stay as they are, and can be run again."""
    waiting = rows.filter(to_look_at__isnull=False)
    return waiting.update(to_look_at=None, looked_at=timezone.now(), looked_by=by[:200])


def rest_connection() -> None:
    """For a long-lived thread between two pieces of work: PostgreSQL's connection goes back to the pool, a
    broken one is closed, and SQLite's stays open (closing the last one writes its whole log back)."""
    if connection.vendor == "sqlite":
        connection.close_at = None
    close_old_connections()


def _rows(arrival: Arrival, known: dict[str, Mailbox]) -> list[InboundMail]:
    recipients: dict[int, list[str]] = {}
    for recipient in arrival.envelope.rcpt_tos:
        if mailbox := _pick(list(mailbox_candidates(recipient)), known):
            recipients.setdefault(mailbox.pk, []).append(recipient)
    if recipients and sum(map(len, recipients.values())) < len(arrival.envelope.rcpt_tos):
        raise RecipientsChanged("a recipient is no mailbox of ours any more")
    if not recipients:
        raise UnknownRecipient(", ".join(arrival.envelope.rcpt_tos) or "no recipient")
    sender = _envelope_sender(arrival.envelope.mail_from)
    kept = without_secrets(arrival.raw, arrival.envelope.rcpt_tos, sender)
    glance = _glance(kept.raw)
    raw = RawMail(data=kept.raw)
    return [
        InboundMail(
            mailbox_id=mailbox_id,
            raw=raw,
            transport=arrival.transport,
            transport_key=arrival.key if number == 0 else None,
            mail_from=sender,
            rcpt_to=[headers.one_line(rcpt)[:400] for rcpt in rcpts],
            client=headers.one_line(arrival.envelope.client)[:100],
            results=None if (found := arrival.envelope.results) is None else [asdict(result) for result in found],
            size=len(kept.raw),
            withheld=kept.secret,
            sha256=glance.sha256,
            body_sha256=glance.body_sha256,
            message_id=glance.message_id,
            from_address=glance.from_address,
            subject=glance.subject,
            is_history=arrival.is_history,
        )
        for number, (mailbox_id, rcpts) in enumerate(recipients.items())
    ]


def _envelope_sender(given: str | None) -> str | None:
    """None where it is not known; "" is the null sender, however it is written (Postfix hands a pipe MAILER-DAEMON)."""
    if given is None:
        return None
    sender = headers.one_line(given)[:400]
    return "" if sender.lower() in {"<>", "mailer-daemon", "<mailer-daemon>"} else sender


def _mailboxes(candidates: Iterable[str]) -> dict[str, Mailbox]:
    """Our active mailboxes among `candidates`, and the first of each domain under postmaster@domain."""
    wanted = set(candidates)
    found = {mailbox.address: mailbox for mailbox in Mailbox.objects.filter(address__in=wanted, is_active=True)}
    for candidate in wanted:
        local, _, domain = candidate.rpartition("@")
        # RFC 5321 4.5.1: postmaster is accepted, with a domain of ours or with none.
        if (local or domain) == "postmaster" and candidate not in found:
            suffix = f"@{domain}" if local else ""
            first = Mailbox.objects.filter(address__endswith=suffix, is_active=True).order_by("pk").first()
            if first:
                found[candidate] = first
    return found


def _pick(candidates: list[str], known: dict[str, Mailbox]) -> Mailbox | None:
    return next((known[candidate] for candidate in candidates if candidate in known), None)


@dataclass(frozen=True, slots=True)
class _Glance:
    sha256: str
    body_sha256: str
    message_id: str
    from_address: str
    subject: str


def _glance(raw: bytes) -> _Glance:
    """What the row is found by, read from the header block alone: parsing comes later and may fail. Whatever the bytes,
    there is an answer: what cannot be read is empty."""
    head, body = _head_and_body(raw)
    try:
        fields = _fields(head)
        ids = headers.message_ids(fields.get("message-id", ""))
        senders = headers.addresses(fields.get("from", ""))
        message_id = ids[0] if ids else headers.normal_id(headers.text(fields.get("message-id", "")))
        sender, subject = senders[0].address if senders else "", headers.text(fields.get("subject", ""))[:500]
    except Exception:  # no such mail is known; one that is not stored would stop its transport
        log.exception("the header of a mail of %d bytes cannot be read", len(raw))
        message_id = sender = subject = ""
    return _Glance(
        sha256=hashlib.sha256(raw).hexdigest(),
        body_sha256=hashlib.sha256(body.rstrip()).hexdigest(),
        message_id=message_id,
        from_address=sender,
        subject=subject,
    )


def _head_and_body(raw: bytes) -> tuple[bytes, bytes]:
    end = re.search(rb"\r?\n\r?\n", raw)
    return (raw[: min(end.start(), HEAD)], raw[end.end() :]) if end else (raw[:HEAD], b"")


def _fields(head: bytes, wanted: Collection[str] = ("message-id", "from", "subject")) -> dict[str, str]:
    """The first of each of those fields, unfolded (RFC 5322 2.2.3)."""
    fields: dict[str, list[str]] = {}
    open_field: list[str] | None = None
    for line in head.decode("ascii", "surrogateescape").split("\n"):
        if line[:1] in {" ", "\t"}:
            if open_field is not None:
                open_field.append(line.strip("\r"))
            continue
        name, colon, value = line.partition(":")
        name, open_field = name.strip().lower(), None
        if colon and name in wanted and name not in fields:
            open_field = fields[name] = [value.strip("\r")]
    return {name: " ".join(lines) for name, lines in fields.items()}
