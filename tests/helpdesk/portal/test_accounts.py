"""A new address, from the side of its owner and of others."""

import pytest

from helpdesk.models import OutboundMail
from tests.support.mail import customer, eml, mailbox, receive, ticket_of
from tests.support.portal import the_code_in

pytestmark = pytest.mark.django_db


def test_another_address_takes_a_code_from_the_old_one_and_one_from_the_new_one(client) -> None:
    mailbox()
    cleo = customer()
    client.force_login(cleo)
    client.post("/portal/me/address/", {"email": "cleo@new.example"})
    sent = {m.to_address: the_code_in(m) for m in OutboundMail.objects.filter(kind="code")}
    assert set(sent) == {"cleo@example.net", "cleo@new.example"}
    swapped = {"confirmation": sent["cleo@new.example"], "verification": sent["cleo@example.net"]}
    if len(set(sent.values())) == 2:
        client.post("/portal/me/address/", swapped)
    cleo.refresh_from_db()
    assert cleo.email == "cleo@example.net"
    client.post(
        "/portal/me/address/",
        {"confirmation": sent["cleo@example.net"], "verification": sent["cleo@new.example"]},
    )
    cleo.refresh_from_db()
    assert cleo.email == "cleo@new.example"
    row = receive(eml("from the old one", sender="cleo@example.net"))
    assert ticket_of(row).requester == cleo


def test_somebody_elses_address_cannot_be_taken(client) -> None:
    mailbox()
    cleo, dan = customer(), customer("dan@example.net", "Dan")
    client.force_login(cleo)
    client.post("/portal/me/address/", {"email": "dan@example.net"})
    sent = {m.to_address: the_code_in(m) for m in OutboundMail.objects.filter(kind="code")}
    client.post(
        "/portal/me/address/",
        {"confirmation": sent["cleo@example.net"], "verification": sent["dan@example.net"]},
    )
    cleo.refresh_from_db()
    dan.refresh_from_db()
    assert (cleo.email, dan.email) == ("cleo@example.net", "dan@example.net")
