"""From the listener's 250 to the acknowledgement in the file that `serve` hands it over to."""

import email
import smtplib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import mails
from benchmarks.site import Site, free_port

PER_SECOND = 10
WARM_UP = 5
WAIT_SECONDS = 30.0
LOOK_SECONDS = 0.002


def measure(site: Site, *, count: int) -> dict[str, Any]:
    smtp, web = free_port(), free_port()
    with site.process(
        "manage.py", "serve", port=smtp, SMTP_ADDR=f"127.0.0.1:{smtp}", HTTP_ADDR=f"127.0.0.1:{web}"
    ):
        todo = [mail for mail in mails.generate((count + WARM_UP) * 2, seed=5) if not mail.parent][
            : count + WARM_UP
        ]
        watch = _Watch(site.folder / "sent-mail")
        watch.start()
        accepted = dict(_send(todo, smtp))
        watch.wait_for(set(accepted))
    waits = sorted(
        1000 * (watch.seen[key] - at)
        for key, at in [*accepted.items()][WARM_UP:]
        if key in watch.seen
    )
    if len(waits) < count:
        raise RuntimeError(f"{count} mails were accepted, and {len(waits)} acknowledged in time")
    return {
        "mails": count,
        "p50_ms": quantile(waits, 0.5),
        "p99_ms": quantile(waits, 0.99),
        "max_ms": waits[-1],
    }


def _send(todo: list[mails.Mail], port: int) -> Iterator[tuple[str, float]]:
    """Sends at an even pace; each mail's id with the moment of its 250."""
    with smtplib.SMTP("127.0.0.1", port) as server:
        started = time.perf_counter()
        for number, mail in enumerate(todo):
            time.sleep(max(0.0, started + number / PER_SECOND - time.perf_counter()))
            server.sendmail(mail.sender, [mails.SUPPORT], mail.raw)
            yield mail.message_id, time.perf_counter()


def quantile(ordered: list[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


class _Watch(threading.Thread):
    """Notes when an acknowledgement appears, by the id of the mail that it answers."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self.seen: dict[str, float] = {}
        self._folder = folder
        self._read: set[str] = set()
        self._end = threading.Event()

    def run(self) -> None:
        while not self._end.wait(LOOK_SECONDS):
            now = time.perf_counter()
            for path in [p for p in self._folder.glob("*.eml") if p.name not in self._read]:
                self._read.add(path.name)
                answered = email.message_from_bytes(path.read_bytes())["In-Reply-To"] or ""
                self.seen.setdefault(answered.strip("<> "), now)

    def wait_for(self, ids: set[str]) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while not ids <= self.seen.keys() and time.monotonic() < deadline:
            time.sleep(0.05)
        self._end.set()
        self.join()
