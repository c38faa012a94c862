"""Viruses in files of mail and of agents, with a daemon that speaks clamd's INSTREAM."""

import socketserver
import struct
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.test import Client
from django.utils import timezone

from helpdesk import actions
from helpdesk.actions import Content, File
from helpdesk.files import scanner
from helpdesk.models import Attachment, OutboundMail, Ticket
from tasks import scanning
from tasks.outbound import deliver
from tests.support.api import PDF, PNG, Api, a_file, a_ticket
from tests.support.mail import agent, customer, eml, mailbox, receive, ticket_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_counts_yet")]

# In two pieces: a scanner of the machine that this lies on would take it away.
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-" + rb"ANTIVIRUS-TEST-FILE!$H+H*"


class Daemon(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    asked = 0
    hangs_at = b"\xff hang"  # a file with it is never answered
    limit = 10**9


class _Talk(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, Daemon)
        self.server.asked += 1
        source = self.request.makefile("rb")
        assert source.read(10) == b"zINSTREAM\0"
        content = b""
        while size := struct.unpack("!L", source.read(4))[0]:
            content += source.read(size)
            if len(content) > self.server.limit:
                self.request.sendall(b"INSTREAM size limit exceeded. ERROR\0")
                return
        if self.server.hangs_at in content:
            source.read(1)
            return
        self.request.sendall(
            b"stream: Eicar-Test-Signature FOUND\0" if EICAR in content else b"stream: OK\0"
        )


@pytest.fixture
def daemon(settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    monkeypatch.setattr(scanning, "_silent_until", 0.0)
    with Daemon(("127.0.0.1", 0), _Talk) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings.CLAMAV_ADDR = ("127.0.0.1", server.server_address[1])
        yield server
        server.shutdown()


def mail_with(*files: tuple[str, bytes], **fields: str) -> bytes:
    from email import message_from_bytes
    from email.policy import default

    mail: Any = message_from_bytes(eml("See there", **fields), policy=default)
    for name, content in files:
        mail.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return bytes(mail)


def scan_all() -> None:
    Attachment.objects.filter(scan="waiting").update(
        scan_due_at=timezone.now() - timedelta(minutes=1)
    )
    for pk in (
        Attachment.objects.filter(scan="waiting")
        .order_by("scan_due_at")
        .values_list("pk", flat=True)
    ):
        scanning.scan(pk)


def staff_site() -> Client:
    site = Client()
    site.force_login(agent(), backend="helpdesk.auth.EmailBackend")
    return site


def portal() -> Client:
    site = Client()
    site.force_login(customer(), backend="helpdesk.auth.EmailBackend")
    return site


def downloads(file: Attachment, query: str = "") -> dict[str, tuple[int, bytes]]:
    """What each who may see it gets."""
    stored = str(file.file.name).removeprefix("tickets/")
    answers = {
        "agent": staff_site().get(f"/admin/attachments/{file.pk}/{query}"),
        "customer": portal().get(f"/portal/files/{file.pk}/{query}"),
        "the agent's API": Api(agent())("GET", f"/api/attachments/{file.pk}/{query}"),
        "the customer's API": Api(customer())("GET", f"/api/attachments/{file.pk}/{query}"),
        "by path": Api(agent())("GET", f"/media/tickets/{stored}{query}"),
    }
    return {
        who: (
            answer.status_code,
            b"".join(answer.streaming_content) if answer.streaming else answer.content,
        )
        for who, answer in answers.items()
    }


def test_a_virus_in_a_mail_is_kept_out_and_named_and_the_mail_and_its_other_files_are_there(
    daemon: Daemon,
) -> None:
    row = receive(mail_with(("invoice.exe", EICAR), ("report.pdf", PDF)))
    ticket = ticket_of(row)
    assert (row.state, daemon.asked) == ("done", 0)  # nobody waits for the scanner
    bad, good = Attachment.objects.order_by("pk")
    for file in (bad, good):
        for who, (status, content) in downloads(file).items():
            assert status == 403, who
            assert EICAR not in content
    page = staff_site().get(f"/admin/tickets/{ticket.pk}/").content.decode()
    assert page.count("not scanned yet") == 2
    assert all(answer == (200, PDF) for answer in downloads(good, "?unscanned=yes").values())
    scan_all()
    assert all(answer == (200, PDF) for answer in downloads(good).values())
    for query in ("", "?unscanned=yes"):
        for who, (status, content) in downloads(bad, query).items():
            assert status == 403, who
            assert b"Eicar-Test-Signature" in content
            assert EICAR not in content
    assert not default_storage.exists(str(bad.file.name))
    page = staff_site().get(f"/admin/tickets/{ticket.pk}/").content.decode()
    assert "not scanned yet" not in page
    assert (
        "kept the file invoice.exe out: the virus scanner found Eicar-Test-Signature in it" in page
    )
    for said in (page, portal().get(f"/portal/tickets/{ticket.pk}/").content.decode()):
        assert "invoice.exe" in said
        assert "Eicar-Test-Signature" in said
    scans = {
        item["name"]: item["scan"]
        for item in Api(agent())("GET", f"/api/tickets/{ticket.pk}/").json()["attachments"]
    }
    assert scans == {"invoice.exe": "infected", "report.pdf": "clean"}


def test_while_the_scanner_is_away_mail_goes_on_and_its_files_are_scanned_when_it_is_back(
    daemon: Daemon, settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, settings.CLAMAV_ADDR = settings.CLAMAV_ADDR, ("127.0.0.1", 1)
    row = receive(mail_with(("invoice.exe", EICAR)))
    assert row.state == "done"
    scan_all()
    file = Attachment.objects.get()
    assert (file.scan, file.is_unscanned) == ("waiting", True)
    assert {status for status, _ in downloads(file).values()} == {403}
    assert (
        Client().get("/api/health/").json()["files_not_scanned"] == 0
    )  # a moment is nothing to speak of
    Attachment.objects.update(created_at=timezone.now() - timedelta(minutes=2))
    assert Client().get("/api/health/").json()["files_not_scanned"] == 1
    assert scanning.sweep() == 0  # it is left alone for a moment
    monkeypatch.setattr(scanning, "_silent_until", 0.0)
    settings.CLAMAV_ADDR = there
    assert scanning.sweep() == 0  # the file is not due again yet
    Attachment.objects.update(scan_due_at=timezone.now() - timedelta(minutes=1))
    assert scanning.sweep() == 1
    scan_all()
    file.refresh_from_db()
    assert (file.scan, file.signature) == ("infected", "Eicar-Test-Signature")
    assert Client().get("/api/health/").json()["files_not_scanned"] == 0


def test_a_file_that_the_scanner_hangs_at_holds_up_no_other(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanner, "SECONDS", 0.5)
    monkeypatch.setattr(scanning, "SILENT_SECONDS", 0.0)
    receive(mail_with(("hangs.bin", daemon.hangs_at), ("report.pdf", PDF)))
    scan_all()
    assert list(Attachment.objects.order_by("pk").values_list("scan", flat=True)) == [
        "waiting",
        "clean",
    ]
    assert Attachment.objects.filter(scan="waiting", scan_due_at__gt=timezone.now()).exists()


def test_what_the_scanner_cannot_tell_of_is_given_out_with_a_warning(daemon: Daemon) -> None:
    daemon.limit = 100_000
    receive(mail_with(("huge.bin", b"x" * 3_000_000)))
    scan_all()
    file = Attachment.objects.get()
    assert file.scan == "failed"
    assert {status for status, _ in downloads(file).values()} == {403}
    assert {status for status, _ in downloads(file, "?unscanned=yes").values()} == {200}


def test_an_agents_file_is_scanned_before_it_goes_anywhere(daemon: Daemon, settings) -> None:
    ticket = a_ticket()
    site = staff_site()

    def answer(content: bytes) -> str:
        form = {"body": "Here", "kind": "reply", "files": a_file(content, "tool.exe")}
        return str(
            site.post(f"/admin/tickets/{ticket.pk}/reply/", form, follow=True).content.decode()
        )

    assert "tool.exe: the virus scanner refuses it (Eicar-Test-Signature)." in answer(EICAR)
    there, settings.CLAMAV_ADDR = settings.CLAMAV_ADDR, ("127.0.0.1", 1)
    page = answer(b"MZ")
    assert "the virus scanner does not answer just now" in page
    assert ">Here</textarea>" in page  # what was written is not lost
    assert not Attachment.objects.exists()
    assert not list(Path(settings.MEDIA_ROOT).rglob("*.exe"))
    settings.CLAMAV_ADDR = there
    answer(b"MZ")
    file = Attachment.objects.get()
    assert file.scan == "clean"
    assert {status for status, _ in downloads(file).values()} == {200}


def test_a_customer_whose_file_cannot_be_checked_is_told_and_keeps_the_words(
    daemon: Daemon, settings
) -> None:
    settings.CLAMAV_ADDR = ("127.0.0.1", 1)
    ticket, site = a_ticket(), portal()
    form = {"body": "It smokes", "files": a_file(PNG, "photo.png")}
    page = site.post(f"/portal/tickets/{ticket.pk}/reply/", form, follow=True).content.decode()
    assert "cannot be checked for viruses just now" in page
    assert ">It smokes</textarea>" in page
    new = {
        "title": "Fire",
        "description": "It smokes",
        "priority": "2",
        "files": a_file(PNG, "photo.png"),
    }
    page = site.post("/portal/new/", new).content.decode()
    assert "cannot be checked for viruses just now" in page
    assert Ticket.objects.count() == 1


def test_no_mail_of_ours_carries_a_file_that_nobody_has_scanned_or_a_virus(daemon: Daemon) -> None:
    """A mail in an agent's name, sent as their answer by another agent."""
    ticket = a_ticket()
    names = {"bad.bin": EICAR, "good.bin": b"fine"}
    from django.core.files.base import ContentFile

    files = tuple(
        File(
            default_storage.save(f"tickets/{ticket.pk}/{name}", ContentFile(data)),
            name,
            "application/x",
            len(data),
        )
        for name, data in names.items()
    )
    actions.reply(ticket, Content(text="x", files=files), actor=agent())
    mail = OutboundMail.objects.get(kind="reply")
    deliver(mail.pk)
    mail.refresh_from_db()
    assert mail.state == "queued"
    assert "bad.bin waits for the virus scanner" in mail.error
    scan_all()
    OutboundMail.objects.update(next_attempt_at=timezone.now())
    deliver(mail.pk)
    mail.refresh_from_db()
    assert mail.state == "sent"
    from django.conf import settings as configured

    raw = max(Path(configured.EMAIL_FILE_PATH).glob("*.eml")).read_bytes()
    assert b"good.bin" in raw
    assert b"bad.bin" not in raw


def test_without_a_scanner_files_are_given_out_as_they_are() -> None:
    mailbox()
    receive(mail_with(("report.pdf", PDF)))
    file = Attachment.objects.get()
    assert file.scan is None
    assert {status for status, _ in downloads(file).values()} == {200}
