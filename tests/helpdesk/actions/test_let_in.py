"""Who is let in, from the side of who holds something that is nearly enough."""

import pytest
from django.core.cache import cache
from django.test import Client

from helpdesk import actions, people
from helpdesk.actions import Refused, codes
from helpdesk.models import EmailCode, OutboundMail, PersonAddress, Ticket
from helpdesk.outbound.links import ticket_link
from tests.support.api import PNG, Api, a_file, a_ticket, last_secret, said
from tests.support.mail import agent, customer, mailbox

pytestmark = pytest.mark.django_db

CLEO, NEW, THEIRS = "cleo@example.net", "cleo@new.example", "a phrase of somebody else"


@pytest.fixture(autouse=True)
def _no_counts_yet(settings) -> None:
    cache.clear()
    settings.REQUESTS_A_MINUTE = settings.SIGN_INS_A_MINUTE = 1000
    mailbox()


def code_to(address: str) -> str:
    return last_secret(
        r"^ +(\d{6})$",
        OutboundMail.objects.filter(kind="code", to_address=address).order_by("-pk")[0],
    )


def verify(email: str) -> str:
    Api()("POST", "/api/send_otp/", {"email": email})
    return str(
        Api()("POST", "/api/verify_otp/", {"email": email, "otp": code_to(email)}).json()[
            "verification"
        ]
    )


def path(link: str) -> str:
    return link[link.index("/portal/") :]


def test_a_code_that_confirms_the_change_to_one_address_confirms_none_to_another() -> None:
    """What the mail to the present address was about is what its reader has agreed to."""
    cleo = customer()
    actions.ask_for_new_address(cleo, NEW, client="192.0.2.1")
    agreed = code_to(CLEO)
    codes.send_code(
        EmailCode.Purpose.VERIFY, "m@evil.example", asker=f"person {cleo.pk}", client="192.0.2.1"
    )
    with pytest.raises(Refused):
        actions.change_address(
            cleo, "m@evil.example", confirmation=agreed, verification=code_to("m@evil.example")
        )
    cleo.refresh_from_db()
    assert cleo.email == CLEO
    actions.change_address(cleo, NEW, confirmation=agreed, verification=code_to(NEW))


@pytest.mark.parametrize("way", ["a token", "a link"])
def test_who_reads_a_further_address_that_lets_nobody_in_gets_no_account_with_it(way: str) -> None:
    """An agent has joined it to Cleo by one click, and Cleo has no password yet."""
    cleo = a_ticket(requester=customer(CLEO)).requester
    PersonAddress.objects.create(person=cleo, address="m@evil.example")
    token = verify("m@evil.example")
    body = {"email": "m@evil.example", "password": THEIRS, "re_password": THEIRS}
    if way == "a token":
        assert said(Api()("POST", "/auth/users/", {**body, "verification": token}))[2] == "email"
    else:
        assert Api()("POST", "/auth/users/", body).status_code == 201
        assert "registration/" not in last_secret(r"(https?://\S+)")
    cleo.refresh_from_db()
    assert not cleo.has_usable_password()


def test_somebody_elses_further_address_cannot_be_taken() -> None:
    cleo, dan = customer(), customer("dan@example.net", "Dan")
    PersonAddress.objects.create(person=dan, address=NEW)
    actions.ask_for_new_address(cleo, NEW, client="192.0.2.1")
    with pytest.raises(Refused):
        actions.change_address(cleo, NEW, confirmation=code_to(CLEO), verification=code_to(NEW))
    cleo.refresh_from_db()
    assert (cleo.email, people.find(NEW)) == (CLEO, dan)


def test_an_address_that_was_given_up_lets_nobody_in_though_it_may_sign_in() -> None:
    from django.utils import timezone

    cleo = customer()
    row = PersonAddress.objects.create(person=cleo, address="old@example.net", may_sign_in=True)
    assert people.who_signs_in("Old@example.net") == cleo
    PersonAddress.objects.filter(pk=row.pk).update(given_up_at=timezone.now())
    assert people.who_signs_in("old@example.net") is None
    assert people.find("old@example.net") == cleo


def test_links_to_one_mailbox_are_counted_together_whichever_of_its_owners_addresses_is_typed() -> (
    None
):
    cleo = customer()
    for number in range(4):
        PersonAddress.objects.create(
            person=cleo, address=f"cleo{number}@example.net", may_sign_in=True
        )
    for number in range(4):
        for _ in range(3):
            Api(address=f"198.51.{number}.1")(
                "POST", "/auth/users/reset_password/", {"email": f"cleo{number}@example.net"}
            )
    assert OutboundMail.objects.filter(kind="password_reset", state="queued").count() == 5


@pytest.mark.parametrize("what", ["file", "picture frame"])
def test_a_link_opens_its_own_ticket_and_nothing_of_the_readers_others(client, what: str) -> None:
    one, other = a_ticket("One"), a_ticket("Other")
    for ticket in (one, other):
        answer = Api(customer()).upload(
            f"/api/tickets/{ticket.pk}/comments/", {"body": "see", "file": a_file(PNG)}
        )
        assert answer.status_code == 201
    link = path(ticket_link(one, one.requester))

    def url(ticket: Ticket) -> str:
        comment = ticket.comments.latest("pk")
        return (
            f"{link}files/{comment.attachments.get().pk}/"
            if what == "file"
            else f"{link}comments/{comment.pk}/"
        )

    assert client.get(url(one)).status_code == 200
    assert client.get(url(other)).status_code == 404


@pytest.mark.parametrize(
    "wanted", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"]
)
def test_signing_in_leads_to_no_other_site(client, wanted: str) -> None:
    customer()
    client.get("/portal/sign-in/", {"next": wanted})
    client.post("/portal/sign-in/", {"email": CLEO})
    answer = client.post("/portal/sign-in/code/", {"code": code_to(CLEO)})
    assert (answer.status_code, answer["Location"]) == (302, "/portal/")


@pytest.mark.parametrize("by", ["client", "address"])
def test_the_portals_guest_form_is_limited_by_client_and_by_address(by: str) -> None:
    limit = 20 if by == "client" else 10
    for number in range(limit + 1):
        client = Client(REMOTE_ADDR="192.0.2.1" if by == "client" else f"198.51.{number}.1")
        email = f"g{number}@example.org" if by == "client" else "gus@example.org"
        answer = client.post(
            "/portal/new/", {"name": "G", "title": "T", "description": "D", "email": email}
        )
        assert answer.status_code == (302 if number < limit else 200), number
    assert Ticket.objects.count() == limit


def test_a_customer_ends_nobody_elses_links() -> None:
    ticket, dan = a_ticket(), customer("dan@example.net", "Dan")
    actions.add_participant(ticket, dan, "cc", source="agent", actor=agent())
    link = path(ticket_link(ticket, dan))
    for person in (None, dan):
        with pytest.raises(Refused):
            actions.end_links(ticket, actor=customer(), person=person)
    assert Client().get(link).status_code == 200


def test_a_customer_sets_no_tags_at_the_earlier_systems_path_either() -> None:
    cleo = customer()
    answer = Api(cleo)(
        "POST", f"/profiles/{cleo.pk}/tickets/", {"title": "T", "description": "D", "tags": ["vip"]}
    )
    assert said(answer)[0::2] == (403, "tags")
    assert not Ticket.objects.exists()


def test_an_agent_is_no_participant(client) -> None:
    """Or mail in their name would be let in as a participant's."""
    ticket = a_ticket()
    agent("Bea")
    client.force_login(agent())
    client.post(f"/admin/tickets/{ticket.pk}/people/", {"add": "Bea@example.com"})
    assert list(ticket.participants.values_list("person__email", flat=True)) == [CLEO]


@pytest.mark.parametrize(
    "url", ["/portal/", "/portal/sign-in/", "/portal/new/", "/api/tickets/", "/unsubscribe/x/"]
)
def test_nothing_is_evaluated_outside_of_unfolds_own_pages(client, url: str) -> None:
    client.force_login(customer())
    assert "unsafe-eval" not in client.get(url)["Content-Security-Policy"]
