"""Secrets that are wiped, guesses that count, pictures whose addresses end, and what is kept long
enough."""

from datetime import timedelta

import pytest
from django.core import signing
from django.core.cache import cache
from django.test import Client, RequestFactory
from django.utils import timezone

from helpdesk import kept_codes, throttle
from helpdesk.actions import Refused, codes
from helpdesk.auth import passwords
from helpdesk.files import frames
from helpdesk.models import (
    Attachment,
    Attempt,
    EmailCode,
    OutboundMail,
    Person,
    PersonAddress,
    ProvenDay,
)
from inbound.models import InboundMail
from tasks import sending
from tasks.housekeeping import clean_up
from tasks.secret_mail import deliver, sweep
from tests.support.api import PNG, Api, a_file, a_ticket
from tests.support.mail import agent, another_worker_has, arrive, customer, eml, mailbox, receive

pytestmark = pytest.mark.django_db
CLEO = "cleo@example.net"


@pytest.fixture(autouse=True)
def _no_counts_yet(settings) -> None:
    cache.clear()
    settings.REQUESTS_A_MINUTE = settings.SIGN_INS_A_MINUTE = 1000
    mailbox()


def a_code() -> OutboundMail:
    customer()
    codes.send_code(EmailCode.Purpose.SIGN_IN, CLEO, asker="cleo", client="192.0.2.1")
    return OutboundMail.objects.get(kind="code")


def sealed(mail: OutboundMail) -> str:
    return OutboundMail.objects.values_list("sealed", flat=True).get(pk=mail.pk)


def test_a_code_that_is_not_sent_after_its_time_is_wiped() -> None:
    mail = a_code()
    OutboundMail.objects.update(expires_at=timezone.now())
    deliver(mail.pk)
    mail.refresh_from_db()
    assert (mail.state, mail.reason, sealed(mail)) == ("failed", "expired", "")


def test_a_code_that_a_server_refuses_for_good_is_wiped(monkeypatch: pytest.MonkeyPatch) -> None:
    import smtplib

    def refuse(mail: OutboundMail) -> str:
        raise smtplib.SMTPRecipientsRefused({mail.to_address: (550, b"no such user")})

    monkeypatch.setattr(sending.delivery, "send", refuse)
    mail = a_code()
    deliver(mail.pk)
    mail.refresh_from_db()
    assert (mail.state, sealed(mail)) == ("failed", "")


@pytest.mark.parametrize(
    "state", ["sent", "failed", "cancelled", "suppressed", "bounced", "queued"]
)
def test_whatever_became_of_a_code_nothing_of_it_is_left_after_its_time(state: str) -> None:
    mail = a_code()
    OutboundMail.objects.update(expires_at=timezone.now() - timedelta(seconds=1), state=state)
    sweep()
    assert sealed(mail) == ""


def test_wrong_passwords_count_for_the_account_whichever_of_its_addresses_is_typed() -> None:
    cleo = Person.objects.create_user(CLEO, "a long phrase of mine")
    PersonAddress.objects.create(person=cleo, address="cleo@work.example", may_sign_in=True)
    for number in range(passwords.AT_ACCOUNT):
        address = CLEO if number % 2 else "cleo@work.example"
        Api(address=f"198.51.{number}.1")(
            "POST", "/auth/jwt/create/", {"email": address, "password": "wrong"}
        )
    for address in (CLEO, "cleo@work.example"):
        said = Api(address="203.0.113.1")(
            "POST", "/auth/jwt/create/", {"email": address, "password": "wrong"}
        )
        assert said.status_code == 429, address


def test_what_is_not_looked_at_keeps_nothing_locked() -> None:
    Person.objects.create_user(CLEO, "a long phrase of mine")
    now = timezone.now()
    Attempt.objects.bulk_create(
        Attempt(key=f"password-failed {CLEO}", at=now - timedelta(hours=23))
        for _ in range(passwords.AT_ACCOUNT)
    )
    before = Attempt.objects.filter(key=f"password-failed {CLEO}").count()
    for number in range(3):
        Api(address=f"198.51.{number}.1")(
            "POST", "/auth/jwt/create/", {"email": CLEO, "password": "wrong"}
        )
    assert Attempt.objects.filter(key=f"password-failed {CLEO}").count() == before


def test_where_an_account_was_signed_in_to_more_than_a_month_ago_counts_like_anywhere() -> None:
    Person.objects.create_user(CLEO, "a long phrase of mine")
    for days, status in ((29, 200), (31, 429)):
        Attempt.objects.all().delete()
        known = Attempt.objects.create(key=f"signed-in 198.51.100.1 {CLEO}")
        Attempt.objects.filter(pk=known.pk).update(at=timezone.now() - timedelta(days=days))
        Attempt.objects.bulk_create(
            Attempt(key=f"password-failed {CLEO}") for _ in range(passwords.AT_ACCOUNT)
        )
        said = Api(address="198.51.100.1")(
            "POST", "/auth/jwt/create/", {"email": CLEO, "password": "a long phrase of mine"}
        )
        assert said.status_code == status, days


def test_an_account_that_is_switched_off_is_not_authenticated_by_its_password() -> None:
    Person.objects.create_user(CLEO, "a long phrase of mine", is_active=False)
    request = RequestFactory().post("/", REMOTE_ADDR="192.0.2.1")
    assert passwords.EmailBackend().authenticate(request, CLEO, "a long phrase of mine") is None


def test_cleaning_up_leaves_what_still_counts() -> None:
    """Guesses of a day, sign-ins of a month, days of ninety."""
    now = timezone.now()
    for key, age in (
        ("password-failed x", timedelta(hours=23)),
        ("signed-in x", timedelta(days=29)),
    ):
        Attempt.objects.filter(pk=throttle.count(key)).update(at=now - age)
    for days in (1, 45, 90, 92):
        ProvenDay.objects.create(address=CLEO, day=(now - timedelta(days=days)).date())
    clean_up()
    assert set(Attempt.objects.values_list("key", flat=True)) == {
        "password-failed x",
        "signed-in x",
    }
    kept = [
        (now.date() - day).days
        for day in ProvenDay.objects.order_by("-day").values_list("day", flat=True)
    ]
    assert kept == [1, 45, 90]


def a_picture(name: str = "file.png", kind: str = "image/png") -> Attachment:
    ticket = a_ticket()
    Api(customer()).upload(
        f"/api/tickets/{ticket.pk}/comments/", {"body": "see", "file": a_file(PNG)}
    )
    Attachment.objects.update(name=name, content_type=kind, content_id="pic@x")
    return Attachment.objects.get()


def test_the_address_of_a_picture_ends(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"/pictures/{signing.dumps(a_picture().pk, salt=frames.SALT)}/"
    assert client.get(url).status_code == 200
    monkeypatch.setattr(frames, "SHOWN_FOR", timedelta(seconds=-1))
    assert client.get(url).status_code == 404


def test_only_a_picture_is_shown_by_its_cid(client: Client) -> None:
    for kind, shown in (("image/png", True), ("image/svg+xml", False), ("text/html", False)):
        Attachment.objects.all().delete()
        comment = a_picture(kind=kind).comment
        page = frames.comment_page(
            RequestFactory().get("/"), comment, '<img src="cid:pic@x">'
        ).content.decode()
        assert ("/pictures/" in page, 'src="data:,"' in page) == (shown, not shown), kind


def test_a_long_code_for_one_thing_is_shared_with_none_for_another() -> None:
    """What the mail was about is what its reader agrees to."""
    cleo = customer()
    asked = [
        (EmailCode.Purpose.CONFIRM, "address a@x"),
        (EmailCode.Purpose.CONFIRM, "address b@x"),
        (EmailCode.Purpose.SIGN_IN, ""),
    ]
    for _ in range(codes.SHORT_AN_HOUR):
        codes.send_code(EmailCode.Purpose.SIGN_IN, CLEO, asker="somebody", client="192.0.2.9")
    OutboundMail.objects.all().delete()
    for purpose, subject in asked:
        codes.send_code(
            purpose, CLEO, asker=f"person {cleo.pk}", client="192.0.2.1", subject=subject
        )
    assert OutboundMail.objects.filter(kind="code").count() == 3
    assert not EmailCode.objects.filter(is_long=True).exclude(same_as=None).exists()


def test_for_an_address_that_gets_no_code_no_digits_are_right(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    agent()
    monkeypatch.setattr(codes.secrets, "randbelow", lambda limit: 123456)
    codes.send_code(EmailCode.Purpose.SIGN_IN, "ada@example.com", asker="x", client="192.0.2.1")
    row = EmailCode.objects.get()
    assert not kept_codes.is_code(row, "123456")
    Person.objects.update(role="user")  # even if they are a customer by then
    with pytest.raises(Refused):
        codes.take_code(EmailCode.Purpose.SIGN_IN, "ada@example.com", "123456", asker="x")


def test_the_same_words_to_another_reply_address_are_no_duplicate() -> None:
    from inbound.addresses import reply_address
    from tests.support.mail import SUPPORT, ticket_of

    first = ticket_of(receive(eml("One", message_id="one@x")))
    other = ticket_of(receive(eml("Two", message_id="two@x")))
    raw = eml("It works", message_id="same@x")
    for ticket in (first, other):
        row = receive(raw, rcpt=reply_address(SUPPORT, ticket.pk, customer().pk))
        assert (row.reason, row.ticket_number) == ("comment", ticket.pk)


def test_what_was_seen_of_a_mail_that_waits_for_its_parent_is_kept() -> None:
    from tasks.inbound import process

    another_worker_has(arrive(eml("First", message_id="p@x")))
    child = arrive(eml("Second", message_id="c@x", in_reply_to="<p@x>"))
    process(child.pk)
    child.refresh_from_db()
    assert (child.state, child.waiting_for) == (InboundMail.State.RECEIVED, "p@x")
    assert child.proof is not None
