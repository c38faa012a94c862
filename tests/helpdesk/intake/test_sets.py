"""Mail in sets: what becomes of it is what becomes of each alone, in whatever sets it comes, with
others beside it, and whenever the worker dies."""

import difflib
import os
import random
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db import connection, connections, transaction
from django.utils import timezone

from helpdesk import actions, changes, facts
from helpdesk.actions import Content
from helpdesk.intake import decide as deciding
from helpdesk.intake import sets, understood
from helpdesk.models import (
    Attachment,
    BlockedSender,
    Comment,
    MessageRef,
    OutboundMail,
    Person,
    Ticket,
)
from inbound import store
from inbound.addresses import bounce_address, reply_address
from inbound.models import InboundMail
from inbound.reading.message import Envelope
from tasks import inbound as inbound_tasks
from tasks import leasing
from tests.inbound.reading.test_classify import DSN
from tests.support.mail import (
    SUPPORT,
    agent,
    another_worker_has,
    arrive,
    customer,
    eml,
    mailbox,
    receive,
    ticket_of,
)

pytestmark = pytest.mark.django_db
MAILS = int(os.environ.get("SET_MAILS", "90"))
SEED = int(os.environ.get("SET_SEED", "1"))


@pytest.fixture(autouse=True)
def nothing_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is."""
    monkeypatch.setattr(inbound_tasks, "LATE", 20.0)


# --- A day's mail, with everything that hangs together


@dataclass
class Day:
    """Threads of mails, each in the order in which its mails must come; and what was there before:
    a ticket with an answer that has gone out."""

    threads: list[list[Callable[["Before"], tuple[bytes, str, str]]]] = field(default_factory=list)


@dataclass
class Before:
    ticket: Ticket
    answer: OutboundMail
    requester: Person


def day(seed: int, count: int) -> Day:
    rng = random.Random(seed)
    made, found = 0, Day()
    while made < count:
        thread = _thread(rng, len(found.threads))
        found.threads.append(thread)
        made += len(thread)
    return found


KINDS = ["replies", "replies", "replies", "overtaken", "copies", "stranger", "bounce", "machine"]
KINDS += ["blocked", "answers ours", "two boxes", "file", "no id"]


def _thread(rng: random.Random, n: int) -> list[Callable[[Before], tuple[bytes, str, str]]]:
    who = f"p{rng.randrange(12)}@example.net"
    first = _mail(f"t{n}.0@x", who, f"Matter {n}", cc="friend@example.org" * rng.randrange(2))
    kind = rng.choice(KINDS)
    parent = f"<t{n}.0@x>"
    if kind == "overtaken":
        return [_mail(f"t{n}.1@x", who, "Re", in_reply_to=parent), first]
    if kind == "copies":
        return [first, first, _mail(f"t{n}.1@x", who, "Re", in_reply_to=parent), first]
    if kind == "stranger":
        eve = _mail(f"t{n}.1@x", "eve@example.org", "Re", in_reply_to=parent)
        return [first, eve, _mail(f"t{n}.2@x", "eve@example.org", "Re", references=parent)]
    if kind == "bounce":
        return [lambda b: (DSN, "", bounce_address(SUPPORT, b.answer.pk))]
    if kind == "machine":
        auto = {"auto_submitted": "auto-replied", "in_reply_to": parent}
        return [first, _mail(f"t{n}.1@x", who, "Automatic reply: Matter", **auto)]
    if kind == "blocked":
        return [_mail(f"t{n}.0@x", "x@blocked.example", "Buy")]
    if kind == "answers ours":
        return [_answer(f"t{n}.{m}@x") for m in range(rng.randrange(1, 4))]
    if kind == "two boxes":
        return [first, lambda b: _to("sales@example.com", first(b))]
    if kind == "file":
        return [first, _with_file(f"t{n}.1@x", who, parent)]
    if kind == "no id":
        return [_mail("", who, "No id"), _mail("", who, "No id")]
    return [
        first,
        *(
            _mail(f"t{n}.{m}@x", who, "Re", in_reply_to=f"<t{n}.{m - 1}@x>", references=parent)
            for m in range(1, rng.randrange(2, 6))
        ),
    ]


def _mail(message_id: str, who: str, subject: str, **headers: str) -> Callable[[Before], Any]:
    cc = {name: value for name, value in headers.items() if value}
    raw = eml(f"Words of {message_id}", sender=who, subject=subject, message_id=message_id, **cc)
    return lambda before: (raw, who, SUPPORT)


def _answer(message_id: str) -> Callable[[Before], Any]:
    """To the reply address in our mail to the ticket's requester."""
    return lambda b: _to(
        reply_address(SUPPORT, b.ticket.pk, b.requester.pk),
        _mail(message_id, b.requester.email, "Re")(b),
    )


def _with_file(message_id: str, who: str, parent: str) -> Callable[[Before], Any]:
    raw = (
        f"From: {who}\nSubject: Re\nMessage-ID: <{message_id}>\nIn-Reply-To: {parent}\n"
        "Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: text/plain\n\nA file.\n"
        '--o\nContent-Type: application/pdf\nContent-Disposition: attachment; filename="a.pdf"\n\n'
        f"PDF {message_id}\n--o--\n"
    ).encode()
    return lambda before: (raw, who, SUPPORT)


def _to(address: str, mail: tuple[bytes, str, str]) -> tuple[bytes, str, str]:
    return mail[0], mail[1], address


def shuffled(found: Day, seed: int) -> Iterator[Callable[[Before], tuple[bytes, str, str]]]:
    """Threads among each other in any order, each thread in its own."""
    rng = random.Random(seed)
    left = [list(thread) for thread in found.threads]
    while left:
        thread = rng.choice(left)
        yield thread.pop(0)
        if not thread:
            left.remove(thread)


def before() -> Before:
    mailbox("sales@example.com")
    mailbox()
    BlockedSender.objects.create(pattern="@blocked.example")
    ticket = ticket_of(receive(eml("From before", sender="zoe@example.net", message_id="before@x")))
    comment = actions.reply(ticket, Content(text="We look."), actor=agent())
    answer = OutboundMail.objects.get(comment=comment)
    OutboundMail.objects.update(state="sent")
    return Before(ticket, answer, ticket.requester)


def stored(mails: Iterator[Callable[[Before], tuple[bytes, str, str]]], b: Before) -> list[int]:
    pks = []
    for make in mails:
        raw, sender, to = make(b)
        pks += store.accept(raw, Envelope(sender, (to,), "127.0.0.1 (test)"), "smtp")
    return pks


def process_all() -> None:
    """Until nothing waits, as workers and the sweep would."""
    for _ in range(20):
        rows = InboundMail.objects.filter(state="received").order_by("pk")
        pks = list(rows.values_list("pk", flat=True))
        if not pks:
            return
        for pk in pks:
            inbound_tasks.process(pk)
        rows.update(next_attempt_at=timezone.now())
    raise AssertionError(f"still waiting: {pks}")


# --- What became of it, without what may differ: numbers, ids of our own, moments


def outcome() -> list[str]:
    names = {
        ticket.pk: ticket.comments.order_by("pk").first().mail.message_id  # type: ignore[union-attr]
        or f"no id: {ticket.subject}"
        for ticket in Ticket.objects.all()
    }
    lines = [
        f"mail {m.message_id} at {m.mailbox.address}: {m.state} {m.reason} {m.attempts} "
        f"{m.evidence.get('rule')} {m.to_look_at} in {names.get(m.ticket_number or 0)}"
        for m in InboundMail.objects.select_related("mailbox")
    ]
    lines += map(str, Person.objects.values_list("email", "name", "role", "language"))
    for ticket in Ticket.objects.all():
        lines += (f"{what} of {names[ticket.pk]}: {is_so}" for what, is_so in _ticket(ticket))
    return sorted(lines)


def _ticket(ticket: Ticket) -> Iterator[tuple[str, Any]]:
    yield "is", (ticket.subject, ticket.requester.email, ticket.status, ticket.version)
    yield "waits", ticket.customer_waits_since is not None
    for row in ticket.participants.values_list("person__email", "role", "address"):
        yield "people", row
    for c in ticket.comments.all():
        files = sorted((a.name, a.size, a.file.read()) for a in c.attachments.all())
        said = (c.text, c.visibility, str(c.author), c.is_automatic, c.held_reason, c.times)
        yield "comments", (*said, files)
    for e in ticket.events.all():
        yield "events", (e.kind, str(e.actor), _plain(e.data))
    for ref in ticket.message_refs.all():
        yield "refs", (ref.kind, "" if ref.kind == MessageRef.Kind.SENT else ref.message_id)
    for m in ticket.outbound.select_related("comment"):
        subject, parent = (re.sub(r"(#|ticket-)\d+", "", s) for s in (m.subject, m.in_reply_to))
        about = m.comment.text if m.comment else ""
        yield "out", (m.kind, m.to_address, m.state, m.reason, parent, subject, about)
    yield "found", _words_indexed(ticket)


def _plain(data: dict[str, Any]) -> str:
    return str(
        sorted(
            (key, value) for key, value in data.items() if key not in {"comment", "mail", "waited"}
        )
    )


def _words_indexed(ticket: Ticket) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM helpdesk_search WHERE ticket_id = %s", [ticket.pk])
        return int(cursor.fetchone()[0])


class _Undone(Exception):
    pass


@contextmanager
def undone() -> Iterator[None]:
    """What is done is taken back at the end."""
    with suppress(_Undone), transaction.atomic():
        yield
        raise _Undone


def become(
    found: Day, order: int, at_once: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    with undone():
        b = before()
        stored(shuffled(found, order), b)
        with monkeypatch.context() as patch:
            patch.setattr(
                inbound_tasks,
                "lease_due",
                lambda rows, most, **how: leasing.lease_due(rows, at_once(), **how),
            )
            process_all()
        return outcome()


@pytest.mark.parametrize("seed", range(SEED, SEED + 3))
def test_in_any_sets_and_any_order_the_same_becomes_of_it_as_one_by_one(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sets, "SECONDS", dict.fromkeys(sets.SECONDS, 60.0))
    found, rng = day(seed, MAILS), random.Random(seed)
    alone = become(found, seed, lambda: 1, monkeypatch)
    assert sum(line.startswith("comments") for line in alone) > MAILS / 2
    together = become(found, seed, lambda: rng.randrange(1, 26), monkeypatch)
    assert differences(alone, together) == []
    in_another_order = become(found, seed + 1000, lambda: 25, monkeypatch)
    assert differences(alone, in_another_order) == []


def differences(one: list[str], other: list[str]) -> list[str]:
    return [line for line in difflib.ndiff(one, other) if line[0] in "+-"]


# --- Whatever happens in the middle of it


class Killed(BaseException):
    """No code of ours goes on after it."""


def killed_at(number: int) -> Callable[..., Any]:
    """Lets so many statements be executed, and no other."""
    seen = [0]

    def wrapper(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        seen[0] += 1
        if seen[0] > number:
            raise Killed
        return execute(sql, params, many, context)

    return wrapper


@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_between_any_two_statements_leaves_nothing_half_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sets, "SECONDS", dict.fromkeys(sets.SECONDS, 60.0))
    found = Day([thread for thread in day(5, 60).threads if len(thread) > 1][:4])
    pks = stored(shuffled(found, 5), before())
    untouched = outcome()
    died = 0
    for number in range(200):
        monkeypatch.undo()
        with suppress(Killed), connection.execute_wrapper(killed_at(number)):
            inbound_tasks.process(pks[0])
            break
        died += 1
        assert died < 200
        connections.close_all()  # as a process that is gone
        rows = InboundMail.objects.filter(pk__in=pks)
        if not rows.exclude(state="received").exists():
            rows.update(attempts=0)
            assert differences(untouched, outcome()) == []
        rows.filter(state="received").update(next_attempt_at=timezone.now(), attempts=0)
    assert died > 30
    process_all()
    assert set(InboundMail.objects.values_list("state", flat=True)) <= {"done", "ignored"}
    assert InboundMail.objects.filter(state="done").count() == (
        Comment.objects.filter(mail__isnull=False).count()
    )


def test_one_that_cannot_be_written_keeps_no_other_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        arrive(eml(f"Mail {n}", message_id=f"{n}@x", sender=f"{n}@x.example")) for n in range(6)
    ]
    real = sets.apply

    def fails(mail: understood.Understood, *rest: Any) -> Any:
        if mail.row.pk == rows[3].pk:
            raise ZeroDivisionError("for its own sake")
        return real(mail, *rest)

    monkeypatch.setattr(sets, "apply", fails)
    inbound_tasks.process(rows[0].pk)
    for row in rows:
        row.refresh_from_db()
    assert [row.state for row in rows] == ["done"] * 3 + ["received"] + ["done"] * 2
    assert "ZeroDivisionError" in rows[3].error
    assert [row.attempts for row in rows] == [1] * 6
    assert Ticket.objects.count() == Comment.objects.count() == 5


def test_what_waited_in_a_set_that_could_not_be_written_waits_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing of the first try is left, in memory either."""
    parent = arrive(eml("first", message_id="p@x"))
    another_worker_has(parent)
    reply = arrive(eml("second", message_id="c@x", in_reply_to="<p@x>"))
    other = arrive(eml("third", message_id="d@x"))
    bad = arrive(eml("bad", message_id="bad@x"))
    real = sets.apply

    def fails(mail: understood.Understood, *rest: Any) -> Any:
        if mail.row.pk == bad.pk:
            raise ZeroDivisionError
        return real(mail, *rest)

    monkeypatch.setattr(sets, "apply", fails)
    inbound_tasks.process(reply.pk)
    rows = InboundMail.objects.in_bulk([reply.pk, other.pk])
    assert (rows[reply.pk].waiting_for, rows[reply.pk].attempts) == ("p@x", 0)
    assert (rows[other.pk].reason, rows[other.pk].attempts) == ("open", 1)


def test_files_of_a_mail_that_is_dropped_are_not_kept() -> None:
    raw, who, _ = _with_file("f@x", "cleo@example.net", "<none@x>")(None)  # type: ignore[arg-type]
    first, second = receive(raw, mail_from=who), receive(raw, mail_from=who)
    assert (first.reason, second.reason) == ("open", "duplicate")
    kept = Attachment.objects.get().file
    assert default_storage.exists(kept.name)
    assert not default_storage.exists(kept.name.replace(f"mail-{first.pk}-", f"mail-{second.pk}-"))
    assert f"mail-{first.pk}-" in kept.name


def test_what_cannot_be_inserted_keeps_no_other_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault shows when all are written together."""
    rows = [
        arrive(eml(f"Mail {n}", message_id=f"{n}@x", sender=f"{n}@x.example")) for n in range(4)
    ]
    real = sets.apply

    def without_a_mailbox(mail: understood.Understood, *rest: Any) -> Any:
        done = real(mail, *rest)
        if mail.row.pk == rows[2].pk:
            changes.insert(MessageRef(ticket_id=None, message_id="x", kind="received"))
        return done

    monkeypatch.setattr(sets, "apply", without_a_mailbox)
    inbound_tasks.process(rows[0].pk)
    states = InboundMail.objects.order_by("pk").values_list("state", flat=True)
    assert list(states) == ["done", "done", "received", "done"]
    assert Ticket.objects.count() == 3


def test_one_that_outlasts_its_reader_leaves_the_set(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        arrive(eml(f"Mail {n}", message_id=f"{n}@x", sender=f"{n}@x.example")) for n in range(4)
    ]
    monkeypatch.setattr(inbound_tasks, "LATE", 3.0)
    real, go_on = understood.read, threading.Event()

    def slow(row: InboundMail, raw: bytes, **how: Any) -> understood.Understood:
        if row.pk == rows[1].pk:
            assert go_on.wait(20)
        return real(row, raw, **how)

    monkeypatch.setattr(understood, "read", slow)
    seen: list[int] = []
    really = inbound_tasks.carry_out

    def carried(mails: Any, *rest: Any) -> Any:
        seen.append(len(mails))
        go_on.set()
        return really(mails, *rest)

    monkeypatch.setattr(inbound_tasks, "carry_out", carried)
    inbound_tasks.process(rows[0].pk)
    assert seen == [3, 1]
    assert Ticket.objects.count() == 4


def test_what_nobody_has_begun_to_read_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbound_tasks, "LATE", 0.05)
    monkeypatch.setattr(inbound_tasks, "PATIENCE", 0.0)
    rows = [
        arrive(eml(f"Mail {n}", message_id=f"{n}@x", sender=f"{n}@x.example")) for n in range(5)
    ]
    real, begun, go_on = understood.read, threading.Event(), threading.Event()

    def slow(row: InboundMail, raw: bytes, **how: Any) -> understood.Understood:
        if row.pk == rows[1].pk:
            begun.set()
            assert go_on.wait(20)
        return real(row, raw, **how)

    given_back = inbound_tasks._Reading._give_back

    def given(reading: Any) -> None:
        assert begun.wait(20)
        given_back(reading)
        go_on.set()

    monkeypatch.setattr(understood, "read", slow)
    monkeypatch.setattr(inbound_tasks, "_readings", ThreadPoolExecutor(1))
    monkeypatch.setattr(inbound_tasks._Reading, "_give_back", given)
    inbound_tasks.process(rows[0].pk)
    ended = list(InboundMail.objects.order_by("pk").values_list("state", "attempts"))
    assert ended == [("done", 1)] * 2 + [("received", 0)] * 3
    monkeypatch.undo()
    inbound_tasks.process(rows[2].pk)
    assert Ticket.objects.count() == 5


def test_what_another_worker_has_taken_since_is_not_written() -> None:
    rows = [
        arrive(eml(f"Mail {n}", message_id=f"{n}@x", sender=f"{n}@x.example")) for n in range(3)
    ]
    real = inbound_tasks.carry_out

    def taken(mails: Any, *rest: Any) -> Any:
        InboundMail.objects.filter(pk=rows[1].pk).update(attempts=7)
        return real(mails, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inbound_tasks, "carry_out", taken)
        inbound_tasks.process(rows[0].pk)
    assert [*InboundMail.objects.order_by("pk").values_list("state", "attempts")] == [
        ("done", 1),
        ("received", 7),
        ("done", 1),
    ]


def test_a_set_ends_when_its_time_is_up_and_the_rest_is_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sets, "SECONDS", dict.fromkeys(sets.SECONDS, -1.0))
    monkeypatch.setattr(sets, "AT_LEAST", 1)
    rows = [
        arrive(eml(f"Mail {n}", message_id=f"{n}@x", sender=f"{n}@x.example")) for n in range(3)
    ]
    sizes: list[int] = []
    real = inbound_tasks.carry_out
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            inbound_tasks,
            "carry_out",
            lambda mails, *rest: sizes.append(len(mails)) or real(mails, *rest),
        )
        inbound_tasks.process(rows[0].pk)
    assert sizes == [3, 2, 1]
    assert Ticket.objects.count() == 3


def test_a_set_takes_no_more_locks_than_there_are() -> None:
    ids = " ".join(f"<{{n}}.{m}@ancestors.example>" for m in range(90))
    for n in range(12):
        arrive(eml(f"Mail {n}", message_id=f"{n}@x", references=ids.replace("{n}", str(n))))
    rows = list(InboundMail.objects.select_related("raw", "mailbox"))
    mails = [understood.read(row, row.raw.content) for row in rows if row.raw]
    assert sets._how_many(mails) == 5
    assert sets._how_many(mails[:1]) == 1
    inbound_tasks.process(rows[0].pk)
    assert Ticket.objects.count() == 12


# --- Facts


def test_deciding_asks_the_database_nothing_where_the_facts_are_known() -> None:
    first = receive(eml("First", message_id="a@x"))
    customer("joe@example.net", "Joe")
    for number, (who, parent) in enumerate(
        [("cleo@example.net", "<a@x>"), ("joe@example.net", "<a@x>"), ("new@example.net", "")]
    ):
        headers = {"in_reply_to": parent} if parent else {}
        arrive(eml(f"Mail {number}", message_id=f"{number}@x", sender=who, **headers))
    rows = InboundMail.objects.filter(state="received").select_related("raw", "mailbox__identity")
    mails = [understood.read(row, row.raw.content) for row in rows.order_by("pk") if row.raw]

    def nothing(execute: Any, sql: str, *rest: Any) -> Any:
        raise AssertionError(sql)

    with transaction.atomic(), facts.of_a_set():
        sets._look_up(mails)
        with connection.execute_wrapper(nothing):
            plans = [deciding.decide(mail) for mail in mails]
    assert [(plan.do, plan.ticket) for plan in plans] == [
        ("comment", first.ticket_number),
        ("hold", first.ticket_number),
        ("open", None),
    ]


def test_a_full_set_costs_few_statements_more_than_one_mail(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.CONFIG_SECONDS = 60
    receive(eml("What is configured is known"))
    monkeypatch.setattr(sets, "SECONDS", dict.fromkeys(sets.SECONDS, 60.0))
    counts = []
    for many in (1, 24):
        rows = [
            arrive(eml("x", message_id=f"{many}.{n}@x", sender=f"{many}.{n}@x.example"))
            for n in range(many)
        ]
        with _counted() as count:
            inbound_tasks.process(rows[0].pk)
        counts.append(count[0])
    assert Ticket.objects.count() == 26
    # For each but the first: its ticket's number.
    assert counts[1] - counts[0] <= 23 + 3, counts


@contextmanager
def _counted() -> Iterator[list[int]]:
    count = [0]

    def one_more(execute: Any, *rest: Any) -> Any:
        count[0] += 1
        return execute(*rest)

    with connection.execute_wrapper(one_more):
        yield count


def test_what_is_gathered_is_there_for_whoever_asks() -> None:
    ticket = ticket_of(receive(eml("x", message_id="a@x")))
    with transaction.atomic(), changes.gathered():
        changes.insert(MessageRef(ticket=ticket, message_id="new@x", kind="received"))
        changes.update(ticket, subject="Another")
        assert MessageRef.objects.filter(message_id="new@x").exists()
        assert Ticket.objects.get(pk=ticket.pk).subject == "Another"
    with suppress(ZeroDivisionError), transaction.atomic(), changes.gathered():
        changes.update(ticket, subject="Never written")
        raise ZeroDivisionError
    assert Ticket.objects.get(pk=ticket.pk).subject == "Another"


def test_what_a_set_makes_is_a_fact_for_those_behind() -> None:
    with transaction.atomic(), facts.of_a_set(), changes.gathered():
        assert actions.people.people.find("new@example.net") is None
        made = actions.people_for({"new@example.net": ("New", "de")})["new@example.net"]
        assert actions.people.people.find("NEW@example.net") is made
    assert Person.objects.get(email="new@example.net").pk == made.pk


# --- Several workers


@pytest.mark.django_db(transaction=True)
def test_workers_side_by_side_lose_and_double_nothing() -> None:
    found = day(11, 80)
    b = before()
    pks = stored(shuffled(found, 3), b)
    random.Random(3).shuffle(pks)
    faults: list[Exception] = []

    def work(mine: list[int]) -> None:
        try:
            for pk in mine:
                inbound_tasks.process(pk)
        except Exception as error:
            faults.append(error)
        finally:
            connections.close_all()

    workers = [threading.Thread(target=work, args=(pks[number::4],)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert faults == []
    InboundMail.objects.filter(state="received").update(next_attempt_at=timezone.now())
    process_all()
    by_threads = outcome()
    Ticket.objects.filter().delete()
    assert not InboundMail.objects.filter(faults__gt=0).exists()
    assert not [line for line in by_threads if " failed " in line]
    words = [line for line in by_threads if line.startswith("comments")]
    assert len(words) == len({*words, *(line for line in words if "No id" in line)})
