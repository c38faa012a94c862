"""How long pages take while mail pours in, beside the same pages of the same `serve` at rest; and
how fast mail becomes tickets there."""

import http.cookiejar
import re
import smtplib
import threading
import time
import urllib.parse
import urllib.request
from typing import Any

from benchmarks import mails
from benchmarks.latency import quantile
from benchmarks.site import Site, free_port

PASSWORD = "correct horse battery"
PATHS = ("/admin/tickets/", "/admin/tickets/1/", "/api/health/")
PAUSE_SECONDS = 0.05
WAIT_SECONDS = 300.0


def measure(site: Site, *, count: int) -> dict[str, Any]:
    smtp, web = free_port(), free_port()
    with site.process(
        "manage.py",
        "serve",
        port=smtp,
        SMTP_ADDR=f"127.0.0.1:{smtp}",
        HTTP_ADDR=f"127.0.0.1:{web}",
        ADMIN_PASSWORD=PASSWORD,
        REQUESTS_A_MINUTE="100000",
    ):
        browser = _Browser(f"http://127.0.0.1:{web}")
        todo = mails.generate(count + 20, seed=11)
        _pour(todo[:20], smtp)
        browser.sign_in()
        _until_done(browser, 0.2)
        quiet = browser.times(threading.Event(), at_least=60)
        done = threading.Event()
        found: list[float] = []
        reader = threading.Thread(target=lambda: found.extend(browser.times(done)))
        began = time.perf_counter()
        reader.start()
        _pour(todo[20:], smtp)
        accepted = time.perf_counter() - began
        _until_done(browser, 0.2)
        took = time.perf_counter() - began
        done.set()
        reader.join()
    quiet.sort()
    found.sort()
    return {
        "mails": count,
        "accepted": count / accepted,
        "processed": count / took,
        "quiet_p50_ms": quantile(quiet, 0.5),
        "p50_ms": quantile(found, 0.5),
        "p95_ms": quantile(found, 0.95),
        "max_ms": found[-1],
        "ratio": quantile(found, 0.5) / quantile(quiet, 0.5),
    }


def _pour(todo: list[mails.Mail], port: int) -> None:
    with smtplib.SMTP("127.0.0.1", port) as server:
        for mail in todo:
            server.sendmail(mail.sender, [mails.SUPPORT], mail.raw)


def _until_done(browser: "_Browser", pause: float) -> None:
    """No mail waits any more."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        time.sleep(pause)
        if '"oldest_inbound_seconds": 0.0' in browser.get("/api/health/"):
            return
    raise RuntimeError("mail still waits")


class _Browser:
    """A signed-in admin."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()),
            urllib.request.HTTPErrorProcessor(),
        )

    def sign_in(self) -> None:
        token = re.search(
            r'name="csrfmiddlewaretoken" value="([^"]+)"',
            self.get("/admin/login/?next=/admin/tickets/"),
        )
        assert token is not None
        form = {
            "username": "admin@example.com",
            "password": PASSWORD,
            "csrfmiddlewaretoken": token[1],
        }
        self.get("/admin/login/?next=/admin/tickets/", urllib.parse.urlencode(form).encode())

    def get(self, path: str, form: bytes | None = None) -> str:
        request = urllib.request.Request(
            self._url + path, data=form, headers={"Referer": self._url + path}
        )
        try:
            with self._opener.open(request, timeout=60) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:  # health says 503 while mail waits for long
            return str(error.read().decode())

    def times(self, end: threading.Event, *, at_least: int = 1) -> list[float]:
        """Milliseconds, of one page after the other."""
        found: list[float] = []
        while len(found) < at_least or not (end.is_set() or at_least > 1):
            began = time.perf_counter()
            self.get(PATHS[len(found) % len(PATHS)])
            found.append(1000 * (time.perf_counter() - began))
            time.sleep(PAUSE_SECONDS)
        return found
