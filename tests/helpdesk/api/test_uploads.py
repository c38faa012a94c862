"""Files by the API: what is taken, by what it is, and how it is given out."""

import struct
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db import OperationalError
from django.db.models.query import QuerySet
from django.utils import timezone

from helpdesk import actions
from helpdesk.files import stored as files
from helpdesk.models import Attachment, Ticket
from tests.support.api import JPG, PDF, PNG, Api, a_file, a_ticket, admin, docx, said
from tests.support.mail import agent, customer, receive, ticket_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_counts_yet")]


@pytest.fixture
def ticket() -> Ticket:
    return a_ticket()


def send(api: Api, ticket: Ticket, *uploads: Any) -> Any:
    return api.upload(f"/api/tickets/{ticket.pk}/attachments/", {"attachments": list(uploads)})


def stored() -> list[str]:
    try:
        folders = default_storage.listdir("tickets")[0]
    except FileNotFoundError:
        return []
    return [name for folder in folders for name in default_storage.listdir(f"tickets/{folder}")[1]]


def odd_zip() -> bytes:
    """A docx that says it needs a version of the format that there is not."""
    whole = bytearray(docx())
    at = whole.rindex(b"PK\x01\x02")
    whole[at + 6 : at + 8] = struct.pack("<H", 99)
    return bytes(whole)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("scan.png", PNG),
        ("SCAN.PNG", PNG),
        ("scan.jpg", JPG),
        ("scan.jpeg", JPG),
        ("scan.pdf", PDF),
        ("scan.docx", docx()),
    ],
)
def test_what_it_says_it_is_and_is_is_taken(
    name: str, content: bytes, ticket: Ticket, cleo: Api
) -> None:
    answer = send(cleo, ticket, a_file(content, name, "text/html"))
    assert answer.status_code == 201, answer.content
    (item,) = answer.json()
    assert (item["name"], item["size"]) == (name, len(content))
    assert "html" not in item["content_type"]
    assert b"".join(cleo("GET", item["url"]).streaming_content) == content
    (path,) = Attachment.objects.values_list("file", flat=True)
    assert path.startswith(f"tickets/{ticket.pk}/")
    assert "scan" not in path.lower()


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.png", b"<script>alert(1)</script>", "image/png"),
        ("a.png", b"GIF89a" + b"\0" * 40, "image/png"),
        ("a.pdf", PNG, "application/pdf"),
        ("a.jpg", PDF, "image/jpeg"),
        ("a.html", b"<p>x</p>", "application/pdf"),
        ("a.svg", b"<svg/>", "image/png"),
        ("a.exe", b"MZ", "image/png"),
        ("a.png.exe", PNG, "image/png"),
        ("a", PNG, "image/png"),
        ("png", PNG, "image/png"),
        ("a.docx", docx("xl/workbook.xml"), ""),
        ("a.docx", docx()[:60], ""),
        ("a.docx", b"PK\x03\x04" + b"\0" * 50, ""),
        ("a.docx", odd_zip(), ""),
        ("a.docm", docx(), ""),
        ("a.zip", docx(), ""),
        ("a.png", b"", "image/png"),
    ],
)
def test_what_it_is_not_or_is_not_taken_is_refused_and_leaves_nothing(
    name: str, content: bytes, kind: str, ticket: Ticket, cleo: Api
) -> None:
    status, _, field = said(send(cleo, ticket, a_file(content, name, kind)))
    assert (status, str(field).partition(".")[0]) == (400, "attachments")
    assert said(send(cleo, ticket, a_file(PNG), a_file(content, name, kind)))[0] == 400
    body = {"title": "a", "description": "b", "file": a_file(content, name, kind)}
    assert said(cleo.upload("/api/tickets/", body))[0] == 400
    assert (ticket.comments.count(), Ticket.objects.count(), stored()) == (1, 1, [])


def test_five_megabytes_are_taken_and_a_byte_more_is_not(
    ticket: Ticket, cleo: Api, settings
) -> None:
    limit = settings.ATTACHMENT_MAX_BYTES
    assert limit == 5_000_000
    assert send(cleo, ticket, a_file(PNG.ljust(limit, b"\0"))).status_code == 201
    assert said(send(cleo, ticket, a_file(PNG.ljust(limit + 1, b"\0"))))[::2] == (
        400,
        "attachments",
    )
    assert said(send(cleo, ticket, *(a_file(PNG, f"{n}.png") for n in range(21))))[::2] == (
        400,
        "attachments",
    )
    assert said(send(cleo, ticket))[::2] == (400, "attachments")
    assert (
        said(cleo("POST", f"/api/tickets/{ticket.pk}/attachments/", {"attachments": ["text"]}))[0]
        == 400
    )


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("../../../etc/passwd.png", "passwd.png"),
        ("..\\..\\boot.png", "boot.png"),
        ("/var/x.png", "x.png"),
        ("Grüße 😀.png", "Grüße 😀.png"),
        ("x" * 300 + ".png", None),
        ("\u202egnp.exe.png", None),
    ],
)
def test_a_name_is_only_a_name(given: str, shown: str | None, ticket: Ticket, cleo: Api) -> None:
    answer = send(cleo, ticket, a_file(PNG, given))
    assert answer.status_code == 201, answer.content
    (item,) = answer.json()
    assert "/" not in item["name"]
    assert "\\" not in item["name"]
    assert len(item["name"]) <= 200
    if shown:
        assert item["name"] == shown
    (path,) = Attachment.objects.values_list("file", flat=True)
    assert path.startswith(f"tickets/{ticket.pk}/api-")
    assert ".." not in path
    assert cleo("GET", item["url"])["Content-Disposition"].startswith("inline; filename")


@pytest.mark.parametrize(
    ("name", "content", "kind", "disposition"),
    [
        ("a.png", PNG + b"<script>alert(1)</script>", "image/png", "inline"),
        ("a.jpg", JPG, "image/jpeg", "inline"),
        ("a.pdf", PDF, "application/octet-stream", "attachment"),
        ("a.docx", docx(), "application/octet-stream", "attachment"),
    ],
)
def test_what_is_given_out_runs_nowhere(
    name: str, content: bytes, kind: str, disposition: str, ticket: Ticket, cleo: Api
) -> None:
    (item,) = send(cleo, ticket, a_file(content, name)).json()
    path = Attachment.objects.get().file.name
    for url in (item["url"], f"/media/{path}", f"/media/{path}/"):
        answer = cleo("GET", url)
        assert (answer.status_code, answer["Content-Type"]) == (200, kind)
        assert answer["Content-Disposition"] == f'{disposition}; filename="{name}"'
        assert answer["X-Content-Type-Options"] == "nosniff"
        policy = answer["Content-Security-Policy"]
        assert "sandbox" in policy.split("; ")
        assert "default-src 'none'" in policy
        assert "script-src 'none'" in policy
        assert "private" in answer["Cache-Control"]
        assert "public" not in answer["Cache-Control"]


def test_html_that_came_by_mail_is_a_download_of_nothing_in_particular(cleo: Api) -> None:
    raw = (
        b"From: cleo@example.net\nSubject: x\nContent-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: text/plain\n\n"
        b"hi\n--o\nContent-Type: text/html\nContent-Disposition: attachment; filename=evil.html\n\n<script>1</script>\n--o--\n"
    )
    ticket = ticket_of(receive(raw))
    (item,) = cleo("GET", f"/api/tickets/{ticket.pk}/attachments").json()
    answer = cleo("GET", item["url"])
    assert (answer["Content-Type"], answer["Content-Disposition"].partition(";")[0]) == (
        "application/octet-stream",
        "attachment",
    )


@pytest.mark.parametrize(
    "path",
    [
        "/media/tickets/1/../../helpdesk.sqlite3",
        "/media/tickets/1/..%2f..%2fhelpdesk.sqlite3",
        "/media/tickets/1/%2e%2e/x",
        "/media/tickets/1/..",
        "/media/tickets/1/",
        "/media/tickets/",
        "/media/",
        "/media/tickets/1/%00",
        "/media/tickets/1/x%5c..%5cy",
        "/media/tickets/99999999999999999999999/x",
        "/media/helpdesk.sqlite3",
    ],
)
def test_there_is_no_way_out_of_the_folder(path: str, ticket: Ticket) -> None:
    for api in (Api(), Api(customer()), Api(admin())):
        status, code, _ = said(api("GET", path))
        assert (status, code) in {(401, "not_authenticated"), (404, "not_found")}


def test_a_file_is_its_tickets_and_its_comments_readers_only(ticket: Ticket, cleo: Api) -> None:
    (item,) = send(cleo, ticket, a_file(PNG)).json()
    path = Attachment.objects.get().file.name
    number, name = path.split("/")[1:]
    dan = Api(customer("dan@example.net", "Dan"))
    other = a_ticket(requester=customer("dan@example.net", "Dan"))
    for url in (item["url"], f"/media/{path}"):
        assert dan("GET", url).status_code == 404
        assert Api()("GET", url).status_code == 401
    for api in (cleo, dan, Api(admin())):
        assert api("GET", f"/media/tickets/{other.pk}/{name}").status_code == 404
    assert number == str(ticket.pk)
    ticket.is_spam = True
    ticket.save()
    assert cleo("GET", item["url"]).status_code == 404


def test_an_agents_files_go_to_the_customer_unless_they_are_internal(
    ticket: Ticket, cleo: Api
) -> None:
    ada = Api(agent())
    ada.upload(f"/api/tickets/{ticket.pk}/attachments/", {"file": a_file(PNG, "shown.png")})
    ada.upload(
        f"/api/tickets/{ticket.pk}/attachments/",
        {"file": a_file(PNG, "kept.png"), "visibility": "internal"},
    )
    found = cleo("GET", f"/api/tickets/{ticket.pk}/").json()
    assert [item["name"] for item in found["attachments"]] == ["shown.png"]
    mails = ticket.outbound.filter(kind="reply")
    assert [item.name for mail in mails for item in mail.comment.attachments.all()] == ["shown.png"]
    assert len(ada("GET", f"/api/tickets/{ticket.pk}/attachments/").json()) == 2


def test_files_go_with_their_comment_and_with_their_ticket(
    ticket: Ticket, cleo: Api, django_capture_on_commit_callbacks
) -> None:
    answer = cleo.upload(f"/api/tickets/{ticket.pk}/comments/", {"body": "x", "file": a_file(PNG)})
    send(cleo, ticket, a_file(PDF, "a.pdf"))
    assert len(stored()) == 2
    with django_capture_on_commit_callbacks(execute=True):
        cleo("DELETE", f"/api/tickets/{ticket.pk}/comments/{answer.json()['id']}/")
    assert len(stored()) == 1
    with django_capture_on_commit_callbacks(execute=True):
        Api(admin())("DELETE", f"/api/tickets/{ticket.pk}/")
    assert stored() == []


def test_files_of_a_ticket_that_was_not_deleted_after_all_are_still_there(
    ticket: Ticket, cleo: Api, monkeypatch, django_capture_on_commit_callbacks
) -> None:
    send(cleo, ticket, a_file(PNG))
    real = QuerySet.delete

    def fail(rows: Any) -> Any:
        if rows.model is Ticket:
            raise OperationalError("the disk is full")
        return real(rows)

    monkeypatch.setattr(QuerySet, "delete", fail)
    with django_capture_on_commit_callbacks(execute=True):
        assert Api(admin())("DELETE", f"/api/tickets/{ticket.pk}/").status_code == 503
    monkeypatch.undo()
    assert (len(stored()), Attachment.objects.count()) == (1, 1)


def test_what_is_left_of_a_comment_that_was_refused_is_swept_up(ticket: Ticket) -> None:
    ada = Api(agent())
    actions.set_status(ticket, "closed", actor=agent())
    assert (
        said(ada.upload(f"/api/tickets/{ticket.pk}/attachments/", {"file": a_file(PNG)}))[0] == 400
    )
    assert len(list(files.orphans(timezone.now() + timedelta(minutes=1)))) == len(stored())


def test_a_file_that_is_gone_is_404(ticket: Ticket, cleo: Api) -> None:
    (item,) = send(cleo, ticket, a_file(PNG)).json()
    default_storage.delete(Attachment.objects.get().file.name)
    assert said(cleo("GET", item["url"]))[:2] == (404, "not_found")
