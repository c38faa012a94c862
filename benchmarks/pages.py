"""What each page and each search costs, in this process, without web server and network: `python -m
benchmarks.pages` in the environment of a Site that `manage.py demo --tickets` has filled.

Prints a line of JSON for each."""

import argparse
import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import django

from benchmarks.latency import quantile

if TYPE_CHECKING:
    from django.test import Client

WARM_UP = 3


@dataclass(frozen=True, slots=True)
class Page:
    name: str
    get: Callable[[int], Any]  # with the number of the repetition
    allowed_ms: float


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--repeats", type=int, default=30)
    arguments.add_argument("--only", default="", help="a part of the names of those to measure")
    arguments.add_argument("--slowest", action="store_true", help="and each one's slowest query")
    given = arguments.parse_args()
    django.setup()
    from django.conf import settings

    settings.ALLOWED_HOSTS = ["testserver"]
    settings.REQUESTS_A_MINUTE = 10**6
    logging.disable(logging.CRITICAL)
    for page in pages():
        if given.only in page.name:
            print(json.dumps(measured(page, given.repeats, slowest=given.slowest)), flush=True)


def measured(page: Page, repeats: int, *, slowest: bool = False) -> dict[str, Any]:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    for number in range(WARM_UP):
        page.get(number)
    took, own = [], []
    for number in range(repeats):
        began, cpu = time.perf_counter(), time.thread_time()
        page.get(number)
        took.append(1000 * (time.perf_counter() - began))
        own.append(1000 * (time.thread_time() - cpu))
    with CaptureQueriesContext(connection) as found:
        page.get(1)
    row = {
        "page": page.name,
        "p50_ms": quantile(sorted(took), 0.5),
        "p95_ms": quantile(sorted(took), 0.95),
        "cpu_ms": quantile(sorted(own), 0.5),
        "queries": len(found),
        "allowed_ms": page.allowed_ms,
    }
    if slowest:
        query = max(found.captured_queries, key=lambda q: float(q["time"]))
        row["slowest"] = f"{query['time']} {query['sql'][:2000]}"
    return row


def pages() -> Iterator[Page]:
    from helpdesk.models import Person, Ticket

    newest = Ticket.objects.order_by("-pk")[0].pk
    admin = _signed_in(Person.objects.filter(role="admin")[0])
    someone = Person.objects.get(email="agent3@example.com")
    agent = _signed_in(someone)
    yield from _lists(admin, agent, someone.pk, newest)
    yield from _searches(admin, newest)
    yield from _tickets(admin, newest)
    yield from _mail(admin)
    customer = Ticket.objects.get(pk=newest - 5).requester
    yield from _portal(_signed_in(customer), newest - 5)
    yield from _api(newest, customer)


def _lists(admin: "Client", agent: "Client", agent_pk: int, newest: int) -> Iterator[Page]:
    from helpdesk.models import Ticket

    middle = Ticket.objects.get(pk=newest // 2)
    cursor = f"{middle.activity_at.timestamp():.6f}_{middle.pk}"
    for name, query in {
        "unsolved": "",
        "open": "queue=open",
        "held": "queue=held",
        "breached": "queue=breached",
        "pending": "queue=pending",
        "resolved": "queue=resolved",
        "closed": "queue=closed",
        "all": "queue=all",
        "spam": "queue=spam",
        "all, priority": "queue=all&priority=4",
        "closed, team and priority": "queue=closed&team=2&priority=4",
        "unsolved, assignee": f"queue=unsolved&assignee={agent_pk}",
        "all, assignee and team": f"queue=all&assignee={agent_pk}&team=1",
        "spam, assignee and priority": f"queue=spam&assignee={agent_pk}&priority=1",
        "all, deep": f"queue=all&before={cursor}",
        "closed, deep": f"queue=closed&before={cursor}",
        "closed, deep, newer": f"queue=closed&after={cursor}",
        "spam, deep": f"queue=spam&before={cursor}",
    }.items():
        yield _page(f"list: {name}", admin, f"/admin/tickets/?{query}", 50)
    yield _page("list: mine", agent, "/admin/tickets/?queue=mine", 50)


def _searches(admin: "Client", newest: int) -> Iterator[Page]:
    rare = f"zebrafish{(newest // 2) // 1000 * 1000 + 7}"
    for name, words in {
        "common word": "please",
        "middling word": "refund",
        "rare word": rare,
        "no such word": "nosuchword",
        "three common words": "please+order+since",
        "common and rare word": f"please+{rare}",
        "number": str(newest - 777),
        "number in words": f"INV-{newest - 777}",
        "address": f"customer{newest // 50}@mail{newest // 50 % 997}.example.org",
        "one letter": "s",
        "two letters": "pr",
        "name": "Ada+Weber",
        "accents": "etait+été",
    }.items():
        yield _page(f"search: {name}", admin, f"/admin/tickets/?q={words}", 80)
        yield _page(f"desk search: {name}", admin, f"/admin/search/?s={words}&extended=1", 80)
    yield _page("search: common word, open", admin, "/admin/tickets/?queue=open&q=please", 80)


def _tickets(admin: "Client", newest: int) -> Iterator[Page]:
    yield Page("ticket, new", lambda n: _get(admin, f"/admin/tickets/{newest - n}/"), 60)
    yield Page(
        "ticket, old",
        lambda n: _get(admin, f"/admin/tickets/{newest // 3 + n * newest // 999}/"),
        60,
    )


def _mail(admin: "Client") -> Iterator[Page]:
    address = "customer77@mail77.example.org"
    for name, path in {
        "ledger": "/admin/ledger/",
        "ledger, 90 days": "/admin/ledger/?days=90",
        "mail list": "/admin/inbound/inboundmail/",
        "mail list, by address": f"/admin/inbound/inboundmail/?q={address}",
        "mail list, deep": "/admin/inbound/inboundmail/?p=200",
        "outgoing": "/admin/helpdesk/outboundmail/",
        "outgoing, by address": f"/admin/helpdesk/outboundmail/?q={address}",
        "to look at": "/admin/to-look-at/",
        "people": "/admin/helpdesk/person/",
        "people, by address": f"/admin/helpdesk/person/?q={address}",
    }.items():
        yield _page(name, admin, path, 60)


def _portal(customer: "Client", ticket: int) -> Iterator[Page]:
    yield _page("portal list", customer, "/portal/", 20)
    yield _page("portal list, open", customer, "/portal/?state=open", 20)
    yield _page("portal ticket", customer, f"/portal/tickets/{ticket}/", 60)


def _api(newest: int, customer: Any) -> Iterator[Page]:
    from helpdesk.models import Person

    admin = _bearer(Person.objects.filter(role="admin")[0])
    for name, query in {
        "all": "",
        "status and priority": "status=open&priority=high",
        "closed": "status=closed",
        "tag": "tag=vip",
        "by due time": "ordering=due",
        "common word": "search=please",
        "rare word": f"search=zebrafish{(newest // 2) // 1000 * 1000 + 7}",
        "offset": "limit=20&offset=1000",
    }.items():
        yield _page(f"API list: {name}", admin, f"/api/tickets/?{query}", 40)
    yield _page("API ticket", admin, f"/api/tickets/{newest - 9}/", 60)
    mine = _bearer(customer)
    yield _page("API list: customer's", mine, "/api/tickets/", 40)
    yield _page("API list: customer's, word", mine, "/api/tickets/?search=please", 40)
    yield _page("health", mine, "/api/health/", 60)


def _page(name: str, client: "Client", path: str, allowed_ms: float) -> Page:
    return Page(name, lambda number: _get(client, path), allowed_ms)


def _get(client: "Client", path: str) -> None:
    response = client.get(path)
    if response.status_code != 200:
        raise RuntimeError(f"{path} answers {response.status_code}: {response.content[:300]!r}")


def _signed_in(person: Any) -> "Client":
    from django.test import Client

    client = Client()
    client.force_login(person, backend="helpdesk.auth.EmailBackend")
    return client


def _bearer(person: Any) -> "Client":
    from django.test import Client

    from helpdesk.api import tokens

    return Client(headers={"authorization": f"Bearer {tokens.issue(person)['access']}"})


if __name__ == "__main__":
    main()
