"""Several workers at once on PostgreSQL."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.services import postgres

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
from inbound.reading.message import Envelope
from helpdesk import setup
from tests.support.mail import eml
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
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={
            "PATH": os.environ["PATH"],
            "VAR_DIR": str(folder),
            "DATABASE_URL": url,
            "HELPDESK_KEYS": "throwaway",
            "LOG_LEVEL": "ERROR",
            "PYTHONPATH": str(ROOT),
        },
    )


def test_four_workers_make_one_ticket_of_a_thread_however_its_mails_race(
    url: str, tmp_path: Path
) -> None:
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


RACE = """
import threading
from datetime import timedelta
from django.db import connections
from django.utils import timezone
from helpdesk import actions, assignment
from helpdesk.actions import Content
from helpdesk.models import *
from helpdesk.escalation import sweep
from inbound.models import Mailbox
box = Mailbox.objects.get()
team = Team.objects.create(name="Race", strategy="least-loaded")
agents = [Person.objects.create_user(f"agent{n}@example.com", role="agent") for n in range(4)]
team.members.set(agents)
calendar = BusinessCalendar.objects.create(name="Always", weekly="always")
SLAPolicy.objects.create(name="Race", team=team, calendar=calendar, first_response=10, warn_at=0)
customer = Person.objects.create_user("race@example.net")
long_ago = timezone.now() - timedelta(hours=1)
box.teams.set([team])
for n in range(80):
    actions.open_ticket(actions.NewTicket(requester=customer, mailbox=box, subject="x", content=Content(text="x"), via="email",
                        actor=None, acknowledge=False, at=long_ago))
def work(number):
    try:
        agent = agents[number % 4]
        for round in range(12):
            if number < 4:
                assignment.share_out_waiting()
            else:
                try:
                    assignment.take_next(agent)
                except actions.Refused:
                    pass
            sweep()
    finally:
        connections.close_all()
threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
[t.start() for t in threads]
[t.join() for t in threads]
rows = Assignment.objects.filter(person__in=agents)
print(*[assignment.load(a) for a in agents], rows.count(), rows.values("ticket").distinct().count(),
      SLAAlert.objects.filter(step="breach").count(), Event.objects.filter(kind="sla-breach").count())
"""
SWEEP_SLOWLY = """
import os, time
from helpdesk.outbound import notify
from helpdesk.escalation import sweep
from helpdesk.models import Ticket
from django.utils import timezone
if os.environ["VAR_DIR"].endswith("killed"):
    count, whole = 0, notify.sla_breach
    def dies(*args):
        global count
        count += 1
        whole(*args)
        if count == 5:
            os.kill(os.getpid(), 9)
    notify.sla_breach = dies
sweep()
"""


def test_eight_workers_give_no_ticket_twice_and_nobody_more_than_the_limit(
    url: str, tmp_path: Path
) -> None:
    assert manage(url, tmp_path, "migrate", "-v0").wait(60) == 0
    manage(
        url, tmp_path, "shell", "-v0", "-c", "from helpdesk import setup; setup.first_rows()"
    ).wait(60)
    process = manage(url, tmp_path, "shell", "-v0", "-c", RACE)
    said, _ = process.communicate(timeout=100)
    assert process.returncode == 0, said
    # Fifteen each and twenty that wait; each breach told once, though eight looked for them.
    assert said.split() == ["15", "15", "15", "15", "60", "60", "80", "80"]


def test_a_beat_that_is_killed_between_two_alerts_leaves_each_told_once(
    url: str, tmp_path: Path
) -> None:
    undo = (
        "from helpdesk.models import *; from django.utils import timezone; SLAAlert.objects.all().delete();"
        "OutboundMail.objects.filter(kind='sla_breach').delete(); Ticket.objects.filter(team__name='Race')"
        ".update(sla_check_at=timezone.now())"
    )
    assert manage(url, tmp_path, "shell", "-v0", "-c", undo).wait(60) == 0
    assert manage(url, tmp_path / "killed", "shell", "-v0", "-c", SWEEP_SLOWLY).wait(60) == -9
    beats = [manage(url, tmp_path, "shell", "-v0", "-c", SWEEP_SLOWLY) for _ in range(2)]
    assert [beat.wait(90) for beat in beats] == [0, 0]
    count = (
        "from helpdesk.models import *; m = OutboundMail.objects.filter(kind='sla_breach');"
        "print(SLAAlert.objects.count(), m.values('ticket').distinct().count(), m.count())"
    )
    said, _ = manage(url, tmp_path, "shell", "-v0", "-c", count).communicate(timeout=60)
    alerts, tickets, mails = map(int, said.split())
    assert alerts == tickets == 80
    assert mails == 80  # an assignee each, or the one admin


COPIED_CROSSWISE = """
import threading
from django.db import connections, transaction
from django.db.utils import OperationalError
from helpdesk import actions
from helpdesk.models import Person
deadlocks, together, rounds = [], threading.Barrier(2), 50
def work(is_backwards):
    try:
        for number in range(rounds):
            addresses = [f"crosswise{number}-{n}@example.net" for n in range(4)]
            if is_backwards:
                addresses.reverse()
            together.wait(60)
            try:
                with transaction.atomic():
                    actions.people_for({address: ("", "") for address in addresses})
            except OperationalError as error:
                assert "deadlock" in str(error), error
                deadlocks.append(error)
    finally:
        connections.close_all()
threads = [threading.Thread(target=work, args=(n,)) for n in (False, True)]
[t.start() for t in threads]
[t.join() for t in threads]
print(len(deadlocks), Person.objects.filter(email__startswith="crosswise").count())
"""


def test_first_mails_that_name_the_same_new_people_in_another_order_do_not_deadlock(
    url: str, tmp_path: Path
) -> None:
    assert manage(url, tmp_path, "migrate", "-v0").wait(60) == 0
    process = manage(url, tmp_path, "shell", "-v0", "-c", COPIED_CROSSWISE)
    said, _ = process.communicate(timeout=150)
    assert process.returncode == 0, said
    assert said.split() == ["0", "200"]
