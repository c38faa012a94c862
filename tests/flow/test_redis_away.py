"""Redis killed under the services of docker-compose.yml, and started again: what health says, how
soon all is well, and how much is written into the logs."""

import json
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.flow.test_compose import GIVEN, Stack, environment
from tests.support import services
from tests.support.services import wait_for

NAMES = ("web", "smtp", "worker", "worker-outbound", "beat")
AWAY_SECONDS = 12.0


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    database = environment("postgres", GIVEN)
    account = database["POSTGRES_USER"], database["POSTGRES_PASSWORD"], database["POSTGRES_DB"]
    with services.postgres(*account) as postgres, services.redis() as redis:
        stack = Stack(postgres, redis, tmp_path_factory.mktemp("var"))
        try:
            migrate = stack.start("migrate")
            assert migrate.wait(60) == 0, stack.log("migrate").read_text()
            del stack.running["migrate"]
            for name in NAMES:
                stack.start(name)
            wait_for(lambda: health(stack).get("heartbeat"), 40, "a heartbeat")
            yield stack
        finally:
            for name in list(stack.running):
                stack.end(name, signal.SIGKILL)


def ask(stack: Stack, path: str, **given: str) -> tuple[int, bytes]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{stack.web_port}{path}",
        json.dumps(given).encode() if given else None,
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except OSError:
        return 0, b"{}"


def health(stack: Stack) -> dict[str, Any]:
    status, said = ask(stack, "/api/health/")
    found: dict[str, Any] = json.loads(said)
    return {**found, "http": status}


def broker_lines(stack: Stack, name: str, before: int) -> list[str]:
    """What that service has said since, but for what it says of the cache, and of each probe of its
    health."""
    lines = stack.log(name).read_text().splitlines()[before:]
    return [line for line in lines if "helpdesk.cached:" not in line and "/api/health/" not in line]


def cache_lines(stack: Stack, name: str, before: int) -> list[str]:
    """A worker's are of the one process that was at the heartbeat just then."""
    return [
        line
        for line in stack.log(name).read_text().splitlines()[before:]
        if "helpdesk.cached:" in line
    ]


def test_redis_goes_away_and_comes_back(stack: Stack) -> None:
    before = {name: len(stack.log(name).read_text().splitlines()) for name in NAMES}
    stack.broker.stop()
    wait_for(lambda: health(stack)["cache"] == "down", 5, "health to notice")
    until = time.monotonic() + AWAY_SECONDS
    while time.monotonic() < until:
        said = health(stack)
        assert (said["http"], said["cache"], said["problems"]) == (503, "down", ["cache"])
        assert ask(stack, "/api/docs/")[0] == 200
        time.sleep(1)
    for name in NAMES:
        assert len(broker_lines(stack, name, before[name])) == (
            name in {"beat", "worker", "worker-outbound"}
        ), name
        assert len(cache_lines(stack, name, before[name])) <= 1, name
    assert cache_lines(stack, "web", before["web"])

    wrong = {"email": "nobody@example.net", "password": "a guess"}
    statuses = [ask(stack, "/auth/jwt/create/", **wrong)[0] for _ in range(25)]
    assert set(statuses) == {401, 429}, statuses
    assert statuses.count(401) <= 20  # ten a minute, in two minutes at the most
    stack.send("The sixth fire", "hanna@example.net")
    stack.broker.start()
    wait_for(lambda: health(stack)["http"] == 200, 15, "health to be green again")
    stack.arrived_once("The sixth fire", "hanna@example.net", 15)
    # Without a sweep, by its ring alone: workers listen again.
    stack.send("The seventh fire", "ida@example.net")
    stack.arrived_once("The seventh fire", "ida@example.net", 15)
    for name in ("beat", "worker", "worker-outbound"):
        found = broker_lines(stack, name, before[name])
        assert len(found) == 2, found
        assert found[1].endswith("the broker answers again")


def test_a_worker_and_a_beat_that_start_before_redis_say_so_once(stack: Stack) -> None:
    for name in ("beat", "worker"):
        stack.end(name, signal.SIGTERM)
    stack.broker.stop()
    before = {name: len(stack.log(name).read_text().splitlines()) for name in ("beat", "worker")}
    for name in before:
        stack.start(name)

    def said(name: str, words: str) -> int:
        return "\n".join(stack.log(name).read_text().splitlines()[before[name] :]).count(words)

    for name in before:
        wait_for(
            lambda name=name: said(name, "the broker does not answer"), 20, f"{name} to say so"
        )  # type: ignore[misc]
    time.sleep(4)
    stack.broker.start()
    for name in before:
        wait_for(lambda name=name: said(name, "the broker answers again"), 15, f"{name} to be back")  # type: ignore[misc]
        assert said(name, "the broker does not answer") == 1
        assert said(name, "Traceback") == 0
    wait_for(lambda: health(stack)["http"] == 200, 25, "health to be green again")
