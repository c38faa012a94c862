"""`serve` as people run it, from outside: how soon it answers, what memory it takes, how long from
its 250 to the acknowledgement at a mail server, and how many mails a second go all the way."""

import asyncio
import re
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import mails
from benchmarks.browser import PASSWORD, Browser
from benchmarks.latency import quantile
from benchmarks.sink import Sink
from benchmarks.site import Site, free_port

WARM_UP = 20
BUSY_PER_SECOND, QUIET_PER_SECOND = 50, 5
PAGES_PER_SECOND = 5
SETTLE_SECONDS = 3.0
WAIT_SECONDS = 120.0


def measure(site: Site, *, quiet: int, busy: int, flood: int) -> dict[str, Any]:
    return asyncio.run(_measure(site, quiet, busy, flood))


async def _measure(site: Site, quiet: int, busy: int, flood: int) -> dict[str, Any]:
    sink = Sink()
    found = mails.generate(2 * (WARM_UP + quiet + busy + flood), seed=7)
    todo = iter([mail for mail in found if not mail.parent])

    def some(count: int) -> list[mails.Mail]:
        return [next(todo) for _ in range(count)]

    async with await sink.start():
        with served(site, sink) as running:
            browser = Browser(f"http://127.0.0.1:{running.web}")
            await asyncio.to_thread(browser.sign_in)
            start_seconds = time.perf_counter() - running.started
            await asyncio.sleep(SETTLE_SECONDS)
            idle = running.memory_mb()
            await waits(some(WARM_UP), running.smtp, sink, QUIET_PER_SECOND)
            at_rest = await waits(some(quiet), running.smtp, sink, QUIET_PER_SECOND)
            beside = await waits(some(busy), running.smtp, sink, BUSY_PER_SECOND)
            with _Pages(browser) as pages:
                began = time.perf_counter()
                await waits(some(flood), running.smtp, sink, None)
                took = time.perf_counter() - began
            return {
                "mails": flood,
                "start_seconds": start_seconds,
                "idle_mb": idle,
                "after_mb": running.memory_mb(),
                "quiet_p50_ms": quantile(at_rest, 0.5),
                "quiet_p99_ms": quantile(at_rest, 0.99),
                "busy_p99_ms": quantile(beside, 0.99),
                "rate": flood / took,
                "page_p95_ms": quantile(sorted(pages.times), 0.95),
            }


@dataclass(slots=True)
class Running:
    """A `serve`, and where it listens."""

    smtp: int
    web: int
    started: float
    pid: int = 0
    seen: list[float] = field(default_factory=list)

    def memory_mb(self) -> float:
        """What it and all that it started take, each shared page counted once (Linux's PSS)."""
        kilobytes = 0
        for one in _with_children(self.pid):
            try:
                rollup = Path(f"/proc/{one}/smaps_rollup").read_text()
            except OSError:  # it has ended in between
                continue
            kilobytes += int(rollup.partition("\nPss:")[2].split()[0])
        self.seen.append(kilobytes / 1024)
        return self.seen[-1]


@contextmanager
def served(site: Site, sink: Sink) -> Iterator[Running]:
    """A `serve` that sends its mail to the sink."""
    running = Running(free_port(), free_port(), time.perf_counter())
    with site.process(
        "manage.py",
        "serve",
        port=running.smtp,
        SMTP_ADDR=f"127.0.0.1:{running.smtp}",
        HTTP_ADDR=f"127.0.0.1:{running.web}",
        EMAIL_URL=f"smtp://127.0.0.1:{sink.port}",
        ADMIN_PASSWORD=PASSWORD,
        REQUESTS_A_MINUTE="100000",
    ) as running.pid:
        while not _answers(running.web):
            time.sleep(0.02)
        yield running


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


async def waits(
    todo: Sequence[mails.Mail],
    port: int,
    sink: Sink,
    per_second: float | None,
    *,
    connections: int = 10,
) -> list[float]:
    """Sends them, at that pace or as fast as they are taken; the milliseconds from each one's 250
    to its acknowledgement, in order."""
    accepted: dict[str, float] = {}
    waiting = list(enumerate(todo))[::-1]
    began = time.perf_counter()

    async def connection() -> None:
        server = await _Client.connected(port)
        while waiting:
            number, mail = waiting.pop()
            if per_second:
                await asyncio.sleep(began + number / per_second - time.perf_counter())
            await server.send(mail)
            accepted[mail.message_id] = time.perf_counter()
        server.close()

    await asyncio.gather(*(connection() for _ in range(connections)))
    deadline = time.monotonic() + WAIT_SECONDS
    while not accepted.keys() <= sink.seen.keys():
        if time.monotonic() > deadline:
            missing = len(accepted.keys() - sink.seen.keys())
            raise RuntimeError(f"{missing} of {len(accepted)} mails were not acknowledged in time")
        await asyncio.sleep(0.02)
    return sorted(1000 * (sink.seen[key] - at) for key, at in accepted.items())


class _Client:
    """One connection to the listener."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connected(cls, port: int) -> "_Client":
        made = cls(*await asyncio.open_connection("127.0.0.1", port))
        await made._reader.readline()
        await made._say(b"HELO benchmark.example.net\r\n")
        return made

    async def send(self, mail: mails.Mail) -> None:
        await self._say(b"MAIL FROM:<%s>\r\n" % mail.sender.encode())
        await self._say(b"RCPT TO:<%s>\r\n" % mails.SUPPORT.encode())
        await self._say(b"DATA\r\n")
        dotted = re.sub(rb"(?m)^\.", b"..", mail.raw)
        await self._say(dotted + (b".\r\n" if dotted.endswith(b"\r\n") else b"\r\n.\r\n"))

    def close(self) -> None:
        self._writer.close()

    async def _say(self, words: bytes) -> None:
        self._writer.write(words)
        answer = await self._reader.readline()
        if answer[:1] not in b"23":
            raise ConnectionError(answer.decode())


class _Pages(threading.Thread):
    """Asks for so many pages a second, each on time however long the one before took; `times` are
    the milliseconds from when each was due."""

    def __init__(self, browser: Browser) -> None:
        super().__init__(daemon=True)
        self.times: list[float] = []
        self._browser = browser
        self._end = threading.Event()

    def run(self) -> None:
        due, number = time.perf_counter(), 0
        while not self._end.wait(max(0.0, due - time.perf_counter())):
            self._browser.get(Browser.PATHS[number % len(Browser.PATHS)])
            self.times.append(1000 * (time.perf_counter() - due))
            due, number = due + 1 / PAGES_PER_SECOND, number + 1

    def __enter__(self) -> "_Pages":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self.join()


def _with_children(pid: int) -> list[int]:
    found = [pid]
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        found += [
            one for child in children.read_text().split() for one in _with_children(int(child))
        ]
    return found
