"""The queues of the ticket list, their filters, and paging that is as fast on the last page as on
the first."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import QuerySet

from helpdesk import access, counting, people, search
from helpdesk.config_cache import kept_for_a_moment
from helpdesk.models import Category, Comment, Person, Team, Ticket
from helpdesk.request_data import whole
from helpdesk.staff import paging

COUNT_CAP = 100  # an exact count of a million rows would cost more than the page


@dataclass(frozen=True, slots=True)
class Queue:
    slug: str
    title: str
    icon: str
    narrow: Callable[[QuerySet[Ticket], Person], QuerySet[Ticket]]
    in_sidebar: bool = True


S = Ticket.Status


# `__in=[True]`: SQLite finds no index for a bare boolean, which is what Django makes of `=True`;
# but for one whose own condition is that bare boolean.
QUEUES = [
    Queue("open", "Unassigned", "inbox", lambda rows, me: rows.filter(status=S.OPEN)),
    Queue(
        "mine",
        "Mine",
        "assignment_ind",
        lambda rows, me: rows.filter(assignee=me, is_unsolved__in=[True]),
    ),
    Queue(
        "unsolved",
        "All unsolved",
        "confirmation_number",
        lambda rows, me: rows.filter(is_unsolved__in=[True]),
    ),
    Queue("held", "Held", "gpp_maybe", lambda rows, me: rows.filter(pk__in=access.held())),
    Queue(
        "breached",
        "Missed their time",
        "alarm",
        lambda rows, me: rows.filter(is_breached=True, is_unsolved=True),
    ),
    Queue(
        "pending", "Pending", "hourglass_top", lambda rows, me: rows.filter(status=S.PENDING), False
    ),
    Queue(
        "resolved", "Resolved", "task_alt", lambda rows, me: rows.filter(status=S.RESOLVED), False
    ),
    Queue(
        "closed",
        "Closed",
        "archive",
        lambda rows, me: rows.filter(status=S.CLOSED, is_spam=False),
        False,
    ),
    Queue("all", "All", "stacks", lambda rows, me: rows.filter(is_spam=False), False),
    Queue("spam", "Spam", "report", lambda rows, me: rows.filter(is_spam=True), False),
]
BY_SLUG = {queue.slug: queue for queue in QUEUES}


@dataclass(slots=True)
class Page:
    tickets: list[Ticket]
    queue: Queue
    filters: dict[str, str] = field(default_factory=dict)
    newer: str = ""  # the cursor of the page before, "" where this is the first
    older: str = ""


def page(me: Person, query: Mapping[str, str]) -> Page:
    """One page of one queue: `queue`, `q`, `priority`, `assignee`, `team`, and `before` or `after`
    a cursor."""
    words = query.get("q", "").strip()[:200]
    queue = BY_SLUG.get(query.get("queue", ""), BY_SLUG["all"] if words else BY_SLUG["unsolved"])
    rows = queue.narrow(access.tickets(me), me)
    filters = {
        name: query.get(name, "")
        for name in ("priority", "assignee", "team")
        if whole(query.get(name, "")) is not None
    }
    if "priority" in filters:
        rows = rows.filter(priority=int(filters["priority"]))
    if "assignee" in filters:
        rows = rows.filter(assignee=int(filters["assignee"]))
    if "team" in filters:
        rows = rows.filter(team=int(filters["team"]))
    if words:
        rows = rows.filter(pk__in=_matching(words))
        filters["q"] = words
    found = paging.stretch(rows.select_related("requester", "assignee", "team"), query)
    _say_who_waits(found.tickets, in_words=queue.slug == "held")
    _say_who_is_forged(found.tickets)
    return Page(found.tickets, queue, filters, newer=found.newer, older=found.older)


def _say_who_is_forged(tickets: Iterable[Ticket]) -> None:
    """Which were opened by a mail that is not from whom it says: one query for the page."""
    forged = Comment.objects.filter(
        ticket__in=tickets,
        visibility=Comment.Visibility.PUBLIC,
        mail__reason="open",
        mail__proof__verdict="failed",
    )
    found = set(forged.order_by().values_list("ticket", flat=True))
    for ticket in tickets:
        ticket.is_forged = ticket.pk in found  # type: ignore[attr-defined]


def _say_who_waits(tickets: Iterable[Ticket], *, in_words: bool) -> None:
    """In which mail is held, and in the queue of these whose, and why: one query for the page."""
    waiting = Comment.objects.filter(
        ticket__in=tickets, visibility=Comment.Visibility.HELD, rejected_at=None
    ).select_related("author")
    who: dict[int, list[str]] = {}
    for comment in waiting.defer("text", "html", "quoted_text", "quoted_html").order_by("id"):
        who.setdefault(comment.ticket_id, []).append(
            f"{comment.author} waits: {comment.held_reason}"
        )
    for ticket in tickets:
        ticket.who_waits = who.get(ticket.pk, []) if in_words else []  # type: ignore[attr-defined]
        ticket.has_held = ticket.pk in who  # type: ignore[attr-defined]


def counts(me: Person, queues: Sequence[Queue]) -> list[str]:
    """How many tickets each queue holds, "99+" where there are more; "" for none."""
    numbers = counting.up_to(COUNT_CAP, [q.narrow(access.tickets(me), me) for q in queues])
    return [f"{COUNT_CAP - 1}+" if n >= COUNT_CAP else str(n or "") for n in numbers]


def _matching(words: str) -> QuerySet[Ticket, Any]:
    """The tickets with these words, or of that number, or of that address: their ids. A union, for
    no database goes by two indexes for the two sides of an OR and keeps an order besides."""
    ids = search.ticket_ids(words)
    if (number := whole(words.removeprefix("#"))) is not None:
        ids.append(number)
    found = Ticket.objects.filter(pk__in=ids).order_by().values("pk")
    if "@" in words and (person := people.find(words)) is not None:
        return found.union(person.requested.order_by().values("pk"))
    return found


def choices(me: Person, ticket: Ticket | None = None) -> dict[str, list[tuple[int, str]]]:
    """What the list's filters and bulk actions offer, or a ticket's page: `agents` are all there
    are, `assignable` those to whom it may be given, with whom it has."""
    assignable = {person.pk: str(person) for person in access.assignable(me, ticket)}
    if ticket is not None and ticket.assignee is not None:
        assignable.setdefault(ticket.assignee.pk, str(ticket.assignee))
    return {
        "agents": [(person.pk, str(person)) for person in access.staff()] if ticket is None else [],
        "assignable": list(assignable.items()),
        "categories": _named(Category),
        "teams": _named(Team),
        "priorities": [(int(value), str(label)) for value, label in Ticket.Priority.choices],
    }


@kept_for_a_moment
def _named(model: type[Category] | type[Team]) -> list[tuple[int, str]]:
    return [(row.pk, str(row)) for row in model._default_manager.all()]
