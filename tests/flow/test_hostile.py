"""Mail that is made to stop us, while ordinary mail arrives and pages are asked for."""

import base64
import http.cookiejar
import io
import os
import re
import smtplib
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from email import message_from_bytes
from pathlib import Path

import pytest

from tests.flow.test_serve import Served
from tests.support.mail import eml
from tests.support.services import wait_for

HOSTILE_MAILS = int(os.environ.get("HOSTILE_MAILS", "30"))
ORDINARY_MAILS = max(20, HOSTILE_MAILS // 4)
ANSWERED_WITHIN, SHOWN_WITHIN = 5.0, 2.0  # seconds
MOST_MEMORY = 600_000_000  # bytes: the process and its readers together
SMALL = b"From: Eve <eve@example.org>\nTo: support@example.com\nSubject: x\n"


def typed(content_type: str, body: bytes, *, encoding: str = "") -> bytes:
    more = f"Content-Transfer-Encoding: {encoding}\n" if encoding else ""
    return SMALL + f"MIME-Version: 1.0\nContent-Type: {content_type}\n{more}\n".encode() + body


def in_lines(data: bytes) -> bytes:
    return base64.encodebytes(data)


def nested(count: int) -> bytes:
    heads = b"".join(
        b'--b%d\nContent-Type: multipart/mixed; boundary="b%d"\n\n' % (n, n + 1)
        for n in range(count)
    )
    return typed('multipart/mixed; boundary="b0"', heads + b"--b%d\n\ndeep\n" % count)


def messages_within(count: int) -> bytes:
    return SMALL + b"Content-Type: message/rfc822\n\n" * count + b"From: a@b.cc\n\ndeep\n"


def bomb() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.html", b"\0" * 200_000_000)
    part = (
        b"--b\nContent-Type: application/zip; name=zeros.zip\nContent-Transfer-Encoding: base64\n\n"
    )
    return typed(
        "multipart/mixed; boundary=b",
        b"--b\n\nunpack me\n" + part + in_lines(packed.getvalue()) + b"--b--\n",
    )


def junk() -> bytes:
    return SMALL + bytes(range(256)) * 400 + b"\0" * 100_000 + b"\xff\xfe" * 50_000


HOSTILE: dict[str, Callable[[], bytes]] = {
    "a parameter of 800 spaces": lambda: typed('x; a="' + " " * 800, b"x"),
    "a parameter of 2,000 spaces": lambda: typed('x; a="' + " " * 2000, b"x"),
    "a parameter of 100,000 spaces": lambda: typed('x; a="' + " " * 100_000, b"x"),
    "a sender of 50 KB": lambda: b"From: " + b"a" * 50_000 + b"\nSubject: x\n\nx",
    "a divider of spaces": lambda: (
        SMALL + b"\nHi\n-----" + b" " * 4000 + b"Original" + b" " * 4000 + b"Message\n"
    ),
    "a failure notice of newlines": lambda: (
        b"From: MAILER-DAEMON@example.org\nTo: support@example.com\nSubject: failure notice\n\n"
        + b"\n" * 50_000
        + b"a@b.cc"
    ),
    "formats": lambda: typed("text/html", b"<p>" + b'<font color="#123456"><p>x' * 2000),
    "divs": lambda: typed("text/html", b"<div>" * 50_000 + b"deep"),
    "multiparts": lambda: nested(1000),
    "flowed": lambda: typed("text/plain; format=flowed; delsp=yes", b"> a \n" * 200_000),
    "addresses": lambda: (
        b"From: eve@example.org\nTo: "
        + b",\n ".join(b"a%d@example.org" % n for n in range(100_000))
        + b"\nSubject: x\n\nx"
    ),
    "an encoded word of no charset": lambda: (
        b"From: =?-idna?q?=ff?= <eve@example.org>\nSubject: =?-idna?q?=ff?=\n\nx"
    ),
    "junk": junk,
    "HTML of 10 MB": lambda: typed(
        "text/html", in_lines(b"<p>words &amp; words</p>\n" * 300_000), encoding="base64"
    ),
    "a million parts": lambda: typed("multipart/mixed; boundary=b", b"--b\n" * 1_000_000),
    "messages within messages": lambda: messages_within(1000),
    "references": lambda: (
        SMALL
        + b"References:"
        + b"".join(b"\n <%d@example.org>" % n for n in range(50_000))
        + b"\n\nx"
    ),
    "a zip bomb": bomb,
    "headers": lambda: b"".join(b"X-%d: y\n" % n for n in range(100_000)) + SMALL + b"\nx",
    "one line of 5 MB": lambda: SMALL + b"\n" + b"a" * 5_000_000,
    "table cells": lambda: typed("text/html", b"<table><tr>" + b"<td>x" * 400_000),
    "links": lambda: SMALL + b"\n" + b"http://a.b/(c)&lt; " * 50_000,
    "quoted-printable": lambda: typed(
        "text/plain", b"=\n" * 1_000_000, encoding="quoted-printable"
    ),
}


class Pages:
    """Asks for pages all the time; how long the slowest took."""

    def __init__(self, served: Served, *paths: str) -> None:
        self.served, self.paths = served, paths
        self.worst: dict[str, float] = dict.fromkeys(paths, 0.0)
        self.wrong: list[str] = []
        self.count = 0

    def ask(self) -> None:
        for path in self.paths:
            begin = time.monotonic()
            try:
                with urllib.request.urlopen(self.served.url(path), timeout=20) as answer:
                    answer.read()
            except urllib.error.HTTPError as error:
                # Health says 503 while it finds something wrong, with the same words.
                if not (
                    path == "/api/health/" and error.code == 503 and b'"status"' in error.read()
                ):
                    self.wrong.append(f"{path}: {error}")
            except OSError as error:
                self.wrong.append(f"{path}: {error}")
            self.count += 1
            self.worst[path] = max(self.worst[path], time.monotonic() - begin)


class Memory:
    """What a process and its children hold together, at the most; without the pages of the
    database's file, which SQLite maps and the kernel takes back when it likes."""

    def __init__(self, pid: int) -> None:
        self.pid, self.most = pid, 0

    def look(self) -> None:
        held = 0
        for pid in (self.pid, *children(self.pid)):
            try:
                status = Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue  # a reader that has just ended
            held += sum(
                int(kb) * 1000 for kb in re.findall(r"^RssAnon:\s+(\d+)", status, re.MULTILINE)
            )
        self.most = max(self.most, held)


def children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += map(int, task.read_text().split())
        except OSError:
            continue
    return found


class Meanwhile:
    """Does that every so often in a thread of its own, until the end of the block."""

    def __init__(self, *deeds: Callable[[], None]) -> None:
        self.end = threading.Event()
        self.threads = [
            threading.Thread(target=self.run, args=(deed,), daemon=True) for deed in deeds
        ]

    def run(self, deed: Callable[[], None]) -> None:
        while not self.end.wait(0.1):
            deed()

    def __enter__(self) -> None:
        for thread in self.threads:
            thread.start()

    def __exit__(self, *raised: object) -> None:
        self.end.set()
        for thread in self.threads:
            thread.join(30)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    found = Served(tmp_path, LOG_LEVEL="WARNING")
    found.start()
    yield found
    found.kill()


def hand_over(
    served: Served, raw: bytes, sender: str, recipient: str = "support@example.com"
) -> float:
    """When it was answered with 250."""
    with smtplib.SMTP("127.0.0.1", served.smtp, timeout=60) as smtp:
        smtp.sendmail(sender, [recipient], raw, ["BODY=8BITMIME"])
        return time.time()


def answered(served: Served) -> dict[str, float]:
    """When the acknowledgement to each address left."""
    folder = served.folder / "var/sent-mail"
    found: dict[str, float] = {}
    for path in folder.glob("*.eml"):
        to = str(message_from_bytes(path.read_bytes())["To"])
        found[to.strip("<>")] = path.stat().st_mtime
    return found


def signed_in(served: Served) -> urllib.request.OpenerDirector:
    opener = urllib.request.build_opener(
        urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
    )
    with opener.open(served.url("/admin/login/"), timeout=10) as answer:
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', answer.read().decode())
    assert token is not None
    form = {
        "csrfmiddlewaretoken": token[1],
        "username": "admin@example.com",
        "password": "correct horse battery",
    }
    with opener.open(
        served.url("/admin/login/?next=/admin/tickets/"), urllib.parse.urlencode(form).encode(), 10
    ) as answer:
        assert answer.url.endswith("/admin/tickets/"), answer.url
    return opener


def test_hostile_mail_holds_up_neither_ordinary_mail_nor_pages_and_none_is_lost(
    served: Served,
) -> None:
    assert served.process is not None
    shapes = list(HOSTILE)
    hostile = [shapes[number % len(shapes)] for number in range(HOSTILE_MAILS)]
    made = {name: HOSTILE[name]() for name in set(hostile)}
    pages, memory = Pages(served, "/api/health/", "/admin/login/"), Memory(served.process.pid)
    accepted: dict[str, float] = {}

    def attack(own: list[str]) -> None:
        for number, name in enumerate(own):
            hand_over(served, made[name] + b"\n%d of %d\n" % (number, id(own)), "eve@example.org")

    attackers = [threading.Thread(target=attack, args=(hostile[half::2],)) for half in range(2)]
    with Meanwhile(pages.ask, memory.look):
        for thread in attackers:
            thread.start()
        for number in range(ORDINARY_MAILS):
            sender = f"p{number}@example.net"
            raw = eml("My printer smokes", sender=sender, message_id=f"{number}@example.net")
            accepted[sender] = hand_over(served, raw, sender)
            time.sleep(0.2)
        for thread in attackers:
            thread.join(120)
        wait_for(
            lambda: set(accepted) <= set(answered(served)), 20, "the acknowledgements to leave"
        )
        wait_for(
            lambda: (
                served.rows("select count(*) from inbound_inboundmail where state = 'received'")
                == [(0,)]
            ),
            90,
        )
    left = answered(served)
    waited = {sender: left[sender] - at for sender, at in accepted.items()}
    print(
        f"slowest acknowledgement {max(waited.values()):.2f} s; slowest pages {pages.worst} of {pages.count};"
        f" {memory.most / 1e6:.0f} MB"
    )
    assert max(waited.values()) < ANSWERED_WITHIN, waited
    assert pages.wrong == []
    assert max(pages.worst.values()) < SHOWN_WITHIN, pages.worst
    assert memory.most < MOST_MEMORY

    # The ledger adds up: every mail that was taken is where somebody finds it.
    assert served.rows("select count(*) from inbound_inboundmail") == [
        (HOSTILE_MAILS + ORDINARY_MAILS,)
    ]
    ends = served.rows("select distinct state, to_look_at is not null from inbound_inboundmail")
    assert set(ends) <= {("done", 0), ("ignored", 0), ("quarantined", 1), ("failed", 1)}
    failed = served.rows(
        "select subject, size, error from inbound_inboundmail where state = 'failed' or error <> ''"
    )
    print(f"not read: {failed}")
    # The process is the one that was started: nothing in it died.
    assert served.process.poll() is None
    assert "Traceback" not in (served.folder / "log").read_text()

    look_at_everything(served)


def look_at_everything(served: Served) -> None:
    """Each mail's page, each ticket and each comment's HTML, as an agent sees them."""
    opener, worst = signed_in(served), ("", 0.0)
    paths = [
        f"/admin/mail/{pk}/"
        for (pk,) in served.rows(
            "select id from inbound_inboundmail where from_address not like 'p%'"
        )
    ]
    paths += [f"/admin/tickets/{pk}/" for (pk,) in served.rows("select id from helpdesk_ticket")]
    paths += [
        f"/admin/comments/{pk}/html/"
        for (pk,) in served.rows("select id from helpdesk_comment where html <> ''")
    ]
    for path in [*paths, "/admin/tickets/?q=printer", "/admin/tickets/"]:
        begin = time.monotonic()
        with opener.open(served.url(path), timeout=20) as answer:
            answer.read()
        worst = max(worst, (path, time.monotonic() - begin), key=lambda found: found[1])
    print(f"the slowest of {len(paths)} pages: {worst}")
    assert worst[1] < SHOWN_WITHIN, worst
