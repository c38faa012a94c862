"""Each kind of event has its words, and they say what was recorded."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from helpdesk.history import WORDS, describe
from helpdesk.models import Event

ROOT = Path(__file__).resolve().parents[2]
# What is recorded, with a value of each type that the words are made of.
VALUES: dict[str, Any] = {
    "due": "2026-11-22T12:00:00+00:00",
    "to": "resolved",
    "fields": ["serial"],
    "score": 4,
    "number": 3,
    "after": 30,
}
IN_BETWEEN = {"tags": {"to": ["vip", "late"]}}
# The kinds that a variable names where they are recorded, and with what.
BY_A_VARIABLE = {
    "mail-retried": {"what", "to"},
    "mail-cancelled": {"what", "to"},
    "sla-warning": {"target", "due"},
    "sla-breach": {"target", "due"},
    "sla-escalation": {"target", "due", "after"},
}


def recorded() -> Iterator[tuple[str, set[str], bool]]:
    """Kind, the names of what is recorded with it, and whether these are all of them."""
    for path in (*(ROOT / "helpdesk").rglob("*.py"), *(ROOT / "tasks").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or len(node.args) < 2:
                continue
            if getattr(node.func, "attr", getattr(node.func, "id", "")) != "record":
                continue
            names = {str(word.arg) for word in node.keywords if word.arg}
            spread = [word.value for word in node.keywords if word.arg is None]
            for value in spread:
                if isinstance(value, ast.Dict):
                    names |= {str(key.value) for key in value.keys if isinstance(key, ast.Constant)}
            whole = all(isinstance(value, ast.Dict) for value in spread)
            kinds = node.args[1]
            for kind in (kinds.body, kinds.orelse) if isinstance(kinds, ast.IfExp) else (kinds,):
                if isinstance(kind, ast.Constant):
                    yield str(kind.value), names, whole


def test_every_kind_that_is_recorded_has_its_words_and_every_word_is_of_a_kind() -> None:
    assert {kind for kind, _, _ in recorded()} | set(BY_A_VARIABLE) == set(WORDS)


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        *sorted((kind, tuple(sorted(names))) for kind, names, whole in recorded() if whole),
        *((kind, tuple(sorted(names))) for kind, names in BY_A_VARIABLE.items()),
    ],
)
def test_the_words_are_made_of_what_is_recorded(kind: str, names: tuple[str, ...]) -> None:
    data = {name: VALUES.get(name, f"<{name}>") for name in names} | IN_BETWEEN.get(kind, {})
    assert describe(Event(kind=kind, data=data))


def test_a_kind_of_a_later_version_is_shown_by_its_name() -> None:
    assert describe(Event(kind="merged", data={})) == "merged"


def test_what_somebody_typed_is_no_template() -> None:
    event = Event(kind="subject", data={"from": "{0.__class__} {who}"})
    assert describe(event) == "changed the subject from “{0.__class__} {who}”"


def test_who_nothing_had_before_is_said() -> None:
    event = Event(kind="team", data={"from": "", "to": "Support"})
    assert describe(event) == "moved it from no team to Support"
