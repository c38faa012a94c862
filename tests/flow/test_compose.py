"""docker-compose.yml: what it promises on paper, and its commands run as real processes.

There is no Docker here: each service's command and health check runs with the environment that the
file gives it; only host names, ports and VAR_DIR are put in the place of a container's.
"""

import os
import re
import signal
import smtplib
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from helpdesk.env.variables import TABLE, unknown
from tests.support import services
from tests.support.services import Postgres, RedisServer, free_port, wait_for

ROOT = Path(__file__).resolve().parent.parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]
WORKERS = [name for name in OURS if name.startswith("worker")]
SECRETS = {"SECRET_KEY", "JWT_KEY", "PIN_KEY", "FERNET_KEYS", "POSTGRES_PASSWORD"}
VARIABLE = re.compile(r"\$(?:\$|\{(?P<name>\w+)(?:(?P<how>:[-?])(?P<rest>[^}]*))?\})")

GIVEN = {name: f"{name.lower()}-of-the-test-with-more-than-32-characters" for name in SECRETS}
GIVEN |= {"ADMIN_PASSWORD": "a-password-of-the-test", "SUPPORT_ADDRESS": "support@example.com"}


def substituted(text: str, given: Mapping[str, str]) -> str:
    """As Compose does it, for the forms that the file uses: ${A}, ${A:-default}, ${A:?message} and
    $$."""

    def value(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        if found := given.get(match["name"]):
            return found
        if match["how"] == ":?":
            raise LookupError(match["name"])
        return match["rest"] or ""

    return VARIABLE.sub(value, text)


def environment(name: str, given: Mapping[str, str]) -> dict[str, str]:
    """A variable without a value is handed on where it is set, and left out where it is not."""
    listed: dict[str, Any] = SERVICES[name].get("environment", {})
    found = {
        key: given.get(key) if value is None else substituted(str(value), given)
        for key, value in listed.items()
    }
    return {key: value for key, value in found.items() if value is not None}


# --- On paper


def test_only_web_and_smtp_publish_a_port() -> None:
    assert {name for name, service in SERVICES.items() if service.get("ports")} == {"web", "smtp"}


def test_every_service_has_a_health_check_or_runs_once_and_is_waited_for() -> None:
    conditions = [
        (other, wait["condition"])
        for service in SERVICES.values()
        for other, wait in service.get("depends_on", {}).items()
    ]
    for name, service in SERVICES.items():
        if "healthcheck" in service:
            assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}, name
            assert (name, "service_completed_successfully") not in conditions, name
        else:
            assert (name, "service_completed_successfully") in conditions, (
                f"{name} has no health check"
            )
            assert service["restart"] != "unless-stopped", f"{name} would run again for ever"


@pytest.mark.parametrize("name", SERVICES)
def test_no_log_grows_for_ever(name: str) -> None:
    logging = SERVICES[name]["logging"]
    assert logging["driver"] == "json-file"
    assert re.fullmatch(r"\d{1,2}m", logging["options"]["max-size"])
    assert int(logging["options"]["max-file"]) <= 10


@pytest.mark.parametrize("missing", sorted(SECRETS))
def test_no_secret_has_a_default(missing: str) -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    assert {match["how"] for match in VARIABLE.finditer(text) if match["name"] == missing} == {":?"}
    with pytest.raises(LookupError, match=missing):
        substituted(text, {name: value for name, value in GIVEN.items() if name != missing})


def test_no_other_password_or_key_is_written_down() -> None:
    for name, service in SERVICES.items():
        for key, value in (service.get("environment") or {}).items():
            if re.search("PASSWORD|SECRET|KEY|TOKEN", key) and key not in SECRETS:
                assert value is None, f"{name}: {key}"


def test_web_smtp_workers_and_beat_start_after_the_migration() -> None:
    for name in OURS:
        if name != "migrate":
            waits = SERVICES[name]["depends_on"]
            assert waits["migrate"] == {"condition": "service_completed_successfully"}, name
            assert waits["postgres"] == {"condition": "service_healthy"}, name


def test_what_has_to_survive_is_on_a_named_volume() -> None:
    assert set(COMPOSE["volumes"]) == {"database", "var"}
    assert SERVICES["postgres"]["volumes"] == ["database:/var/lib/postgresql/data"]
    for name in ("web", "beat", *WORKERS):
        assert SERVICES[name]["volumes"] == ["var:/var/lib/helpdesk"], name
        assert SERVICES[name]["environment"]["VAR_DIR"] == "/var/lib/helpdesk", name


def test_a_worker_listens_to_every_queue_and_codes_wait_for_nothing_else(settings: Any) -> None:
    queues = [
        SERVICES[name]["command"][SERVICES[name]["command"].index("-Q") + 1].split(",")
        for name in WORKERS
    ]
    assert sorted(queue for each in queues for queue in each) == sorted(
        queue.name for queue in settings.CELERY_TASK_QUEUES
    )
    assert ["codes"] in queues


def test_every_variable_that_the_file_hands_on_is_one_that_something_reads() -> None:
    for name in OURS:
        assert unknown(set(SERVICES[name]["environment"])) == [], name
        for key in SERVICES[name]["environment"]:
            assert key in TABLE or key.startswith("ANYMAIL_"), f"{name}: {key}"


def test_every_setting_is_handed_on_to_somebody() -> None:
    given = {key for name in OURS for key in SERVICES[name]["environment"]}
    # Where web listens is in its command, and nothing makes keys.
    assert set(TABLE) - given == {"ANYMAIL_…", "DEBUG", "HELPDESK_KEYS", "HTTP_ADDR", "LMTP_ADDR"}


def test_the_image_runs_as_an_ordinary_user_with_locked_requirements_and_no_key() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users
    assert users[-1] not in {"root", "0"}
    assert any("pip install --require-hashes -r requirements.txt" in line for line in lines)
    assert not [
        line
        for line in lines
        if line.startswith(("ENV", "ARG")) and re.search("KEY|PASSWORD", line)
    ]
    assert [line for line in lines if line.startswith("CMD")][-1].startswith("CMD [")
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert {".env", "var", ".git", ".venv"} <= set(ignored)


# --- The commands, run


@dataclass
class Stack:
    """The file's services as processes on this machine."""

    database: Postgres
    broker: RedisServer
    var: Path
    web_port: int = field(default_factory=free_port)
    smtp_port: int = field(default_factory=free_port)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str) -> subprocess.Popen[bytes]:
        command = [self._here(substituted(part, GIVEN)) for part in SERVICES[name]["command"]]
        if name in WORKERS:
            command += ["-n", f"celery@{name}"]  # each container has a host name of its own
        with self.log(name).open("ab") as log:
            # A session of its own: killed whole, as a container is.
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=self._environment(name),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.running[name] = process
        return process

    def end(self, name: str, number: int) -> None:
        """As Docker does it: a kill takes all of a container, any other signal goes to its command
        alone."""
        process = self.running.pop(name)
        if process.poll() is None and number == signal.SIGKILL:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise AssertionError(f"{name} did not stop within 20 s") from None

    def is_healthy(self, name: str) -> bool:
        """Runs the service's own health check."""
        kind, *test = SERVICES[name]["healthcheck"]["test"]
        if self.running[name].poll() is not None:
            raise AssertionError(
                f"{name} ended with {self.running[name].returncode}:\n{self.log(name).read_text()[-3000:]}"
            )
        command = [self._here(substituted(part, GIVEN)) for part in test]
        done = subprocess.run(
            ["sh", "-c", command[0]] if kind == "CMD-SHELL" else command,
            cwd=ROOT,
            env=self._environment(name),
            capture_output=True,
            timeout=30,
            check=False,
        )
        return done.returncode == 0

    def log(self, name: str) -> Path:
        return self.var / f"log-{name}"

    def send(self, subject: str, sender: str) -> None:
        """Returns once the 250 is there; anything else raises."""
        with smtplib.SMTP("127.0.0.1", self.smtp_port, timeout=40) as client:
            client.sendmail(
                sender,
                GIVEN["SUPPORT_ADDRESS"],
                f"From: {sender}\r\nTo: {GIVEN['SUPPORT_ADDRESS']}\r\nSubject: {subject}\r\n"
                f"Message-ID: <{subject.replace(' ', '-')}@example.net>\r\n\r\nPlease help.\r\n",
            )

    def tickets(self, subject: str) -> int:
        return int(
            self.database.query("SELECT count(*) FROM helpdesk_ticket WHERE subject = %s", subject)[
                0
            ][0]
        )

    def acknowledgements(self, sender: str) -> list[str]:
        files = [path.read_text() for path in (self.var / "sent-mail").glob("*.eml")]
        return [text for text in files if f"X-Envelope-To: {sender}" in text]

    def arrived_once(self, subject: str, sender: str, seconds: float) -> None:
        """The ticket and its acknowledgement are there, and a few sweeps later there is still one
        of each."""
        wait_for(lambda: self.tickets(subject), seconds, f"the ticket of {subject!r}")
        wait_for(
            lambda: self.acknowledgements(sender), seconds, f"the acknowledgement of {subject!r}"
        )
        time.sleep(3)
        assert self.tickets(subject) == 1
        assert len(self.acknowledgements(sender)) == 1

    def _environment(self, name: str) -> dict[str, str]:
        own = {key: self._here(value) for key, value in environment(name, GIVEN).items()}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {
            **own,
            "PATH": path,
            "HOSTNAME": name,
            "HOME": str(self.var),
            "DJANGO_SETTINGS_MODULE": "helpdesk.settings",
        }

    def _here(self, text: str) -> str:
        """A container's names and ports → this machine's."""
        for there, here in (
            ("@postgres:5432/", f"@127.0.0.1:{self.database.port}/"),
            ("redis:6379/", f"127.0.0.1:{self.broker.port}/"),
            ("0.0.0.0", "127.0.0.1"),  # noqa: S104
            ("/var/lib/helpdesk", str(self.var)),
        ):
            text = text.replace(there, here)
        text = re.sub(r"\b8000\b", str(self.web_port), text)
        return re.sub(r"\b2525\b", str(self.smtp_port), text)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    database = environment("postgres", GIVEN)
    account = database["POSTGRES_USER"], database["POSTGRES_PASSWORD"], database["POSTGRES_DB"]
    with services.postgres(*account) as postgres, services.redis() as redis:
        stack = Stack(postgres, redis, tmp_path_factory.mktemp("var"))
        try:
            migrate = stack.start("migrate")
            assert migrate.wait(150) == 0, stack.log("migrate").read_text()
            del stack.running["migrate"]
            for name in OURS:
                if name != "migrate":
                    stack.start(name)
            for name in ("web", "smtp"):
                wait_for(lambda name=name: stack.is_healthy(name), 90, f"{name} to be healthy")  # type: ignore[misc]
            yield stack
        finally:
            for name in list(stack.running):
                stack.end(name, signal.SIGKILL)


def test_a_mail_to_the_smtp_service_becomes_one_ticket_and_is_acknowledged(stack: Stack) -> None:
    stack.send("My printer is on fire", "cleo@example.net")
    stack.arrived_once("My printer is on fire", "cleo@example.net", 20)


def test_every_service_passes_its_own_health_check(stack: Stack) -> None:
    for name in stack.running:
        wait_for(lambda name=name: stack.is_healthy(name), 20, f"{name} to be healthy")  # type: ignore[misc]


def test_the_web_service_knows_that_beat_and_worker_are_alive(stack: Stack) -> None:
    def body() -> str:
        with urllib.request.urlopen(
            f"http://127.0.0.1:{stack.web_port}/api/health/", timeout=5
        ) as reply:
            return str(reply.read())

    wait_for(lambda: '"heartbeat": "20' in body(), 20, "a heartbeat")


@pytest.mark.parametrize("frozen", [False, True], ids=["as it works", "before it looks"])
def test_after_a_250_neither_a_flushed_redis_nor_a_killed_worker_loses_the_mail(
    stack: Stack, frozen: bool
) -> None:
    subject, sender = f"The second fire {frozen}", f"dora-{frozen}@example.net".lower()
    if frozen:  # so that the worker dies before it has done anything, whatever the machine's speed
        for name in WORKERS:
            os.killpg(stack.running[name].pid, signal.SIGSTOP)
    stack.send(subject, sender)
    stack.broker.flush()
    for name in WORKERS:
        stack.end(name, signal.SIGKILL)
    for name in WORKERS:
        stack.start(name)
    stack.arrived_once(subject, sender, 38)  # a row that was claimed is free again after 30 s


def test_a_flushed_redis_alone_loses_no_mail(stack: Stack) -> None:
    stack.broker.flush()
    stack.send("The third fire", "emil@example.net")
    stack.arrived_once("The third fire", "emil@example.net", 15)


def test_a_redis_that_was_away_loses_no_mail(stack: Stack) -> None:
    stack.broker.stop()
    stack.send("The fourth fire", "fred@example.net")
    stack.broker.start()
    stack.arrived_once("The fourth fire", "fred@example.net", 30)


def test_while_the_database_is_away_mail_is_refused_for_now_and_afterwards_all_goes_on(
    stack: Stack,
) -> None:
    stack.database.stop("immediate")
    with pytest.raises((smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused)) as refused:
        stack.send("The fifth fire", "gina@example.net")
    error = refused.value
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = [code for code, _ in error.recipients.values()]
    else:
        assert isinstance(error, smtplib.SMTPResponseException)
        codes = [error.smtp_code]
    assert all(400 <= code < 500 for code in codes), codes
    assert not stack.is_healthy("web")
    stack.database.start()

    def accepted() -> bool:
        try:
            stack.send("The fifth fire", "gina@example.net")
        except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused):
            return False
        return True

    wait_for(accepted, 35, "the mail to be accepted again")
    stack.arrived_once("The fifth fire", "gina@example.net", 20)
    wait_for(lambda: stack.is_healthy("web"), 15, "web to be healthy again")


def test_every_service_stops_when_it_is_told_to(stack: Stack) -> None:
    ended = {name: stack.running[name] for name in stack.running}
    for name in ended:
        stack.end(name, signal.SIGTERM)
    assert {name: process.returncode for name, process in ended.items()} == {
        name: -signal.SIGTERM
        if name == "web"
        else 0  # uvicorn shuts down, and then raises the signal again
        for name in ended
    }
