"""A set of mails, decided about and written in one transaction: facts, then a decision for each in
turn, then what follows from them all, in one statement a table.

Each mail is decided about as if it were alone and those before it were done: what they make is
known to those behind them (helpdesk.facts). A set whose transaction fails is written one by one by
whoever asked for it, so that a mail that cannot be written keeps no other one waiting.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from helpdesk import actions, changes, facts, participants, people
from helpdesk.actions.common import by_number
from helpdesk.intake import copies, senders, threads, unwanted
from helpdesk.intake.apply import apply
from helpdesk.intake.decide import decide
from helpdesk.intake.plan import ARCHIVED, WRITES, Plan
from helpdesk.intake.understood import Understood
from helpdesk.outbound import kept_back
from helpdesk.sla import clocks
from inbound import proving
from inbound.models import InboundMail

# How long a set decides before it writes what it has: on SQLite everybody else who writes waits for
# it, elsewhere only those who need the same tickets.
SECONDS = {"sqlite": 0.035, "postgresql": 0.25}
AT_LEAST = 8  # mails of a set, however slow the machine is: what they share is looked up once
MAX_KEYS = 500  # that one transaction locks: PostgreSQL has a table of some thousands for everybody

Stored = Mapping[int, dict[int, str]]  # of a mail by its number: part → the name of its file


def carry_out(
    mails: Sequence[Understood], stored: Stored, is_held: Callable[[list[InboundMail]], set[int]]
) -> tuple[list[InboundMail], list[Understood]]:
    """Decides about the mails and writes what follows, in one transaction; their rows as they are
    then, and those that it did not get to. `is_held` locks the mails' rows, and says which of them
    are still this worker's: of the others nothing is written. A mail that is to be written and has
    files must be among `stored`, or it is left, too."""
    ended: list[InboundMail] = []
    waiting = in_order(mails)[: _how_many(mails)]
    left = [mail for mail in mails if mail not in waiting]
    started = time.monotonic()
    most = SECONDS[connection.vendor]
    with transaction.atomic(), facts.of_a_set(), changes.gathered():
        _lock(waiting)
        held = is_held([mail.row for mail in waiting])
        waiting = [mail for mail in waiting if mail.row.pk in held]
        _look_up(waiting)
        for number, mail in enumerate(waiting):
            if number >= AT_LEAST and time.monotonic() - started > most:
                return ended, [*waiting[number:], *left]
            plan = decide(mail)
            if plan.do in WRITES and mail.files and mail.row.pk not in stored:
                left.append(mail)
            else:
                ended.append(_end(mail, plan, stored.get(mail.row.pk, {})))
    return ended, left


def in_order(mails: Sequence[Understood]) -> list[Understood]:
    """As they came, but for an answer that overtook what it answers."""
    waiting, ordered = sorted(mails, key=lambda mail: mail.row.pk), []
    while waiting:
        ids = {mail.row.message_id: mail for mail in reversed(waiting) if mail.row.message_id}
        first = next(
            (
                mail
                for mail in waiting
                if all(ids.get(found, mail) is mail for found in threads.parent_ids(mail.parsed))
            ),
            waiting[0],  # they answer each other
        )
        waiting.remove(first)
        ordered.append(first)
    return ordered


def _how_many(mails: Sequence[Understood]) -> int:
    """So many of them that their keys fit into one transaction; at least one."""
    keys: set[str] = set()
    for number, mail in enumerate(mails):
        keys |= _keys(mail)
        if number and len(keys) > MAX_KEYS:
            return number
    return len(mails)


def _lock(mails: Sequence[Understood]) -> None:
    """No other worker decides about these threads, bytes or people meanwhile: two mails that share
    an id, or one's id and the other's reference, take at least one lock in common."""
    actions.take_turns({key for mail in mails for key in _keys(mail)})


def _keys(mail: Understood) -> set[str]:
    people_in_it = [mail.sender, *mail.parsed.to, *mail.parsed.cc][: settings.MAX_PEOPLE_FROM_MAIL]
    return {
        mail.parsed.message_id,
        *threads.parent_ids(mail.parsed),
        mail.row.sha256,
        f"from {mail.sender.address}",
        *(f"from {found.address}" for found in people_in_it),
    }


def _look_up(mails: Sequence[Understood]) -> None:
    """What nearly every mail is decided by, for all of them at once."""
    addresses = {mail.sender.address for mail in mails} - {""}
    own = {mail.row.message_id for mail in mails} - {""}
    parents = {found for mail in mails for found in threads.parent_ids(mail.parsed)}
    copies.same_message.ahead(
        copies.what_it_says(mail.row) for mail in mails if mail.row.message_id
    )
    unwanted.blocked_by.ahead(
        pattern
        for address in {*addresses, *(mail.parsed.from_.address for mail in mails)}
        for pattern in unwanted.patterns_of(address)
    )
    people.by_address.ahead(
        found.address.lower()
        for mail in mails
        for found in (mail.sender, *mail.parsed.to, *mail.parsed.cc)
        if found.address
    )
    threads.led_to.ahead([*parents, *own])
    threads.sent_as.ahead(parents)
    threads.unread.ahead([*parents, *own])
    senders.trusted_ways.ahead(address.lower() for address in addresses)
    senders.proven_days.ahead(address.lower() for address in addresses)
    kept_back.is_suppressed.ahead(address.lower() for address in addresses)
    kept_back.automatic_to.ahead(address.lower() for address in addresses)
    _look_up_tickets(mails)


def _look_up_tickets(mails: Sequence[Understood]) -> None:
    pointed_at: dict[int, list[Understood]] = {}
    for mail in mails:
        for candidate in threads.locate(mail.parsed, mail.named).candidates:
            pointed_at.setdefault(candidate.ticket, []).append(mail)
    by_number.ahead(sorted(pointed_at))
    clocks.clocks_of.ahead(pointed_at)
    known = {mail.row.pk: people.find(mail.sender.address) for mail in mails}
    participants.row_of.ahead(
        (ticket, person.pk)
        for ticket, pointing in pointed_at.items()
        for mail in pointing
        if (person := known[mail.row.pk]) is not None
    )


def _end(mail: Understood, plan: Plan, stored: dict[int, str]) -> InboundMail:
    row = copy(mail.row)  # that one stays as it is, for another try
    if plan.do == "wait":
        # Not an attempt: its parent is stored and will wake it when it is done.
        changes.update(
            row,
            attempts=row.attempts - 1,
            waiting_for=plan.waiting_for[:500],
            next_attempt_at=timezone.now() + timedelta(seconds=1),
            proof=proving.pack(mail.proof),
        )
        return row
    changes.update(row, **apply(mail, plan, stored))
    if row.message_id and threads.unread.is_known(row.message_id):
        unread = threads.unread(row.message_id)
        unread[:] = [pk for pk in unread if pk != row.pk]
    copies.note(row)
    if plan.do not in _KNOWN or plan.rule in {"forwarded", ARCHIVED}:
        facts.forget()
    return row


# What is done by `insert` and `update` alone: the facts know of it.
_KNOWN = {"open", "comment", "hold", "ignore", "also", "quarantine"}
