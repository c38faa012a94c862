"""Mail of every shape that mail has, each as its programs write it, and what is to be understood of
it: `shapes/` has the mails, and a line of `shapes/expected.jsonl` for each."""

import json
from pathlib import Path
from typing import Any

import pytest

from inbound.reading.message import DeliveryReport, Envelope
from inbound.reading.reading import read
from tests.support.mail import SUPPORT

FOLDER = Path(__file__).parent / "shapes"
CASES = [json.loads(line) for line in (FOLDER / "expected.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("case", CASES, ids=[case["file"] for case in CASES])
def test_a_mail_of_this_shape_is_understood(case: dict[str, Any]) -> None:
    raw = (FOLDER / case["file"]).read_bytes()
    found = read(raw, Envelope(None, (SUPPORT,)), {SUPPORT})
    files = found.parsed.attachments
    assert {
        "file": case["file"],
        "kind": found.verdict.kind,
        "sender": [found.sender.address.address, found.sender.address.name],
        "subject": found.parsed.subject,
        "text": found.text.strip(),
        "quoted_text": found.quoted_text,
        "attachments": [[file.name, file.content_type, len(file.data)] for file in files],
        "report": reported(found.report),
        "language": found.language,
    } == case


def reported(report: DeliveryReport | None) -> dict[str, Any] | None:
    if report is None:
        return None
    recipients = [[found.address, found.action, found.status] for found in report.recipients]
    return {"recipients": recipients, "original": report.original_message_id}


def test_every_mail_of_the_folder_has_its_line() -> None:
    assert {case["file"] for case in CASES} == {path.name for path in FOLDER.glob("*.eml")}
