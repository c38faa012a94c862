"""Real mail that other projects collected, where MAIL_CORPUS names its folder."""

import json
import os
from pathlib import Path

import pytest

from tests.inbound.reading.corpus import understand

FOLDER = Path(os.environ.get("MAIL_CORPUS", ""))
pytestmark = pytest.mark.skipif(
    "MAIL_CORPUS" not in os.environ, reason="MAIL_CORPUS names no corpus"
)


def cases() -> list[dict[str, object]]:
    return [json.loads(line) for line in (FOLDER / "expected.jsonl").read_text().splitlines()]


def test_every_mail_is_read_without_an_exception_and_bounces_are_told_from_mail() -> None:
    right = claimed = 0
    for case in cases():
        name, expected = str(case["file"]), case["expected"]
        found = understand((FOLDER / name).read_bytes(), name.endswith(".eml"))
        assert isinstance(expected, dict)
        if "is_bounce" in expected and name.endswith(".eml"):
            claimed += 1
            right += found["is_bounce"] == expected["is_bounce"]
    assert right / claimed > 0.95
