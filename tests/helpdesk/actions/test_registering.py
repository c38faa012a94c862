"""Registering without the verification's token, from the side of somebody else behind the same
address of the network."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core import serializers
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from helpdesk.models import Identity, OutboundMail, Person, PersonAddress, Registration, TokenFamily
from inbound.models import Mailbox
from tasks.housekeeping import clean_up
from tasks.secret_mail import deliver
from tests.support.api import Api, a_ticket, last_secret, said
from tests.support.mail import agent, customer, deliver_all, eml, mailbox, receive

pytestmark = pytest.mark.django_db

CLEO, PHRASE, THEIRS = "cleo@example.net", "a long phrase of mine", "a phrase of somebody else"
LINK = r"/portal/registration/(\S+)/$"


@pytest.fixture(autouse=True)
def _no_counts_yet(settings) -> None:
    cache.clear()
    settings.REQUESTS_A_MINUTE = settings.SIGN_INS_A_MINUTE = 1000
    mailbox()


def form(email: str = CLEO, password: str = PHRASE, **changes: Any) -> dict[str, Any]:
    return {
        "first_name": "Cleo",
        "last_name": "Brandt",
        "email": email,
        "password": password,
        "re_password": password,
        **changes,
    }


def verify(email: str = CLEO) -> str:
    assert Api()("POST", "/api/send_otp/", {"email": email}).status_code == 200
    answer = Api()("POST", "/api/verify_otp/", {"email": email, "otp": last_secret(r"^ +(\d{6})$")})
    return str(answer.json()["verification"])


def signs_in(password: str, email: str = CLEO) -> bool:
    """Anywhere."""
    page = Client().post("/admin/login/", {"username": email, "password": password})
    by_api = Api()("POST", "/auth/jwt/create/", {"email": email, "password": password})
    assert page.status_code == 200
    return bool(by_api.status_code == 200)


def follow(token: str, password: str) -> Any:
    return Client().post(f"/portal/registration/{token}/", {"password": password})


@pytest.mark.parametrize("path", ["/auth/users/", "/signup"])
@pytest.mark.parametrize("who", ["nobody yet", "by mail only"])
def test_somebody_else_of_the_same_network_registers_an_address_that_was_just_verified_and_gets_nowhere(
    path: str, who: str
) -> None:
    ticket = a_ticket() if who == "by mail only" else None
    token = verify()
    answer = Api()("POST", path, form(password=THEIRS))
    assert answer.status_code == 201
    assert not signs_in(THEIRS)
    if path == "/signup":
        assert said(Api(token=answer.json()["access"])("GET", "/api/tickets/"))[0] == 401
        assert (
            said(Api()("POST", "/auth/jwt/refresh/", {"refresh": answer.json()["refresh"]}))[0]
            == 401
        )
    # Whoever has verified it goes on as if nothing had happened, and has it alone.
    assert Api()("POST", "/auth/users/", form(verification=token)).status_code == 201
    assert signs_in(PHRASE)
    assert not signs_in(THEIRS)
    assert ticket is None or ticket.requester.email == CLEO


def test_the_link_alone_gives_no_account_with_a_password_that_somebody_else_chose() -> None:
    """The reader of the mailbox takes it for their own registration."""
    verify()
    Api()("POST", "/auth/users/", form(password=THEIRS))
    token = last_secret(LINK)
    answer = follow(token, PHRASE)
    assert answer.status_code == 200
    assert "not the password" in answer.content.decode()
    assert not signs_in(THEIRS)
    assert not signs_in(PHRASE)


@pytest.mark.parametrize("who", ["nobody yet", "by mail only", "with a further address"])
def test_the_link_in_the_mail_opens_the_account_once_with_all_tickets(who: str) -> None:
    if who != "nobody yet":
        owner = customer("other@example.net" if "further" in who else CLEO, name="")
        if "further" in who:
            PersonAddress.objects.create(person=owner, address=CLEO, may_sign_in=True)
        a_ticket(requester=owner)
    verify()
    answer = Api()("POST", "/signup", form(username="cleo"))
    mail = OutboundMail.objects.filter(kind="registration").get()
    assert (mail.to_address, mail.text, mail.html, mail.state) == (CLEO, "", "", "queued")
    token = last_secret(LINK)
    assert token not in serializers.serialize(
        "json", [*OutboundMail.objects.all(), *Registration.objects.all()]
    )
    for _ in range(2):  # what fetches links ahead of people opens nothing
        page = Client().get(f"/portal/registration/{token}/")
        assert page.status_code == 200
        assert CLEO in page.content.decode()
        assert page["Referrer-Policy"] == "same-origin"
    assert not signs_in(PHRASE)
    assert follow(token, PHRASE).status_code == 302
    assert signs_in(PHRASE)
    found = Person.objects.exclude(role="agent").get()
    assert (found.name, found.username, found.is_active) == ("Cleo Brandt", "cleo", True)
    profile = Api()("POST", "/login", {"email": CLEO, "password": PHRASE}).json()
    tickets = Api(token=profile["access"])("GET", "/api/tickets/").json()["results"]
    assert len(tickets) == (who != "nobody yet")
    if who == "nobody yet":
        assert profile["profile"] == answer.json()["profile"]  # the id that was answered is theirs
        assert Api(token=answer.json()["access"])("GET", "/auth/users/me/").status_code == 200
    assert not Registration.objects.exists()
    again = follow(token, PHRASE)
    assert "not valid any more" in again.content.decode()
    assert "not valid any more" in Client().get(f"/portal/registration/{token}/").content.decode()


def test_a_link_is_for_a_day_and_what_became_of_it_is_swept_up() -> None:
    verify()
    Api()("POST", "/signup", form())
    token = last_secret(LINK)
    assert Person.objects.count() == TokenFamily.objects.count() == 1
    clean_up()
    assert Registration.objects.count() == 1
    assert (
        timedelta(hours=23)
        < Registration.objects.get().expires_at - timezone.now()
        <= timedelta(days=1)
    )
    Registration.objects.update(expires_at=timezone.now())
    assert "not valid any more" in follow(token, PHRASE).content.decode()
    clean_up()
    assert [model.objects.count() for model in (Registration, Person, TokenFamily)] == [0, 0, 0]


@pytest.mark.parametrize("path", ["/auth/users/", "/signup"])
def test_a_stranger_learns_nothing_of_whose_an_address_is(path: str) -> None:
    agent(), customer("mail@example.net", "Mail")
    Person.objects.create_user("has@example.net", PHRASE, name="Secret Name", username="secret")
    Person.objects.create_user("off@example.net", PHRASE, is_active=False)
    PersonAddress.objects.create(person=customer(), address="further@example.net")
    answers, ids = set(), []
    for email in (
        "new@example.net",
        "mail@example.net",
        "has@example.net",
        "off@example.net",
        "ada@example.com",
        "further@example.net",
    ):
        assert said(Api()("POST", path, form(email)))[::2] == (400, "email")
        before = list(Person.objects.filter(email=email).values("password", "name", "is_active"))
        verify(email)
        answer = Api()("POST", path, form(email))
        assert answer.status_code == 201
        profile = answer.json().get("profile", answer.json())
        ids.append(profile["id"])
        said_of_it = re.sub(
            r'"id":\d+|"created_at":"[^"]+"|"(access|refresh)":"[^"]+"', "", answer.content.decode()
        )
        answers.add(said_of_it.replace(email, "…"))
        assert (
            list(Person.objects.filter(email=email).values("password", "name", "is_active"))
            == before
        )
        assert said(Api()("POST", path, form(email)))[::2] == (
            400,
            "email",
        )  # a verification is for one
    assert len(answers) == 1
    assert ids == list(range(ids[0], ids[0] + 6))


def test_who_has_an_account_is_told_so_by_mail_and_the_switched_off_hear_nothing() -> None:
    Person.objects.create_user(CLEO, PHRASE, name="Cleo")
    Person.objects.create_user("off@example.net", PHRASE, is_active=False)
    for email in (CLEO, "off@example.net"):
        verify(email)
        Api()("POST", "/auth/users/", form(email, THEIRS))
    told, other = OutboundMail.objects.filter(kind="registration").order_by("pk")
    assert (told.to_address, told.state, other.state, other.sealed) == (
        CLEO,
        "queued",
        "cancelled",
        "",
    )
    assert last_secret(r"(/portal/sign-in/)$", told)
    assert signs_in(PHRASE)
    assert Registration.objects.count() == 2


def test_an_account_that_was_made_in_the_meantime_is_not_given_another_password() -> None:
    verify()
    Api()("POST", "/auth/users/", form(password=THEIRS))
    token = last_secret(LINK)
    assert Api()("POST", "/auth/users/", form(verification=verify())).status_code == 201
    assert "not valid any more" in follow(token, THEIRS).content.decode()
    assert signs_in(PHRASE)
    assert not signs_in(THEIRS)


def test_a_username_that_was_taken_in_the_meantime_is_left_out() -> None:
    verify()
    Api()("POST", "/auth/users/", form(username="cleo"))
    token = last_secret(LINK)
    Person.objects.create_user("dan@example.net", PHRASE, username="cleo")
    assert follow(token, PHRASE).status_code == 302
    assert Person.objects.get(email=CLEO).username is None


def test_mail_from_an_address_that_waits_for_its_link_is_heard_as_ever() -> None:
    verify()
    Api()("POST", "/auth/users/", form())
    token = last_secret(LINK)
    row = receive(eml("Hello"))
    assert row.ticket_number
    assert follow(token, PHRASE).status_code == 302
    access = Api()("POST", "/login", {"email": CLEO, "password": PHRASE}).json()["access"]
    assert [
        found["id"] for found in Api(token=access)("GET", "/api/tickets/").json()["results"]
    ] == [row.ticket_number]


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("de", "bestätigen"),
        ("fr", "Confirmez"),
        ("es", "Confirme"),
        ("en-GB,en", "Confirm"),
        ("", "Bestätigen"),
    ],
)
def test_the_mail_speaks_the_clients_language_or_the_mailboxs(language: str, words: str) -> None:
    box = Mailbox.objects.get()
    if not language:
        Identity.objects.create(mailbox=box, language="de")
    verify()
    headers = {"accept_language": language} if language else {}
    assert Api()("POST", "/auth/users/", form(), **headers).status_code == 201
    mail = OutboundMail.objects.get(kind="registration")
    assert words.lower() in mail.subject.lower()
    deliver(mail.pk)
    raw = deliver_all()[-1]
    assert b"text/html" in raw
