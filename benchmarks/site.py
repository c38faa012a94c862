"""An installation of its own for each measurement: a folder, a database, and the processes that use
them."""

import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Site:
    folder: Path
    database_url: str

    def environment(self, **more: str) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if name in {"PATH", "HOME", "LANG", "TMPDIR"}
        }
        return {
            **kept,
            "VAR_DIR": str(self.folder),
            "HELPDESK_KEYS": "make",
            "DATABASE_URL": self.database_url,
            "DJANGO_SETTINGS_MODULE": "helpdesk.settings",
            "LOG_LEVEL": "WARNING",
            **more,
        }

    def run(self, *arguments: str) -> str:
        """Runs Python to its end; what it printed."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(
                f"{' '.join(arguments)}: exit {done.returncode}\n{done.stderr[-3000:]}"
            )
        return done.stdout

    def fill(self, tickets: int) -> float:
        """With so many tickets; the seconds that it took."""
        began = time.monotonic()
        self.run("manage.py", "demo", f"--tickets={tickets}")
        return time.monotonic() - began

    def stored_mails(self) -> int:
        query = "SELECT count(*) FROM inbound_inboundmail"
        if self.database_url.startswith("sqlite"):
            connection = sqlite3.connect(self.database_url.removeprefix("sqlite:///"))
            try:
                return int(connection.execute(query).fetchone()[0])
            finally:
                connection.close()
        with psycopg.connect(self.database_url) as server:
            return int((server.execute(query).fetchone() or [0])[0])

    @contextmanager
    def process(self, *arguments: str, port: int, **environment: str) -> Iterator[int]:
        """A server that has begun to listen on `port`; its process id."""
        log = self.folder / f"{port}.log"
        with log.open("wb") as output:
            server = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT,
                env=self.environment(**environment),
                stdout=output,
                stderr=output,
            )
        try:
            _wait_for(server, port, log)
            yield server.pid
        finally:
            server.terminate()
            try:
                server.wait(40)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


@contextmanager
def site(database: str, postgres: str, folder: str | None) -> Iterator[Site]:
    """A migrated installation with its first mailbox; everything of it is gone afterwards."""
    with tempfile.TemporaryDirectory(
        prefix="helpdesk-bench-", dir=folder, ignore_cleanup_errors=True
    ) as name:
        if database == "sqlite":
            made = Site(Path(name), f"sqlite:///{name}/helpdesk.sqlite3")
            _migrate(made)
            yield made
            return
        own = f"helpdesk_bench_{os.getpid()}_{time.monotonic_ns()}"
        with psycopg.connect(postgres, autocommit=True) as server:
            server.execute(f'CREATE DATABASE "{own}"')
        try:
            made = Site(Path(name), f"{postgres.rpartition('/')[0]}/{own}")
            _migrate(made)
            yield made
        finally:
            with psycopg.connect(postgres, autocommit=True) as server:
                server.execute(f'DROP DATABASE "{own}" WITH (FORCE)')


def reachable(postgres: str) -> bool:
    try:
        psycopg.connect(postgres, connect_timeout=3).close()
    except psycopg.OperationalError:
        return False
    return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cpu_seconds(pid: int) -> float:
    """What a process has used so far, of all its threads; 0 where there is no /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def family_seconds(pid: int) -> float:
    """The same with all its children's that live."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(") ")[2].split()[1])
        except OSError:
            continue  # it has ended meanwhile
        parents.setdefault(parent, []).append(int(stat.parent.name))
    family = [pid]
    for one in family:
        family += parents.get(one, [])
    return sum(map(cpu_seconds, family))


def fsyncs_per_second(folder: str | None, *, seconds: float = 1.0) -> float:
    """How fast the disk makes 4 KB durable: the limit of every accept that is alone."""
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        started, count = time.perf_counter(), 0
        while time.perf_counter() - started < seconds:
            file.write(bytes(4096))
            os.fsync(file.fileno())
            count += 1
    return count / seconds


def last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2]


def _migrate(made: Site) -> None:
    made.run("manage.py", "migrate", "--verbosity=0")
    made.run("manage.py", "shell", "-c", "from helpdesk.setup import first_rows; first_rows()")


def _wait_for(server: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as probe:
                if probe.recv(3):
                    return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"nothing listens on port {port}\n{log.read_text()[-3000:]}")


def median(numbers: Sequence[float]) -> float:
    ordered = sorted(numbers)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
