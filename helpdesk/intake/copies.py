"""Mail that has been here before: our own, come back, and the same mail again."""

from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import Q, QuerySet

from helpdesk.facts import Several
from helpdesk.intake.plan import ALSO, SAME_BYTES, WRITES, Plan
from helpdesk.intake.understood import Understood
from helpdesk.models import OutboundMail
from inbound import glance
from inbound.addresses import read_own_mark, read_token
from inbound.models import InboundMail
from inbound.prepared import Prepared, padded
from inbound.reading.message import Evidence
from inbound.reading.ours import MARK_HEADER
from inbound.reading.proof import Verdict as Proven
from inbound.reading.sender import is_ours

SAME_BYTES_WITHIN = timedelta(days=1)

State = InboundMail.State


def loop(mail: Understood) -> Plan | None:
    """Our own mail, come back: proven by the mark that only we can write, or known by its id."""
    if mail.row.force:
        return None
    marks = mail.parsed.headers.get(MARK_HEADER.lower(), [])
    named = [pk for mark in marks[:5] if (pk := read_own_mark(mark)) is not None]
    # Some programs keep every header when they send a mail again, in somebody's own name.
    from_us = is_ours(mail.parsed.from_.address, mail.ours)
    if (
        named
        and from_us
        and (sent := OutboundMail.objects.filter(pk__in=named).first())
        and _may_be(sent, mail)
    ):
        return Plan(
            "ignore", "loop", reason="loop", evidence={"outbound": sent.pk, "by": "our mark"}
        )
    # A provider may put in an id of its own. An id alone proves nothing: people know the ids of
    # what we sent them.
    if mail.row.message_id and from_us:
        known = Q(message_id=mail.row.message_id) | Q(provider_message_id=mail.row.message_id)
        if sent := OutboundMail.objects.filter(known).first():
            return Plan(
                "ignore", "loop", reason="loop", evidence={"outbound": sent.pk, "by": "Message-ID"}
            )
    return None


def _may_be(sent: OutboundMail, mail: Understood) -> bool:
    """An archive may be of an earlier installation with the same keys, where another mail had that
    number."""
    return not mail.row.is_history or sent.to_address in {
        found.address for found in (*mail.parsed.to, *mail.parsed.cc)
    }


def duplicate(mail: Understood) -> Plan | None:
    """Same Message-ID, From and body; or, without a Message-ID, the same bytes within a day. Only
    of mail that is in a ticket, where it can be read: what was dropped or lies in quarantine stands
    for nothing."""
    row = mail.row
    if row.message_id:
        by = "Message-ID, From and body"
        found = _others(row, same_message(what_it_says(row)))
        found = [
            seen
            for seen in found
            if _says_the_same(mail, seen.pk) and not _is_better_proven(mail, seen.pk)
        ]
    else:
        by = SAME_BYTES
        since = row.received_at - SAME_BYTES_WITHIN
        found = _others(
            row, [seen for seen in same_bytes(row.sha256) if seen.at and seen.at > since]
        )
    if not found:
        return None
    first, mailbox, ticket, address = next(
        (seen[:4] for seen in found if seen.mailbox == row.mailbox_id), found[0][:4]
    )
    seen: Evidence = {"duplicate_of": first, "by": by, "at": mailbox}
    if mailbox != row.mailbox_id:
        return Plan(
            "also", "duplicate", reason=ALSO, ticket=ticket, evidence={**seen, "came_to": address}
        )
    return Plan("ignore", "duplicate", reason="duplicate", ticket=ticket, evidence=seen)


def _says_the_same(mail: Understood, first: int) -> bool:
    """Whether what gives a body its meaning is the same, too: a copy that somebody else has sent
    ahead is another mail."""
    row = mail.row
    other = InboundMail.objects.select_related("raw").get(pk=first)
    if _tokens(row) != _tokens(other):
        return False
    if other.sha256 == row.sha256 or other.raw is None or row.raw is None:
        return True
    return glance.meaning(other.raw.content) == glance.meaning(row.raw.content)


def _is_better_proven(mail: Understood, first: int) -> bool:
    """Whether the other one is held, and this one is from whom it says: a forged copy that was sent
    ahead stands for nothing."""
    other = InboundMail.objects.get(pk=first)
    return (
        other.reason == "hold"
        and mail.proof.verdict is Proven.AUTHENTICATED
        and (other.proof or {}).get("verdict") != Proven.AUTHENTICATED
    )


def _tokens(row: InboundMail) -> set[object]:
    return {token for address in row.rcpt_to if (token := read_token(str(address))) is not None}


Said = tuple[str, str, str]  # Message-ID, From and body


class Seen(NamedTuple):
    """A mail that is in a ticket."""

    pk: int
    mailbox: int
    ticket: int | None
    address: str  # the mailbox's
    at: datetime | None = None


def note(row: InboundMail) -> None:
    """That mail has just ended: another one of this set may be the same."""
    if row.state == State.DONE and row.reason in _IN_A_TICKET:
        seen = Seen(row.pk, row.mailbox_id, row.ticket_number, row.mailbox.address)
        if same_message.is_known(said := what_it_says(row)):
            same_message(said).append(seen)
        if same_bytes.is_known(row.sha256):
            same_bytes(row.sha256).append(seen._replace(at=row.received_at))


def _others(row: InboundMail, seen: list[Seen]) -> list[Seen]:
    return [found for found in sorted(seen, key=lambda one: one.pk) if found.pk != row.pk][:MOST]


def what_it_says(row: InboundMail) -> Said:
    return row.message_id, row.from_address, row.body_sha256


def _same_message(wanted: list[Said]) -> dict[Said, list[Seen]]:
    found: dict[Said, list[Seen]] = {}
    ids, _, bodies = (padded(column) for column in zip(*wanted, strict=True))
    for message_id, sender, body, *seen in _saying(ids, bodies):
        found.setdefault((message_id, sender, body), []).append(Seen(*seen))
    return found


def _same_bytes(wanted: list[str]) -> dict[str, list[Seen]]:
    found: dict[str, list[Seen]] = {}
    for sha256, *seen in (
        _in_tickets().filter(sha256__in=wanted).values_list("sha256", *_SEEN, "received_at")
    ):
        found.setdefault(sha256, []).append(Seen(*seen))
    return found


def _in_tickets() -> "QuerySet[InboundMail]":
    # Said by what it is not: SQLite would take the index of the states for what it is, and read all
    # that is done.
    others = InboundMail.objects.exclude(
        state__in=[found for found in State.values if found != State.DONE]
    )
    return others.filter(reason__in=_IN_A_TICKET).order_by("pk")


MOST, MANY = 5, 2000
_IN_A_TICKET = [*sorted(WRITES), ALSO]
_SAID = ("message_id", "from_address", "body_sha256")
_SEEN = ("pk", "mailbox", "ticket_number", "mailbox__address")
_saying = Prepared(
    lambda ids, bodies: (  # not by the sender: an index by that would be taken
        _in_tickets()
        .filter(message_id__in=ids, body_sha256__in=bodies)
        .values_list(*_SAID, *_SEEN)[:MANY]
    )
)
same_message: Several[Said, Seen] = Several(_same_message)
same_bytes: Several[str, Seen] = Several(_same_bytes)
