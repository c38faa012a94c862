"""Private servers for tests: real PostgreSQL, Redis and an SMTP sink, each on a free port, ended by
its own pid."""

import fcntl
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope
from redis import Redis
from redis.exceptions import ConnectionError as NotYet

ROOT = Path(__file__).resolve().parents[2]
T = TypeVar("T")


def need(binary: str) -> str:
    """Where that program is. Without it the test is skipped by name; in CI it fails."""
    found = shutil.which(binary)
    if not found:
        versions = Path("/usr/lib/postgresql").glob(f"*/bin/{binary}")
        found = next(
            (str(path) for path in sorted(versions, key=lambda p: int(p.parts[4]), reverse=True)),
            None,
        )
    if found:
        return found
    if os.environ.get("CI") == "true":
        pytest.fail(f"{binary} is not installed")
    pytest.skip(f"{binary} is not installed")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(predicate: Callable[[], T], seconds: float, what: str = "") -> T:
    """The predicate's first true value; AssertionError once that many seconds have passed without
    one."""
    deadline = time.monotonic() + seconds
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(
                f"not within {seconds} s: {what or predicate}; the last value was {value!r}"
            )
        time.sleep(0.05)


# --- SQLite


def migrated_sqlite(var: Path) -> Path:
    """Puts an empty, migrated database into that VAR_DIR: it is made once in a run, and copied.
    Where it is."""
    ready = Path(os.environ["TEST_RUN_DIR"]) / "helpdesk.sqlite3"
    with ready.with_name("lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            making = ready.with_name("making")
            subprocess.run(
                [sys.executable, "manage.py", "migrate", "-v0"],
                cwd=ROOT,
                check=True,
                timeout=60,
                env={
                    "PATH": os.environ["PATH"],
                    "VAR_DIR": str(making),
                    "HELPDESK_KEYS": "throwaway",
                },
            )
            (making / ready.name).rename(ready)
    var.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(ready, var / ready.name))


# --- PostgreSQL


@dataclass
class Postgres:
    """A cluster of its own, durable as in production (fsync is on)."""

    folder: Path
    port: int
    user: str
    password: str
    database: str

    @property
    def url(self) -> str:
        return f"postgres://{self.user}:{self.password}@127.0.0.1:{self.port}/{self.database}"

    def start(self) -> None:
        """Starts it, and returns once it takes connections. Data of an earlier start is still
        there."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''"
        self._ctl("start", "-w", "-t", "30", "-l", str(self.folder / "log"), "-o", options)

    def stop(self, mode: str = "fast") -> None:
        """`immediate` is a crash: the next start recovers from the log."""
        if (self.folder / "data" / "postmaster.pid").exists():
            self._ctl("stop", "-w", "-t", "30", "-m", mode)

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            return connection.execute(sql, values).fetchall()  # type: ignore[arg-type]

    def _ctl(self, *arguments: str) -> None:
        done = _as_postgres(
            [need("pg_ctl"), "-D", str(self.folder / "data"), *arguments], self.folder
        )
        if done.returncode:
            log = self.folder / "log"
            raise RuntimeError(
                f"pg_ctl {arguments[0]}: {done.stderr}\n{log.read_text() if log.exists() else ''}"
            )


@contextmanager
def postgres(
    user: str = "helpdesk",
    password: str = "helpdesk",  # noqa: S107
    database: str = "helpdesk",
) -> Iterator[Postgres]:
    """A private, running PostgreSQL with that superuser and an empty database of that name."""
    initdb = need("initdb")
    with tempfile.TemporaryDirectory(prefix="test-postgres-") as name:
        folder = Path(name)
        secret = folder / "password"
        secret.write_text(password)
        if os.geteuid() == 0:
            account = _account()
            for path in (folder, secret):
                os.chown(path, account.pw_uid, account.pw_gid)
        made = _as_postgres(
            [
                initdb,
                "-D",
                str(folder / "data"),
                "-U",
                user,
                "-A",
                "scram-sha-256",
                "--pwfile",
                str(secret),
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
            ],
            folder,
        )
        if made.returncode:
            raise RuntimeError(f"initdb: {made.stderr}")
        server = Postgres(folder, free_port(), user, password, database)
        try:
            server.start()
            maintenance = f"postgres://{user}:{password}@127.0.0.1:{server.port}/postgres"
            with psycopg.connect(maintenance, autocommit=True) as connection:
                connection.execute(
                    psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(database))
                )
            yield server
        finally:
            server.stop("immediate")


def _account() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    pytest.fail(
        "PostgreSQL refuses to run as root, and there is no account called postgres or nobody"
    )


def _as_postgres(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs it under an ordinary account. Its output goes to a file: the server it leaves behind
    keeps it open."""
    user = group = None
    if os.geteuid() == 0:
        user, group = _account().pw_uid, _account().pw_gid
    with tempfile.TemporaryFile("w+") as output:
        done = subprocess.run(
            command,
            cwd=folder,
            user=user,
            group=group,
            extra_groups=[] if user else None,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            timeout=60,
            check=False,
        )
        output.seek(0)
        return subprocess.CompletedProcess(command, done.returncode, "", output.read())


# --- Redis


@dataclass
class RedisServer:
    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Starts it empty, and returns once it answers."""
        self.process = subprocess.Popen(
            [
                need("redis-server"),
                "--port",
                str(self.port),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
                "--dir",
                str(self.folder),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(self._answers, 10, "redis-server to answer")

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def flush(self) -> None:
        with Redis(host="127.0.0.1", port=self.port) as client:
            client.flushall()

    def _answers(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise RuntimeError(f"redis-server ended with {self.process.returncode}")
        try:
            with Redis(host="127.0.0.1", port=self.port) as client:
                return bool(client.ping())
        except NotYet:
            return False


@contextmanager
def redis() -> Iterator[RedisServer]:
    """A private, running Redis that keeps nothing."""
    need("redis-server")
    with tempfile.TemporaryDirectory(prefix="test-redis-") as name:
        server = RedisServer(Path(name), free_port())
        try:
            server.start()
            yield server
        finally:
            server.stop()


# --- A mail server that takes our mail, or does not

DROP = "drop"  # as a reply: takes the mail and hangs up without a word


@dataclass
class SmtpSink:
    """What came in, and what to say next. A queue that is empty says 250."""

    port: int
    mails: list[tuple[Envelope, bytes]] = field(default_factory=list)
    replies: deque[str] = field(default_factory=deque)  # to a message's last line
    rcpt_replies: deque[str] = field(default_factory=deque)  # to RCPT TO
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        """For EMAIL_URL."""
        return f"smtp://127.0.0.1:{self.port}"

    async def handle_RCPT(
        self, server: Any, session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        with self._lock:
            reply = self.rcpt_replies.popleft() if self.rcpt_replies else "250 2.1.5 OK"
        if reply.startswith("2"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        with self._lock:
            reply = self.replies.popleft() if self.replies else "250 2.0.0 OK"
            if reply == DROP or reply.startswith("2"):
                content = envelope.content
                assert isinstance(content, bytes)
                self.mails.append((envelope, content))
        if reply == DROP:
            server.transport.abort()
            return "421 4.3.2 Gone"
        return reply


@contextmanager
def smtp_sink(*, utf8: bool = True) -> Iterator[SmtpSink]:
    """A mail server in this process that collects (envelope, bytes); with SMTPUTF8 or without."""
    sink = SmtpSink(free_port())
    controller = Controller(sink, hostname="127.0.0.1", port=sink.port, enable_SMTPUTF8=utf8)
    controller.start()
    try:
        yield sink
    finally:
        controller.stop()
