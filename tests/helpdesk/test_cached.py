"""While Redis is away: everything goes on, and what guards passwords and codes is counted all the
same."""

import logging
import signal
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache, caches
from django.test import Client
from django.utils import timezone

from helpdesk import cached, throttle
from helpdesk.models import Counter
from tasks import housekeeping, watchdog
from tasks.housekeeping import HEARTBEAT
from tests.support import services
from tests.support.mail import agent, customer
from tests.support.services import RedisServer

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with services.redis() as found:
        yield found


@pytest.fixture
def redis(server: RedisServer, settings, monkeypatch: pytest.MonkeyPatch) -> RedisServer:
    """A Redis that is there and empty, as the cache."""
    if server.process is None:
        server.start()
    server.flush()
    monkeypatch.setattr(cached, "_away", False)
    monkeypatch.setattr(cached, "_asked_again_at", 0.0)
    there = {"BACKEND": "helpdesk.cached.RedisCache", "LOCATION": server.url}
    settings.CACHES = {"default": there, "signs": there}
    return server


def body(client: Client) -> tuple[int, dict[str, Any]]:
    reply = client.get("/api/health/")
    return reply.status_code, reply.json()


def test_health_says_that_the_cache_is_down_and_that_it_is_back(
    redis: RedisServer, monkeypatch
) -> None:
    client = Client()
    caches[watchdog.SIGNS].set(HEARTBEAT, timezone.now())
    assert body(client)[1]["cache"] == "ok"
    redis.stop()
    status, said = body(client)
    assert (status, said["cache"], said["problems"]) == (503, "down", ["cache"])
    redis.start()
    monkeypatch.setattr(cached, "_asked_again_at", 0.0)
    assert body(client)[1]["cache"] == "ok"


def test_after_an_outage_the_silence_of_workers_counts_from_its_end(
    redis: RedisServer, monkeypatch
) -> None:
    monkeypatch.setattr("helpdesk.health.STARTED", timezone.now() - timedelta(hours=1))
    monkeypatch.setattr(cached, "_answers_since", timezone.now() - timedelta(hours=1))
    assert "workers_or_beat" in body(Client())[1]["problems"]
    redis.stop()
    body(Client())
    redis.start()
    monkeypatch.setattr(cached, "_asked_again_at", 0.0)
    assert body(Client()) == (
        200,
        body(Client())[1],
    )  # it is empty: the first heartbeat is yet to come


@pytest.mark.parametrize(
    "path", ["/api/docs/", "/api/schema/", "/api/_meta/", "/portal/sign-in/", "/admin/login/"]
)
def test_every_page_goes_on(redis: RedisServer, path: str) -> None:
    redis.stop()
    assert Client().get(path).status_code == 200


def test_staff_search_and_their_tickets_go_on(redis: RedisServer) -> None:
    client = Client()
    client.force_login(agent())
    redis.stop()
    for path in ("/admin/tickets/", "/admin/search/?s=fire", "/admin/to-look-at/"):
        assert client.get(path).status_code == 200, path


def test_signing_in_goes_on_and_guesses_are_counted(redis: RedisServer, settings) -> None:
    settings.SIGN_INS_A_MINUTE = 3
    cleo = customer()
    cleo.set_password("correct horse battery")
    cleo.save()
    redis.stop()
    client = Client(REMOTE_ADDR="203.0.113.7")
    wrong = {"email": cleo.email, "password": "a guess"}
    right = {"email": cleo.email, "password": "correct horse battery"}
    sign_in = "/auth/jwt/create/"
    _in_one_minute()
    assert client.post(sign_in, right, content_type="application/json").status_code == 200
    assert [
        client.post(sign_in, wrong, content_type="application/json").status_code for _ in range(4)
    ] == [
        401,
        401,
        429,
        429,
    ]
    elsewhere = Client(REMOTE_ADDR="198.51.100.9")
    assert elsewhere.post(sign_in, right, content_type="application/json").status_code == 200


def _in_one_minute() -> None:
    """The next seconds are of one minute of the clock, by which requests are counted."""
    while time.time() % 60 > 50:
        time.sleep(0.5)


def test_it_is_counted_where_the_cache_is_and_in_the_database_while_it_is_not(
    redis: RedisServer, monkeypatch
) -> None:
    assert [throttle.count_up("key", seconds=60) for _ in range(3)] == [1, 2, 3]
    assert not Counter.objects.exists()
    redis.stop()
    assert [throttle.count_up("key", seconds=60) for _ in range(3)] == [1, 2, 3]
    assert Counter.objects.get().count == 3
    redis.start()
    monkeypatch.setattr(cached, "_asked_again_at", 0.0)
    assert throttle.count_up("key", seconds=60) == 1
    assert Counter.objects.get().count == 3


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_no_more_than_the_limit_get_through(redis: RedisServer) -> None:
    redis.stop()
    found: list[int] = []

    def ask() -> None:
        from django.db import connection

        try:
            found.append(throttle.count_up("key", seconds=60))
        finally:
            connection.close()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert sum(count <= 5 for count in found) <= 5
    assert Counter.objects.get().count == 8


def test_counts_that_are_over_are_cleaned_up() -> None:
    now = timezone.now()
    Counter.objects.create(key="old", count=3, expires_at=now - timedelta(seconds=1))
    Counter.objects.create(key="new", count=3, expires_at=now + timedelta(seconds=60))
    housekeeping.clean_up()
    assert [row.key for row in Counter.objects.all()] == ["new"]


def test_an_empty_cache_answers_in_its_place(redis: RedisServer) -> None:
    cache.set_many({"a": 1, "b": 2})
    redis.stop()
    assert cache.get("a") is None
    assert cache.get("a", 7) == 7
    assert cache.get_many(["a", "b"]) == {}
    assert cache.add("a", 1) is False
    assert "a" not in cache
    assert cache.touch("a") is False
    assert cache.delete("a") is False
    assert cache.get_or_set("a", 5) == 5
    cache.set("a", 1)
    cache.set_many({"a": 1})
    cache.delete_many(["a"])
    cache.clear()
    with pytest.raises(ValueError, match="not found"):
        cache.incr("a")
    assert watchdog.seen() == []
    housekeeping.heartbeat()


def test_each_outage_is_two_lines_and_the_cache_is_not_asked_each_time(
    redis: RedisServer, caplog, monkeypatch
) -> None:
    asked = []
    get = cached.redis.RedisCacheClient.get
    monkeypatch.setattr(
        cached.redis.RedisCacheClient, "get", lambda *args: (asked.append(args), get(*args))[1]
    )
    caplog.set_level(logging.INFO, "helpdesk.cached")
    for _ in range(2):
        redis.stop()
        asked.clear()
        for _ in range(50):
            cache.get("a")
        assert len(asked) == 1
        redis.start()
        monkeypatch.setattr(cached, "_asked_again_at", 0.0)
        for _ in range(50):
            cache.get("a")
        assert len(asked) == 51
    assert (
        caplog.messages
        == [
            "the cache does not answer (ConnectionError); counting in the database meanwhile",
            "the cache answers again",
        ]
        * 2
    )


def test_a_redis_that_hangs_is_away(redis: RedisServer) -> None:
    assert redis.process is not None
    cache.set("a", 1)
    redis.process.send_signal(signal.SIGSTOP)
    try:
        assert cache.get("a") is None
        assert cached.is_away()
    finally:
        redis.process.send_signal(signal.SIGCONT)
