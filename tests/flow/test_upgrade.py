"""An installation of before is migrated, and works on: its mail goes out, and what is known of its
mail servers is kept."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.services import postgres

ROOT = Path(__file__).resolve().parents[2]
BEFORE = """
from datetime import datetime, timedelta, timezone
import json
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from inbound.secrets import encrypt
loader = MigrationExecutor(connection).loader
nodes = [("helpdesk", "0016_sending"), max(n for n in loader.graph.nodes if n[0] == "inbound")]
apps = loader.project_state(nodes).apps
Mailbox, now = apps.get_model("inbound", "Mailbox"), datetime.now(timezone.utc)
own = Mailbox.objects.create(address="own@example.com", name="Own")
plain = Mailbox.objects.create(address="plain@example.com", name="Plain")
identity = apps.get_model("helpdesk", "Identity")
identity.objects.create(mailbox=own, signature="Bye", shows_agent=False, language="de")
Route = apps.get_model("helpdesk", "Route")
at = datetime(2026, 11, 1, 12, tzinfo=timezone.utc)
Route.objects.create(name="own@example.com", faults=2, failing_since=at, error="450 later", refused=[7])
Route.objects.create(name="plain@example.com", faults=5, failing_since=at, open_until=at, worked_at=at)
Mail = apps.get_model("helpdesk", "OutboundMail")
def mail(number, mailbox, **more):
    Mail.objects.create(
        kind="acknowledgement", mailbox=mailbox, to_address=f"cleo{number}@example.net",
        subject=f"Mail {number}", text="Hello", message_id=f"m{number}@example.com",
        is_automatic=True, next_attempt_at=now, due_at=now, **more)
mail(1, own)
mail(2, plain, attempts=3, reason="cannot reach the mail server", error="ConnectionRefusedError")
mail(3, plain, is_secret=True, sealed=encrypt(json.dumps(["Your code", ""])),
     expires_at=now + timedelta(hours=1))
"""
SERVERS = """
import json
from helpdesk.models import MailServer
rows = MailServer.objects.order_by("name").values(
    "name", "faults", "failing_since", "open_until", "error", "refused", "worked_at")
print(json.dumps([*rows], default=str))
"""
SEND = """
import json
from django.utils import timezone
from datetime import timedelta
from helpdesk.models import MailServer, OutboundMail
from helpdesk.outbound import texts
from inbound.models import Mailbox
from tasks.outbound import deliver
from tasks.secret_mail import deliver as deliver_secret
for mail in OutboundMail.objects.order_by("pk"):
    (deliver_secret if mail.is_secret else deliver)(mail.pk)
signed = [texts.signature(box, None) for box in Mailbox.objects.order_by("address")]
states = [*OutboundMail.objects.order_by("pk").values_list("state", "sealed")]
print(json.dumps([signed, states, MailServer.objects.filter(faults__gt=0).count()]))
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    environment = {
        "PATH": os.environ["PATH"],
        "VAR_DIR": str(tmp_path),
        "HELPDESK_KEYS": "make",
        "LOG_LEVEL": "ERROR",
        "PYTHONPATH": str(ROOT),
    }
    if request.param == "sqlite":
        yield environment
        return
    with postgres() as server:
        yield environment | {"DATABASE_URL": server.url}


def manage(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def told(environment: dict[str, str], script: str) -> Any:
    return json.loads(manage(environment, "shell", "-v0", "-c", script).splitlines()[-1])


def test_mail_that_waited_goes_out_after_an_upgrade_and_its_servers_are_known(
    installation: dict[str, str], tmp_path: Path
) -> None:
    manage(installation, "migrate", "-v0", "inbound")
    manage(installation, "migrate", "-v0", "helpdesk", "0016_sending")
    manage(installation, "shell", "-v0", "-c", BEFORE)
    manage(installation, "migrate", "-v0")
    at = "2026-11-01 12:00:00+00:00"
    own, plain = told(installation, SERVERS)
    assert own == {
        "name": "own@example.com",
        "faults": 2,
        "failing_since": at,
        "open_until": None,
        "error": "450 later",
        "refused": [7],
        "worked_at": None,
    }
    assert (plain["faults"], plain["open_until"], plain["worked_at"]) == (5, at, at)
    signed, states, failing = told(installation, SEND)
    assert signed == ["Bye", "Plain"]
    assert states == [["sent", ""]] * 3
    assert failing == 0
    files = [path.read_text() for path in (tmp_path / "sent-mail").rglob("*") if path.is_file()]
    assert sorted(text.partition("\nSubject: ")[2][:6] for text in files) == [
        "Mail 1",
        "Mail 2",
        "Mail 3",
    ]


def test_nothing_is_left_to_migrate(installation: dict[str, str]) -> None:
    manage(installation, "makemigrations", "--check", "--dry-run")
