"""The books of what arrived: each mailbox, each day, and where every mail ended. They always add
up.

A mail is a row from the moment it is accepted, and a row is in exactly one state: the sum of the
columns is the number of arrivals, by construction and not by counting along.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import Count, DateField, QuerySet, Value
from django.utils import timezone

from helpdesk import counting
from inbound.models import InboundMail, Mailbox

State = InboundMail.State
COLUMNS = (
    "new tickets",
    "comments",
    "held",
    "also elsewhere",
    "reports",
    "duplicates",
    "own mail",
    "quarantined",
    "failed",
    "waiting",
)
LOOK_CAP = 1000
_DONE = {
    "open": "new tickets",
    "comment": "comments",
    "answer": "comments",
    "note": "comments",
    "hold": "held",
    "also elsewhere": "also elsewhere",
}


@dataclass(slots=True)
class Line:
    """One mailbox on one day. `quarantined` says why, by reason; `to_look_at` is how many of what
    is quarantined or failed nobody has looked at yet."""

    day: date
    mailbox: str
    columns: Counter[str] = field(default_factory=Counter)
    quarantined: Counter[str] = field(default_factory=Counter)
    to_look_at: int = 0

    @property
    def arrived(self) -> int:
        return sum(self.columns.values())

    @property
    def reasons(self) -> list[tuple[str, int]]:
        """Why mail was quarantined. (A template would take a Counter's `items` for a key.)"""
        return sorted(self.quarantined.items())

    @property
    def cells(self) -> list[int]:
        return [self.columns[name] for name in COLUMNS]


def lines(
    days: int = 14, mailbox: int | None = None, *, among: QuerySet[InboundMail] | None = None
) -> list[Line]:
    """The newest day first, of all mail or what is `among` it. One query, over the days that are
    shown alone."""
    rows = _all(among)
    if mailbox is not None:
        rows = rows.filter(mailbox=mailbox)
    # A union of days: SQLite would work out the day of each mail by itself, in Python.
    first, *others = [_of_day(rows, day) for day in _last_days(days)]
    counted: Iterable[tuple[date, int, str, str, str | None, int]] = first.union(*others, all=True)
    names = dict(Mailbox.objects.values_list("pk", "address"))
    found: dict[tuple[date, int], Line] = {}
    for day, box, state, reason, look, number in counted:
        line = found.setdefault((day, box), Line(day, str(names.get(box, box))))
        column = _column(state, reason)
        line.columns[column] += number
        if column == "quarantined":
            line.quarantined[reason or "no reason"] += number
        if look in TO_READ:
            line.to_look_at += number
    return sorted(found.values(), key=lambda line: (-line.day.toordinal(), line.mailbox))


def _last_days(days: int) -> list[date]:
    today = timezone.localdate()
    return [today - timedelta(days=ago) for ago in range(days)]


def _of_day(rows: QuerySet[InboundMail], day: date) -> QuerySet[InboundMail, Any]:
    """What came from midnight to midnight here, counted by what the books tell apart."""
    midnight = [
        timezone.make_aware(datetime.combine(date, time()))
        for date in (day, day + timedelta(days=1))
    ]
    return (
        rows.filter(received_at__gte=midnight[0], received_at__lt=midnight[1])
        .order_by()
        .annotate(day=Value(day, output_field=DateField()))
        .values_list("day", "mailbox", "state", "reason", "to_look_at")
        .annotate(number=Count("pk"))
    )


def totals(found: Iterable[Line]) -> Counter[str]:
    total: Counter[str] = Counter()
    for line in found:
        total.update(line.columns)
    return total


def to_look_at(among: QuerySet[InboundMail] | None = None) -> dict[str, int]:
    """How many mails wait for somebody to look, by group; no more than LOOK_CAP are counted."""
    return _waiting(InboundMail.Look.values, among)


# What somebody should read; the other groups are looked through now and then.
TO_READ = (InboundMail.Look.UNPLACED, InboundMail.Look.FAILED, InboundMail.Look.AUTOMATIC)


def to_read(among: QuerySet[InboundMail] | None = None) -> int:
    """How many mails somebody should read: the count in the navigation, in the ledger and in
    health."""
    return sum(_waiting(TO_READ, among).values())


def _waiting(groups: Sequence[str], among: QuerySet[InboundMail] | None) -> dict[str, int]:
    rows = [_all(among).filter(to_look_at=group) for group in groups]
    numbers = counting.up_to(LOOK_CAP, rows)
    return {group: number for group, number in zip(groups, numbers, strict=True) if number}


def backlog() -> dict[int, int]:
    """How many mails wait, by mailbox."""
    waiting: dict[int, int] = defaultdict(int)
    rows = (
        InboundMail.objects.filter(state=State.RECEIVED)
        .values_list("mailbox")
        .order_by()
        .annotate(Count("pk"))
    )
    for mailbox, number in rows:
        waiting[mailbox] = number
    return waiting


def _all(among: QuerySet[InboundMail] | None) -> QuerySet[InboundMail]:
    return InboundMail.objects.all() if among is None else among


def _column(state: str, reason: str) -> str:
    if state == State.DONE:
        return _DONE.get(reason, "reports")  # what came back to us about mail that we sent
    if state == State.IGNORED:
        return "duplicates" if reason == "duplicate" else "own mail"
    return {State.QUARANTINED: "quarantined", State.FAILED: "failed"}.get(State(state), "waiting")
