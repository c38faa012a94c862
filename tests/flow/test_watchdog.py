"""A worker that never comes back from a row, in real processes: it is named, and it is ended."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.flow.test_compose import SERVICES
from tests.flow.test_serve import ROOT, Served
from tests.support.mail import eml
from tests.support.services import migrated_sqlite, redis, wait_for

# Minutes of a process that hangs: WATCHDOG_RUNS=all is the full length.
LONG = pytest.mark.skipif(
    os.environ.get("WATCHDOG_RUNS") != "all", reason="WATCHDOG_RUNS=all runs it"
)

ATTEMPTS = "select state, attempts from inbound_inboundmail where id = 2"


def health(served: Served) -> dict[str, object]:
    try:
        with urllib.request.urlopen(served.url("/api/health/"), timeout=5) as answer:
            return dict(json.load(answer))
    except urllib.error.HTTPError as error:
        return dict(json.load(error))


def hanging(folder: Path) -> Served:
    served = Served(folder)
    served.environment["DJANGO_SETTINGS_MODULE"] = "tests.support.stuck_settings"
    served.start()
    return served


def test_serve_ends_a_worker_that_does_not_come_back_health_names_the_row_and_others_go_on(
    tmp_path: Path,
) -> None:
    served = hanging(tmp_path)
    try:
        served.send(eml("Fine", message_id="fine@x"))
        wait_for(lambda: served.rows("select count(*) from helpdesk_ticket") == [(1,)], 10)
        assert health(served)["stuck"] == 0  # how many: who is not staff learns no more
        served.send(eml("x", subject="Wait for ever", message_id="stuck@x"))
        wait_for(lambda: health(served)["stuck"] == 1, 8)
        assert "stuck" in str(health(served)["problems"])
        wait_for(lambda: health(served)["processes_ended"] == 1, 30)
        log = (tmp_path / "log").read_text()
        assert "a worker does not come back from inbound mail 2 for" in log
        assert "threading.Event().wait()" in log  # where it was
        assert "ended with status 1; it is started again in 0.2 s" in log
        wait_for(lambda: served.rows(ATTEMPTS) == [("received", 2)], 10)
        served.send(eml("Large", message_id="large@x") + b"x" * 76 * 4000)  # another queue
        wait_for(lambda: served.rows("select count(*) from helpdesk_ticket") == [(2,)], 10)
    finally:
        served.kill()


@LONG
def test_serve_ends_a_worker_that_keeps_the_interpreter_to_itself(tmp_path: Path) -> None:
    served = hanging(tmp_path)
    try:
        served.send(eml("x", subject="Compute for ever", message_id="stuck@x"))
        wait_for(lambda: health(served)["processes_ended"] == 1, 30)
        assert "in hangs" in (tmp_path / "log").read_text()
    finally:
        served.kill()


@LONG
def test_a_row_that_ends_its_worker_each_time_is_given_up(tmp_path: Path) -> None:
    served = hanging(tmp_path)
    try:
        served.send(eml("x", subject="Wait for ever", message_id="stuck@x"))
        wait_for(lambda: served.rows(ATTEMPTS.replace("2", "1")) == [("failed", 6)], 120)
        served.send(eml("Fine", message_id="fine@x"))
        wait_for(lambda: served.rows("select count(*) from helpdesk_ticket") == [(1,)], 10)
    finally:
        served.kill()


@pytest.mark.parametrize("subject", ["Wait for ever", pytest.param("Compute for ever", marks=LONG)])
def test_a_process_of_a_worker_of_its_own_is_killed_and_the_others_go_on(
    subject: str, tmp_path: Path
) -> None:
    migrated_sqlite(tmp_path / "var")
    with redis() as broker:
        environment = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "VAR_DIR": str(tmp_path / "var"),
            "HELPDESK_KEYS": "throwaway",
            "CELERY_BROKER_URL": broker.url,
            "CACHE_URL": broker.url[:-1] + "1",
            "DJANGO_SETTINGS_MODULE": "tests.support.stuck_settings",
            "PYTHONPATH": str(ROOT),
        }

        def manage(*arguments: str, given: bytes = b"") -> str:
            return subprocess.run(
                [sys.executable, "manage.py", *arguments],
                cwd=ROOT,
                env=environment,
                input=given,
                timeout=60,
                capture_output=True,
                check=True,
            ).stdout.decode()

        manage("setup")
        command = [
            part.replace("${WORKER_PROCESSES:-2}", "1") for part in SERVICES["worker"]["command"]
        ]
        with (tmp_path / "log").open("wb") as log:
            worker = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        try:
            manage("ingest", given=eml("x", subject=subject, message_id="stuck@x"))
            manage("ingest", given=eml("Fine", message_id="fine@x"))
            said = "from tasks import watchdog; print(watchdog.seen())"
            if subject == "Wait for ever":  # the other one lets nobody look
                wait_for(lambda: "inbound mail 1 for" in manage("shell", "-v0", "-c", said), 20)
            count = "from helpdesk.models import Ticket; print(Ticket.objects.count())"
            wait_for(lambda: manage("shell", "-v0", "-c", count).strip() == "1", 30)
            assert worker.poll() is None
        finally:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
        assert (
            "Hard time limit (6s) exceeded for tasks.inbound.process"
            in (tmp_path / "log").read_text()
        )
