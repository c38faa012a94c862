"""What is configured is read once in a moment, and whoever asks has it for themselves."""

import time
from collections.abc import Iterator

import pytest
from django.db import connection

from helpdesk import config_cache
from helpdesk.config_cache import kept_for_a_moment
from helpdesk.models import Team

reads: list[object] = []


@kept_for_a_moment
def doubled(number: int, *, plus: int = 0) -> list[int]:
    reads.append(number)
    if number < 0:
        raise ValueError(number)
    return [number * 2 + plus]


@kept_for_a_moment
def nothing() -> None:
    reads.append(None)


@kept_for_a_moment
def first_team() -> Team | None:
    reads.append("team")
    return Team.objects.order_by("pk").first()


@pytest.fixture(autouse=True)
def _fresh(settings) -> Iterator[None]:
    settings.CONFIG_SECONDS = 60
    config_cache._packed.clear()
    reads.clear()
    yield
    config_cache._packed.clear()


def test_it_is_read_once_for_each_of_its_arguments() -> None:
    assert [doubled(2), doubled(2), doubled(3), doubled(3, plus=1)] == [[4], [4], [6], [7]]
    assert reads == [2, 3, 3]


def test_what_one_changes_nobody_else_sees() -> None:
    doubled(2).append(0)
    assert doubled(2) == [4]


def test_none_is_kept_too() -> None:
    assert [nothing(), nothing()] == [None, None]
    assert reads == [None]


def test_a_read_that_failed_is_not_kept() -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match="-1"):
            doubled(-1)
    assert reads == [-1, -1]


def test_it_is_read_again_after_the_moment(settings) -> None:
    settings.CONFIG_SECONDS = 0.2
    doubled(2)
    doubled(2)
    assert reads == [2]
    time.sleep(0.3)
    doubled(2)
    assert reads == [2, 2]


def test_it_is_read_each_time_where_nothing_is_to_be_kept(settings) -> None:
    settings.CONFIG_SECONDS = 0
    doubled(2)
    doubled(2)
    assert reads == [2, 2]


@pytest.mark.django_db
def test_rows_are_each_callers_own() -> None:
    Team.objects.create(name="Support")
    one, other = first_team(), first_team()
    assert one is not None
    assert one == other
    assert one is not other
    assert reads == ["team"]


def test_each_database_has_its_own(monkeypatch) -> None:
    doubled(2)
    monkeypatch.setitem(connection.settings_dict, "NAME", "another")
    doubled(2)
    assert reads == [2, 2]
