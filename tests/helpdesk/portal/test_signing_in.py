"""How customers come in, also from the side of whoever must not."""

import re

import pytest
from django.core import mail as django_mail

from helpdesk.actions import pins
from helpdesk.models import OutboundMail
from tests.support.mail import agent, customer, mailbox
from tests.support.portal import a_ticket, the_code

pytestmark = pytest.mark.django_db


def test_a_customer_signs_in_by_code_and_lands_where_they_wanted(client) -> None:
    ticket = a_ticket()
    answer = client.get(f"/portal/tickets/{ticket.pk}/")
    assert "/portal/sign-in/" in answer.url
    client.get(answer.url)
    client.post("/portal/sign-in/", {"email": "Cleo@example.net"})
    assert (
        client.post(
            "/portal/sign-in/code/", {"code": "000000" if the_code() != "000000" else "1"}
        ).status_code
        == 200
    )
    answer = client.post("/portal/sign-in/code/", {"code": the_code()})
    assert answer.url == f"/portal/tickets/{ticket.pk}/"
    assert "It smokes" in client.get(answer.url).content.decode()


def test_the_pages_say_the_same_to_known_and_unknown_addresses_and_staff_get_no_code(
    client,
) -> None:
    mailbox()
    customer()
    agent()
    pages = set()
    for address in ("cleo@example.net", "nobody@example.net", "ada@example.com"):
        answer = client.post("/portal/sign-in/", {"email": address}, follow=True)
        text = re.sub(r"csrf\w+\"[^>]*>", "", answer.content.decode()).replace(address, "")
        pages.add(re.sub(r'value="[^"]*"', "", text))
    assert len(pages) == 1
    assert OutboundMail.objects.filter(kind="code", state="queued").count() == 1
    assert not django_mail.outbox


def test_a_pin_signs_in_once(client) -> None:
    mailbox()
    pin = pins.issue_pin(customer(), actor=agent())
    assert client.post("/portal/sign-in/pin/", {"pin": pin}).url == "/portal/"
    client.logout()
    assert (
        "not valid any more" in client.post("/portal/sign-in/pin/", {"pin": pin}).content.decode()
    )
