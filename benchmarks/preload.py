"""A helpdesk that has been in use for years: tickets with their comments, people, mails and ids,
written fast."""

import random
import time
from datetime import timedelta
from typing import Any

from django.core.management.color import no_style
from django.db import connection, transaction
from django.db.models import ForeignKey, Model
from django.utils import timezone

from helpdesk.models import Comment, Event, MessageRef, OutboundMail, Participant, Person, Ticket
from inbound.models import InboundMail, Mailbox

BASE = 1000  # tickets that Django writes; the database copies them, with their ids moved on by STEP
STEP = 2 * BASE  # no table has more rows than two a ticket
TICKETS_EACH = 4  # of one customer
MODELS: tuple[type[Model], ...] = (
    Person,
    Ticket,
    InboundMail,
    Comment,
    Participant,
    Event,
    OutboundMail,
    MessageRef,
)
_OWN = {
    "email": "n || '.' || email",
    "message_id": "n || '.' || message_id",
    "from_address": "n || '.' || from_address",
    "to_address": "n || '.' || to_address",
    "sha256": "substr(sha256, 9) || (10000000 + n)",
    "body_sha256": "substr(body_sha256, 9) || (10000000 + n)",
}
_TEXT = (
    "The printer on our third floor prints nothing since Monday. Could you please "
    "check invoice {n} again? Thank you."
)


def preload(count: int) -> float:
    """Writes `count` tickets, each with a mail, a comment, an event, an answer sent and its ids;
    the seconds it took."""
    started = time.perf_counter()
    with transaction.atomic():
        staff = max(Person.objects.values_list("pk", flat=True), default=0)
        _write(min(count, BASE))
        if count > BASE:
            for model in MODELS:
                _copy(model, count // BASE - 1, skip=staff if model is Person else 0)
        _index()
        with connection.cursor() as cursor:
            for statement in connection.ops.sequence_reset_sql(no_style(), MODELS):
                cursor.execute(statement)
    if (made := Ticket.objects.count()) != count:
        raise ValueError(
            f"{count} tickets were asked for, {made} made: it must be a multiple of {BASE}"
        )
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "VACUUM ANALYZE"
            )  # autovacuum has done so long ago in a database of that age
    return time.perf_counter() - started


def _write(count: int) -> None:
    now, rng, mailbox = timezone.now(), random.Random(3), Mailbox.objects.order_by("pk")[0]
    people = _create(
        [
            Person(email=f"old{n}@example.org", name=f"Old {n}", password="!")
            for n in range(0, count, TICKETS_EACH)
        ]
    )
    at = [now - timedelta(minutes=rng.randrange(10, 1_000_000)) for _ in range(count)]
    who = [people[n // TICKETS_EACH] for n in range(count)]
    tickets = _create(
        [
            Ticket(
                subject=f"Printer {n}",
                requester=who[n],
                mailbox=mailbox,
                created_at=at[n],
                activity_at=at[n],
                status=("open" if rng.random() < 0.05 else "closed"),
            )
            for n in range(count)
        ]
    )
    mails = _create(
        [
            InboundMail(
                mailbox=mailbox,
                transport="smtp",
                received_at=at[n],
                mail_from=who[n].email,
                rcpt_to=[mailbox.address],
                size=4000,
                sha256=f"{rng.getrandbits(256):064x}",
                body_sha256=f"{rng.getrandbits(256):064x}",
                message_id=f"old{n}@example.org",
                from_address=who[n].email,
                state="done",
                reason="open",
                ticket_number=ticket.pk,
                attempts=1,
                finished_at=at[n],
                next_attempt_at=at[n],
            )
            for n, ticket in enumerate(tickets)
        ]
    )
    comments = _create(
        [
            Comment(
                ticket=ticket,
                author=who[n],
                mail=mails[n],
                via="email",
                text=_TEXT.format(n=n),
                created_at=at[n],
            )
            for n, ticket in enumerate(tickets)
        ]
    )
    _create(
        [
            Participant(ticket=t, person=who[n], role="requester", source="requester")
            for n, t in enumerate(tickets)
        ]
    )
    _create(
        [
            Event(ticket=t, kind="opened", actor=who[n], data={"via": "email"})
            for n, t in enumerate(tickets)
        ]
    )
    sent = _create(
        [
            OutboundMail(
                kind="acknowledgement",
                ticket=ticket,
                comment=comments[n],
                person=who[n],
                mailbox=mailbox,
                to_address=who[n].email,
                subject=ticket.subject,
                text=_TEXT,
                message_id=f"sent{n}@example.com",
                is_automatic=True,
                state="sent",
                created_at=at[n],
                next_attempt_at=at[n],
            )
            for n, ticket in enumerate(tickets)
        ]
    )
    _create(
        [
            MessageRef(ticket=t, message_id=mails[n].message_id, kind="received")
            for n, t in enumerate(tickets)
        ]
        + [
            MessageRef(ticket=t, message_id=sent[n].message_id, kind="sent")
            for n, t in enumerate(tickets)
        ]
    )


def _create(rows: list[Any]) -> list[Any]:
    return list(type(rows[0])._default_manager.bulk_create(rows))


def _copy(model: type[Model], times: int, *, skip: int) -> None:
    """The table's rows `times` more, each copy a customer, a ticket and ids of its own."""
    fields = [field for field in model._meta.concrete_fields if not field.generated]
    moved = {
        f.column
        for f in fields
        if f.primary_key or (isinstance(f, ForeignKey) and f.related_model in MODELS)
    }
    columns = [str(f.column) for f in fields]
    values = [f'"{c}" + n * {STEP}' if c in moved else _OWN.get(c, f'"{c}"') for c in columns]
    quoted = ", ".join(f'"{column}"' for column in columns)
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH RECURSIVE series(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < "
            f"{times}) "
            f"INSERT INTO {model._meta.db_table} ({quoted}) SELECT {', '.join(values)} "
            f"FROM {model._meta.db_table} CROSS JOIN series WHERE id > {skip}"
        )


def _index() -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "INSERT INTO helpdesk_search (comment_id, ticket_id, words) SELECT c.id, t.id, "
                "to_tsvector('simple', t.subject || ' ' || c.text) FROM helpdesk_comment c "
                "JOIN helpdesk_ticket t ON t.id = c.ticket_id"
            )
        else:
            cursor.execute(
                "INSERT INTO helpdesk_search (rowid, ticket_id, words) SELECT c.id, t.id, "
                "t.subject || ' ' || c.text "
                "FROM helpdesk_comment c JOIN helpdesk_ticket t ON t.id = c.ticket_id"
            )
