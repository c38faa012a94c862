"""Behind a real Postfix: what it holds in its queue while we are away arrives, and arrives once."""

import os
import smtplib
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests.support.mail import eml
from tests.support.postfix import Postfix, postfix
from tests.support.services import Postgres, free_port, postgres, wait_for

ROOT = Path(__file__).resolve().parents[2]
MAILS = 60
PREPARE = """
from django.core.management import call_command
from helpdesk.setup import first_rows
call_command("migrate", verbosity=0)
first_rows()
"""
PROCESS = """
from inbound.models import InboundMail
from tasks.inbound import process
for pk in InboundMail.objects.order_by("pk").values_list("pk", flat=True):
    process(pk)
"""


@dataclass
class Helpdesk:
    """`manage.py smtpd`, LMTP alone, on a PostgreSQL of its own."""

    folder: Path
    database: Postgres
    port: int
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = self._popen("smtpd")
        wait_for(lambda: f"LMTP listens on port {self.port}" in self.log(), 60, "smtpd to listen")

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
            (self.folder / "smtpd.log").unlink()

    def manage(self, *arguments: str) -> None:
        assert self._popen(*arguments).wait(60) == 0, (
            self.folder / f"{arguments[0]}.log"
        ).read_text()

    def log(self) -> str:
        return (self.folder / "smtpd.log").read_text()

    def count(self, sql: str) -> int:
        ((found,),) = self.database.query(sql)
        return int(found)

    def _popen(self, *arguments: str) -> "subprocess.Popen[bytes]":
        with (self.folder / f"{arguments[0]}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "manage.py", *arguments],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                env={
                    "PATH": os.environ["PATH"],
                    "VAR_DIR": str(self.folder),
                    "DATABASE_URL": self.database.url,
                    "HELPDESK_KEYS": "throwaway",
                    "SMTP_ADDR": "off",
                    "LMTP_ADDR": f"127.0.0.1:{self.port}",
                },
            )


@pytest.fixture(scope="module")
def helpdesk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Helpdesk]:
    with postgres() as database:
        found = Helpdesk(tmp_path_factory.mktemp("helpdesk"), database, free_port())
        found.manage("shell", "-v0", "-c", PREPARE)
        found.start()
        try:
            yield found
        finally:
            found.kill()


@pytest.fixture(scope="module")
def running(helpdesk: Helpdesk) -> Iterator[Postfix]:
    with postfix(helpdesk.port, "support@example.com", "closed@example.com") as found:
        yield found


@pytest.fixture
def mta(running: Postfix, helpdesk: Helpdesk) -> Postfix:
    """With an empty queue and log, as the helpdesk is empty: what one test left over is no other's."""
    running.forget_mail()
    running.forget_log()
    with psycopg.connect(helpdesk.database.url, autocommit=True) as connection:
        connection.execute("truncate inbound_inboundmail, helpdesk_ticket cascade")
    return running


def send(port: int, name: str, rcpt: str = "support@example.com") -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as smtp:
        smtp.sendmail("cleo@example.net", [rcpt], eml(name, message_id=f"{name}@example.net"))


def send_while(helpdesk: Helpdesk, mta: Postfix, break_it: Callable[[], None]) -> None:
    """Sends the mails; when some are stored and others under way, breaks something, and sends the
    rest."""
    before, names = MAILS * 2 // 3, [f"mail-{number}" for number in range(MAILS)]
    with ThreadPoolExecutor(10) as pool:
        sent = [pool.submit(send, mta.port, name) for name in names[:before]]
        wait_for(lambda: helpdesk.count("select count(*) from inbound_inboundmail") >= 5, 60)
        break_it()
        sent += [pool.submit(send, mta.port, name) for name in names[before:]]
        for each in sent:
            each.result(30)


def drain(helpdesk: Helpdesk, mta: Postfix) -> None:
    """Waits until Postfix has handed on all it holds. What both of them said is in the error if it
    does not."""
    try:
        wait_for(lambda: not mta.queue(), 120, "Postfix's queue to drain")
    except AssertionError as error:
        said = f"{mta.queue()[:3]}\n{mta.log()[-4000:]}\n{helpdesk.log()[-4000:]}"
        raise AssertionError(f"{error}\n{said}") from None


def check_one_ticket_each(helpdesk: Helpdesk, mta: Postfix) -> None:
    drain(helpdesk, mta)
    assert "status=bounced" not in mta.log()
    assert helpdesk.count("select count(distinct message_id) from inbound_inboundmail") == MAILS
    helpdesk.manage("shell", "-v0", "-c", PROCESS)
    # One that was committed and not answered any more arrives again, and is known for what it is.
    assert helpdesk.count("select count(*) from helpdesk_ticket") == MAILS
    repeats = helpdesk.count("select count(*) from inbound_inboundmail") - MAILS
    assert helpdesk.count("select count(*) from inbound_inboundmail where state = 'done'") == MAILS
    assert (
        helpdesk.count("select count(*) from inbound_inboundmail where reason = 'duplicate'")
        == repeats
    )


def test_a_crash_of_the_database_loses_and_doubles_nothing_that_postfix_took(
    helpdesk: Helpdesk, mta: Postfix
) -> None:
    send_while(helpdesk, mta, lambda: helpdesk.database.stop("immediate"))
    wait_for(lambda: "said: 451 4.3.0 Temporary fault here" in mta.log(), 60)
    assert mta.queue()
    helpdesk.database.start()
    check_one_ticket_each(helpdesk, mta)


def test_a_killed_listener_loses_and_doubles_nothing_that_postfix_took(
    helpdesk: Helpdesk, mta: Postfix
) -> None:
    send_while(helpdesk, mta, helpdesk.kill)
    wait_for(lambda: "Connection refused" in mta.log(), 60)
    assert mta.queue()
    helpdesk.start()
    check_one_ticket_each(helpdesk, mta)


def test_an_unknown_recipient_is_refused_before_the_mail_and_a_plus_address_is_not(
    helpdesk: Helpdesk, mta: Postfix
) -> None:
    for port in (mta.port, mta.asking_port):
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            send(port, "nobody", "nobody@example.com")
        assert refused.value.recipients["nobody@example.com"][0] == 550
        send(port, f"plus-{port}", "Support+anything@example.com")
    drain(helpdesk, mta)
    assert helpdesk.database.query("select distinct rcpt_to->>0 from inbound_inboundmail") == [
        ("Support+anything@example.com",)
    ]
    assert helpdesk.count("select count(*) from inbound_inboundmail") == 2


def test_a_recipient_that_only_the_list_knows_bounces(helpdesk: Helpdesk, mta: Postfix) -> None:
    send(mta.port, "late", "closed@example.com")
    drain(helpdesk, mta)
    assert "dsn=5.1.1, status=bounced" in mta.log()
    assert "550 5.1.1 No such mailbox here" in mta.log()


def test_a_recipient_is_not_refused_for_good_while_the_helpdesk_cannot_be_asked(
    helpdesk: Helpdesk, mta: Postfix
) -> None:
    helpdesk.kill()
    try:
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            send(mta.asking_port, "unasked", "support+unasked@example.com")
    finally:
        helpdesk.start()
    assert refused.value.recipients["support+unasked@example.com"][0] == 450
