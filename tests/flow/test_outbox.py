"""The outbox under a mail server that misbehaves, and a process that is killed while it sends."""

import os
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections import Counter
from email import message_from_bytes
from http.cookiejar import CookieJar
from pathlib import Path

import pytest

from tasks import outbound
from tests.flow.test_serve import ROOT, Served
from tests.support.services import DROP, smtp_sink, wait_for

MAILS = int(os.environ.get("OUTBOX_MAILS", "150"))
UNDER_WAY = (
    "select count(*) from helpdesk_outboundmail where state = 'queued' and error not like 'MayBeSent%' "
    "and reason <> 'the mail server fails'"
)
FILL = """
from helpdesk.models import *
from inbound.models import Mailbox
box = Mailbox.objects.get()
person = Person.objects.create_user("cleo@example.net")
OutboundMail.objects.bulk_create(OutboundMail(kind="reply", person=person, mailbox=box, to_address=person.email,
    subject=f"mail {n}", text="x", message_id=f"m{n}@example.com", is_automatic=False) for n in range(%d))
"""


def fill(served: Served, mails: int) -> None:
    keep = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    subprocess.run(
        [sys.executable, "manage.py", "shell", "-v0", "-c", FILL % mails],
        cwd=ROOT,
        check=True,
        timeout=60,
        env={**keep, "VAR_DIR": str(served.folder / "var")},
    )


@pytest.mark.timeout(600 if MAILS > 1000 else 120)
def test_each_mail_is_delivered_and_a_repeat_has_the_same_message_id(tmp_path: Path) -> None:
    with smtp_sink() as sink:
        served = Served(tmp_path, EMAIL_URL=sink.url)
        served.start()
        fill(served, MAILS)
        sink.replies.extend(
            ["451 4.3.0 busy", "250 OK", DROP, "250 OK", "452 4.2.2 full", "250 OK"] * 4
        )
        for kills in (1, 2):
            before = len(sink.mails)
            wait_for(lambda seen=before: len(sink.mails) > seen + MAILS // 10, 30)  # type: ignore[misc]
            served.kill()
            if kills == 2:  # no kill comes between these answers and what is written down of them
                sink.rcpt_replies.extend(["550 5.1.1 no such user", "450 4.2.0 later"])
            served.start()
        try:
            # What the server hung up on may have been taken: it is tried again after five minutes.
            wait_for(lambda: served.rows(UNDER_WAY) == [(0,)], 90 + MAILS / 20)
            served.write(
                "update helpdesk_outboundmail set next_attempt_at = '2020-01-01' where state = 'queued'"
            )
            wait_for(
                lambda: (
                    served.rows("select count(*) from helpdesk_outboundmail where state='queued'")
                    == [(0,)]
                ),
                90 + MAILS / 20,
            )
            states = dict(
                served.rows("select state, count(*) from helpdesk_outboundmail group by state")
            )
            query = "select message_id from helpdesk_outboundmail where state = 'failed'"
            refused = {f"<{found}>" for (found,) in served.rows(query)}
        finally:
            served.kill()
        assert states == {"sent": MAILS - 1, "failed": 1}
        seen = Counter(str(message_from_bytes(raw)["Message-ID"]) for _, raw in sink.mails)
        # The one that was refused may be a repeat, whose first copy was taken.
        assert len(seen.keys() - refused) == MAILS - 1
        # Twice only what was sent and not yet written down at a kill, or what the server took and
        # hung up on.
        assert sum(seen.values()) - len(seen) <= 2 * outbound.AT_ONCE + 4


def test_a_reset_link_arrives_within_two_seconds_while_a_thousand_mails_wait(
    tmp_path: Path,
) -> None:
    with smtp_sink() as sink:
        served = Served(tmp_path, EMAIL_URL=sink.url)
        served.start()
        try:
            fill(served, 1000)
            opener = urllib.request.build_opener(
                urllib.request.HTTPCookieProcessor(jar := CookieJar())
            )
            url = served.url("/admin/password-reset/")
            opener.open(url)
            token = next(cookie.value for cookie in jar if cookie.name == "csrftoken")
            form = {"email": "admin@example.com", "csrfmiddlewaretoken": token}
            wait_for(lambda: len(sink.mails) > 3, 10)
            started = time.monotonic()
            opener.open(url, urllib.parse.urlencode(form).encode())
            wait_for(lambda: any(b"password_reset" in raw[:3000] for _, raw in list(sink.mails)), 2)
            assert time.monotonic() - started < 2
            assert (
                served.rows("select count(*) from helpdesk_outboundmail where state='queued'")[0][0]
                > 100
            )  # type: ignore[operator]
        finally:
            served.kill()
