"""Requests that arrive at the same moment, on both databases: a PIN, a key, a ticket, a version, a
refresh token."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial

import pytest

from tests.flow.test_api_systems import (
    ADMIN,
    Answer,
    Browser,
    Http,
    issue_pin,
    made_agents,
    signed_in,
)
from tests.flow.test_serve import Served
from tests.support.services import postgres


@pytest.fixture(scope="module", params=["SQLite", "PostgreSQL"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    with ExitStack() as stack:
        url = stack.enter_context(postgres()).url if request.param == "PostgreSQL" else ""
        found = Served(
            tmp_path_factory.mktemp("served"),
            REQUESTS_A_MINUTE="100000",
            SIGN_INS_A_MINUTE="100000",
            DATABASE_URL=url,
        )
        found.start()
        yield found
        found.kill()


@pytest.fixture(scope="module")
def agents(served: Served) -> list[Http]:
    return made_agents(served)


def at_once(*asks: Callable[[], Answer]) -> list[Answer]:
    """All of them let go at the same moment; their answers, the best first."""
    gate = threading.Barrier(len(asks))
    answers: list[Answer] = []

    def run(ask: Callable[[], Answer]) -> None:
        gate.wait(10)
        answers.append(ask())

    threads = [threading.Thread(target=run, args=(ask,)) for ask in asks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(40)
    return sorted(answers, key=lambda answer: answer.status)


def statuses(answers: list[Answer]) -> list[int]:
    return [answer.status for answer in answers]


def test_of_several_requests_with_one_pin_at_once_one_signs_in(served: Served) -> None:
    number = Http(served)(
        "POST", "/add/", {"name": "Pit", "email": "pit@example.net", "description": "x"}
    )["id"]
    browser = Browser(served)
    for _ in range(3):
        pin = issue_pin(browser, number)
        answers = at_once(*[partial(Http(served), "POST", "/api/users/login/", {"pin": pin})] * 3)
        assert statuses(answers) == [200, 401, 401]


def test_of_several_requests_with_one_key_at_once_one_creates_and_all_get_its_answer(
    served: Served,
) -> None:
    api, body = signed_in(served), {"title": "Once and only once", "description": "x"}
    for number in range(3):
        answers = at_once(
            *[partial(api, "POST", "/api/tickets/", body, Idempotency_Key=f"key {number}")] * 4
        )
        assert statuses(answers) == [201] * 4
        assert len({answer.content for answer in answers}) == 1
    assert api("GET", "/api/tickets/?search=only+once")["count"] == 3


def test_of_two_agents_who_claim_at_once_one_has_the_ticket(
    served: Served, agents: list[Http]
) -> None:
    api = signed_in(served)
    for _ in range(3):
        ticket = api("POST", "/api/tickets/", {"title": "Claim", "description": "x"})["id"]
        claims = [
            partial(agent, "POST", "/api/agent/tickets/claim/", {"ticket_id": ticket})
            for agent in agents
        ]
        winner, loser = at_once(*claims)
        assert (winner.status, loser.status) == (200, 400)
        assert api("GET", f"/api/tickets/{ticket}/")["assigned_to"] == winner["assigned_to"]


def test_of_two_changes_under_one_version_at_once_one_is_made_and_the_other_is_told(
    served: Served,
) -> None:
    api = signed_in(served)
    path = (
        f"/api/tickets/{api('POST', '/api/tickets/', {'title': 'Old', 'description': 'x'})['id']}/"
    )
    for version in (1, 2, 3):
        changes = [{"title": f"{letter}{version}", "version": version} for letter in "AB"]
        made, told = at_once(*[partial(api, "PATCH", path, change) for change in changes])
        assert (made.status, told.status) == (200, 409)
        assert told.json()["current"]["title"] == made["title"] == api("GET", path)["title"]


def test_of_several_refreshes_at_once_no_more_than_one_is_good_and_the_sign_in_is_over(
    served: Served,
) -> None:
    pair = Http(served)(
        "POST", "/auth/jwt/create/", {"email": ADMIN[0], "password": ADMIN[1]}
    ).json()
    answers = at_once(
        *[partial(Http(served), "POST", "/auth/jwt/refresh/", {"refresh": pair["refresh"]})] * 3
    )
    assert statuses(answers) == [200, 401, 401]
    assert Http(served, pair["access"])("GET", "/auth/users/me/").status == 401
