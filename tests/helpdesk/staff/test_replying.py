"""What agents may hand over on their site, and what comes back into the box when it is not taken."""

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from helpdesk.files import uploads
from helpdesk.models import Attachment, Ticket
from tests.support.mail import agent, eml, receive, ticket_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    found = Client()
    found.force_login(agent(), backend="helpdesk.auth.EmailBackend")
    return found


@pytest.fixture
def ticket() -> Ticket:
    return ticket_of(receive(eml("It does not start.", message_id="a@a")))


def answer(client: Client, ticket: Ticket, *files: SimpleUploadedFile, **fields: str) -> str:
    client.post(
        f"/admin/tickets/{ticket.pk}/reply/",
        {"kind": "reply", "body": "Try this one.", **fields, "files": list(files)},
    )
    return client.get(f"/admin/tickets/{ticket.pk}/").content.decode()


def test_agents_hand_over_types_sizes_and_numbers_that_customers_may_not(
    client: Client, ticket: Ticket, settings
) -> None:
    settings.ATTACHMENT_MAX_BYTES = 10
    patch = SimpleUploadedFile("start.sh", b"#!/bin/sh\n" * 9, "application/x-sh")
    odd = SimpleUploadedFile("no picture.png", b"words", "image/png")
    several = [SimpleUploadedFile(f"{n}.log", b"x", "text/plain") for n in range(25)]
    answer(client, ticket, patch, odd, *several)
    found = Attachment.objects.filter(comment__ticket=ticket)
    assert found.count() == 27
    assert found.get(name="start.sh").content_type == "application/x-sh"


def test_files_that_are_too_large_together_are_refused_and_the_words_are_kept(
    client: Client, ticket: Ticket, monkeypatch
) -> None:
    monkeypatch.setattr(uploads, "MAX_TOGETHER", 10)
    page = answer(client, ticket, SimpleUploadedFile("a.log", b"x" * 11, "text/plain"))
    assert "files: together they must not be larger than" in page
    assert "Try this one." in page
    assert not Attachment.objects.exists()


def test_what_is_handed_over_with_an_answer_that_cannot_be_is_not_kept(
    client: Client, ticket: Ticket
) -> None:
    a_file = SimpleUploadedFile("a.log", b"x", "text/plain")
    page = answer(client, ticket, a_file, cc="nobody at all")
    assert "is no e-mail address" in page
    assert not Attachment.objects.exists()
    assert not default_storage.exists(f"tickets/{ticket.pk}") or (
        default_storage.listdir(f"tickets/{ticket.pk}")[1] == []
    )
