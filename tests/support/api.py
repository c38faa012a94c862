"""Talking to the API as its clients do."""

import io
import json
import re
import zipfile
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from helpdesk import actions
from helpdesk.actions import Content
from helpdesk.api import tokens
from helpdesk.models import Event, OutboundMail, Person, Ticket
from inbound.secrets import decrypt
from tests.support.mail import customer, mailbox

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"\0" * 40
PDF = b"%PDF-1.7\n1 0 obj\nendobj\n%%EOF\n"
JPG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + b"\0" * 40


class Api:
    """A client, signed in as somebody or as nobody. Answers are Django's test responses."""

    def __init__(
        self, person: Person | None = None, *, token: str = "", address: str = "127.0.0.1"
    ) -> None:
        self.client = Client(raise_request_exception=False, REMOTE_ADDR=address)
        token = token or (tokens.issue(person)["access"] if person else "")
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Header names as keywords: if_match='"1"'."""
        more = {
            **self.headers,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        return self.client.generic(
            method,
            path,
            "" if body is None else json.dumps(body),
            content_type="application/json",
            headers=more,
        )

    def upload(self, path: str, data: dict[str, Any], **headers: str) -> Any:
        more = {
            **self.headers,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        return self.client.post(path, data, headers=more)


def said(answer: Any) -> tuple[int, str, str | None]:
    """Status, code and field of an error, whose shape is checked on the way."""
    assert answer["Content-Type"] == "application/json", (answer.status_code, answer.content[:200])
    problem = answer.json()["error"]
    assert set(problem) == {"code", "field", "message"}
    assert problem["message"]
    return answer.status_code, problem["code"], problem["field"]


def a_ticket(
    title: str = "Printer", requester: Person | None = None, text: str = "It smokes", **fields: Any
) -> Ticket:
    """Opened as the API does it, by its customer."""
    requester = requester or customer()
    return actions.open_ticket(
        actions.NewTicket(
            requester=requester,
            mailbox=mailbox(),
            subject=title,
            content=Content(text=text),
            via="api",
            actor=requester,
            acknowledge=False,
            **fields,
        )
    )[0]


def admin() -> Person:
    found = Person.objects.filter(email="root@example.com").first()
    return found or Person.objects.create_superuser(
        "root@example.com", "correct horse battery", name="Root"
    )


def a_file(content: bytes, name: str = "file.png", kind: str = "") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, content_type=kind or "application/octet-stream")


def docx(inside: str = "word/document.xml") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(inside, "<w:document/>")
    return file.getvalue()


def last_secret(pattern: str, mail: OutboundMail | None = None) -> str:
    """The pattern's first group in that mail, or the last one that holds a secret, read from its
    row as only its reader will."""
    mail = mail or OutboundMail.objects.filter(is_secret=True).order_by("-pk")[0]
    found = re.search(pattern, json.loads(decrypt(mail.sealed))[0], re.MULTILINE)
    assert found is not None
    return found[1]


def path_of(ticket: Ticket) -> str:
    return f"/api/tickets/{ticket.pk}/"


def say(api: Api, ticket: Ticket, body: str = "Hm", **more: Any) -> int:
    answer = api("POST", path_of(ticket) + "comments/", {"body": body, **more})
    assert answer.status_code == 201, answer.content
    return int(answer.json()["id"])


def kinds(ticket: Ticket) -> list[str]:
    return list(Event.objects.filter(ticket=ticket).order_by("pk").values_list("kind", flat=True))
