"""The same code on PostgreSQL: the tests again, and several workers at once."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services import postgres

ROOT = Path(__file__).resolve().parents[2]
WORKER = """
from inbound.models import InboundMail
from tasks.inbound import process
import time
end = time.monotonic() + 40
while time.monotonic() < end:
    pks = list(InboundMail.objects.filter(state="received").values_list("pk", flat=True))
    if not pks:
        break
    for pk in pks:
        process(pk)
"""
STORE = """
from inbound import store
from inbound.message import Envelope
from helpdesk import setup
from tests.mail import eml
setup.first_rows()
mails = []
for n in range(30):
    mails.append(eml("reply", message_id=f"r{n}@x", in_reply_to=f"<p{n}@x>"))
    mails.append(eml("parent", message_id=f"p{n}@x"))
    mails.append(eml("parent", message_id=f"p{n}@x"))
store.accept_many([store.Arrival(m, Envelope("a@b.c", ("support@example.com",)), "test") for m in mails])
"""
COUNT = """
from inbound.models import InboundMail
from helpdesk.models import Comment, OutboundMail, Ticket
done = InboundMail.objects.exclude(state="received").count()
print(Ticket.objects.count(), Comment.objects.count(), done, OutboundMail.objects.filter(state="queued").count())
"""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with postgres() as server:
        yield server.url


def manage(url: str, folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "manage.py", *arguments], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={"PATH": os.environ["PATH"], "VAR_DIR": str(folder), "DATABASE_URL": url, "HELPDESK_KEYS": "throwaway",
             "LOG_LEVEL": "ERROR", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def test_the_tests_pass_on_postgresql_too(url: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/inbound", "tests/helpdesk"], cwd=ROOT, capture_output=True, text=True, timeout=110,
        env={**os.environ, "TEST_DATABASE_URL": url},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]


def test_four_workers_make_one_ticket_of_a_thread_however_its_mails_race(url: str, tmp_path: Path) -> None:
    for arguments in (("migrate", "-v0"), ("shell", "-v0", "-c", STORE)):
        process = manage(url, tmp_path, *arguments)
        assert process.wait(60) == 0, process.stdout and process.stdout.read()
    workers = [manage(url, tmp_path, "shell", "-v0", "-c", WORKER) for _ in range(4)]
    for worker in workers:
        said, _ = worker.communicate(timeout=90)
        assert worker.returncode == 0, said
    said, _ = manage(url, tmp_path, "shell", "-v0", "-c", COUNT).communicate(timeout=60)
    # Thirty threads: thirty tickets, a comment for parent and reply each, a duplicate each; and one
    # customer, who is sent no more than ten automatic mails.
    assert said.split() == ["30", "60", "90", "10"]
