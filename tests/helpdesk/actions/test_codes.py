"""One-time codes and PINs, from the side of whoever must not get in."""

import json
import logging
import re
from datetime import timedelta

import pytest
from django.core import serializers
from django.utils import timezone

from helpdesk import throttle
from helpdesk.actions import Refused, codes, pins
from helpdesk.kept_codes import code_hash
from helpdesk.models import EmailCode, OutboundMail, Person, SupportPin
from inbound.secrets import Unreadable, decrypt, encrypt
from tasks.secret_mail import deliver, sweep
from tests.support.mail import agent, customer, mailbox
from tests.support.services import smtp_sink

pytestmark = pytest.mark.django_db

SIGN_IN = EmailCode.Purpose.SIGN_IN


def code_for(address: str, purpose: str = SIGN_IN, client: str = "192.0.2.1") -> str:
    """Asks for a code and reads it from the row, as only its reader will."""
    mailbox()
    codes.send_code(purpose, address, asker="cleo", client=client)
    mail = OutboundMail.objects.order_by("-pk")[0]
    found = re.search(r"^ +(\d{6})$", json.loads(decrypt(mail.sealed))[0], re.MULTILINE)
    assert found is not None
    return found[1]


def wrong(digits: str) -> str:
    return f"{(int(digits) + 1) % 10**6:06d}"


def test_a_code_signs_a_customer_in_once() -> None:
    cleo = customer()
    digits = code_for("Cleo@Example.net")
    assert codes.take_code(SIGN_IN, "cleo@example.net", digits, asker="cleo") == cleo
    with pytest.raises(Refused):
        codes.take_code(SIGN_IN, "cleo@example.net", digits, asker="cleo")


@pytest.mark.parametrize("who", ["unknown", "agent", "admin", "inactive"])
def test_for_those_who_may_not_sign_in_the_answer_is_the_same_and_no_mail_goes(who: str) -> None:
    mailbox()
    address = f"{who}@example.org"
    if who != "unknown":
        role = who if who in {"agent", "admin"} else "user"
        Person.objects.create_user(address, role=role, is_active=who != "inactive")
    codes.send_code(SIGN_IN, address, asker="cleo", client="192.0.2.1")
    mail = OutboundMail.objects.get()
    assert (mail.state, mail.sealed) == ("cancelled", "")
    row = EmailCode.objects.get()
    assert code_hash(row.pk, "000000") != row.code_hash
    with pytest.raises(Refused):
        codes.take_code(SIGN_IN, address, "000000", asker="cleo")


def test_a_code_is_for_its_purpose_its_address_and_ten_minutes() -> None:
    customer(), customer("dan@example.net", "Dan")
    digits = code_for("cleo@example.net")
    for purpose, address in ((SIGN_IN, "dan@example.net"), ("verify", "cleo@example.net")):
        with pytest.raises(Refused):
            codes.take_code(purpose, address, digits, asker="cleo")
    EmailCode.objects.update(expires_at=timezone.now())
    with pytest.raises(Refused):
        codes.take_code(SIGN_IN, "cleo@example.net", digits, asker="cleo")


def test_five_tries_and_the_code_is_worth_nothing_and_a_new_one_ends_the_old_one() -> None:
    customer()
    digits = code_for("cleo@example.net")
    for _ in range(5):
        with pytest.raises(Refused):
            codes.take_code(SIGN_IN, "cleo@example.net", wrong(digits), asker="cleo")
    with pytest.raises(Refused):
        codes.take_code(SIGN_IN, "cleo@example.net", digits, asker="cleo")
    old, new = code_for("cleo@example.net"), code_for("cleo@example.net")
    if old != new:
        with pytest.raises(Refused):
            codes.take_code(SIGN_IN, "cleo@example.net", old, asker="cleo")
    assert codes.take_code(SIGN_IN, "cleo@example.net", new, asker="cleo")


def test_a_code_mail_is_secret_until_it_is_sent_and_wiped_then(settings, caplog, client) -> None:
    caplog.set_level(logging.DEBUG)
    customer()
    digits = code_for("cleo@example.net")
    mail = OutboundMail.objects.get()

    def dump() -> str:
        return serializers.serialize(
            "json", [*OutboundMail.objects.all(), *EmailCode.objects.all()]
        )

    assert digits not in dump()
    client.force_login(Person.objects.create_superuser("root@example.com", "x"))
    for url in ("/admin/helpdesk/outboundmail/", f"/admin/helpdesk/outboundmail/{mail.pk}/change/"):
        page = client.get(url)
        assert page.status_code == 200
        assert digits not in page.content.decode()
    with smtp_sink() as sink:
        settings.EMAIL_BACKEND = "helpdesk.outbound.to_smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", sink.port
        deliver(mail.pk)
        assert digits.encode() in sink.mails[0][1]
    mail.refresh_from_db()
    assert (mail.state, mail.sealed, mail.text, mail.html) == ("sent", "", "", "")
    assert digits not in caplog.text


def test_the_page_of_mail_sent_to_files_withholds_it(client) -> None:
    customer()
    digits = code_for("cleo@example.net")
    deliver(OutboundMail.objects.get().pk)
    client.force_login(Person.objects.create_superuser("root@example.com", "x"))
    page = client.get("/admin/sent-mail/").content.decode()
    name = re.search(r"[\d-]+\.eml", page)
    assert name is not None
    page = client.get(f"/admin/sent-mail/{name[0]}/").content.decode()
    assert "Withheld" in page
    assert digits not in page


def test_a_code_is_not_sent_after_its_time_and_is_wiped(settings) -> None:
    customer()
    code_for("cleo@example.net")
    settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = (
        "helpdesk.outbound.to_smtp.EmailBackend",
        "127.0.0.1",
        1,
    )
    deliver(OutboundMail.objects.get().pk)
    mail = OutboundMail.objects.get()
    assert mail.state == "queued"
    assert mail.next_attempt_at < timezone.now() + timedelta(
        seconds=3
    )  # it doesn't wait as other mail does
    OutboundMail.objects.update(expires_at=timezone.now(), next_attempt_at=timezone.now())
    sweep()
    mail.refresh_from_db()
    assert (mail.state, mail.reason, mail.sealed) == ("failed", "expired", "")


def test_a_pin_signs_in_once_whatever_it_is_typed_like() -> None:
    mailbox()
    cleo = customer()
    pin = pins.issue_pin(cleo, actor=agent())
    assert re.fullmatch(r"([0-9A-HJKMNP-TV-Z]{4}-){2}[0-9A-HJKMNP-TV-Z]{4}", pin)
    assert pin.replace("-", "") not in serializers.serialize("json", SupportPin.objects.all())
    typed = pin.lower().replace("-", " ").replace("0", "o").replace("1", "l")
    assert pins.take_pin(typed, client="192.0.2.1") == cleo
    with pytest.raises(Refused):
        pins.take_pin(pin, client="192.0.2.1")


def test_a_pin_ends_with_its_time_with_a_new_one_and_with_the_account() -> None:
    mailbox()
    cleo, ada = customer(), agent()
    first = pins.issue_pin(cleo, actor=ada)
    second = pins.issue_pin(cleo, actor=ada)
    with pytest.raises(Refused):
        pins.take_pin(first, client="192.0.2.1")
    SupportPin.objects.update(expires_at=timezone.now())
    with pytest.raises(Refused):
        pins.take_pin(second, client="192.0.2.1")
    third = pins.issue_pin(cleo, actor=ada)
    Person.objects.filter(pk=cleo.pk).update(role="agent")
    with pytest.raises(Refused):
        pins.take_pin(third, client="192.0.2.1")


def test_pins_are_for_customers_and_from_staff_only() -> None:
    with pytest.raises(Refused):
        pins.issue_pin(agent("Bob"), actor=agent())
    with pytest.raises(Refused):
        pins.issue_pin(customer(), actor=customer("dan@example.net", "Dan"))


def test_a_long_code_that_several_sessions_share_is_good_for_one_of_them() -> None:
    mailbox()
    cleo = customer()
    for number in range(7):
        codes.send_code(
            EmailCode.Purpose.SIGN_IN, cleo.email, asker=f"a{number}", client=f"192.0.2.{number}"
        )
    codes.send_code(EmailCode.Purpose.SIGN_IN, cleo.email, asker="thief", client="198.51.100.1")
    mailed = EmailCode.objects.get(is_long=True, same_as=None)
    assert EmailCode.objects.filter(same_as=mailed).exists()
    sealed = OutboundMail.objects.filter(kind="code", to_address=cleo.email).latest("pk").sealed
    found = re.search(r"\d{5} \d{5} \d{5}", decrypt(sealed))
    assert found is not None
    assert codes.take_code(EmailCode.Purpose.SIGN_IN, cleo.email, found[0], asker="a6") == cleo
    with pytest.raises(Refused):
        codes.take_code(EmailCode.Purpose.SIGN_IN, cleo.email, found[0], asker="thief")


def test_guessing_pins_is_throttled_per_client_and_stops_nobody_else() -> None:
    mailbox()
    pin, refused = pins.issue_pin(customer(), actor=agent()), 0
    for number in range(60):
        try:
            pins.take_pin("0000-0000-0000", client=f"2001:db8::{number // 20}:{number}")  # one /64
        except throttle.Throttled:
            pass
        except Refused:
            refused += 1
    assert refused == 10
    for number in range(1100):
        with pytest.raises(Refused):
            pins.take_pin("0000-0000-0000", client=f"2001:db8:{number:x}:1::1")
    assert pins.take_pin(pin, client="192.0.2.1")


def test_what_is_sealed_opens_with_a_key_that_is_not_the_first_any_more_and_with_no_other(
    settings,
) -> None:
    token = encrypt("hello")
    settings.FERNET_KEYS = ["n" * 40, *settings.FERNET_KEYS]
    assert decrypt(token) == "hello"
    settings.FERNET_KEYS = ["n" * 40]
    with pytest.raises(Unreadable, match="FERNET_KEYS"):
        decrypt(token)


def test_a_forgotten_staff_password_is_set_by_a_link_that_works_once(client) -> None:
    mailbox()
    ada = agent()
    for address in ("nobody@example.com", "ada@example.com"):
        assert client.post("/admin/password-reset/", {"email": address}).status_code == 302
    mail = OutboundMail.objects.get(state="queued")
    assert mail.person == ada
    assert mail.text == ""
    link = re.search(
        r"https?://[^/]+(/admin/password-reset/\S+)", json.loads(decrypt(mail.sealed))[0]
    )
    assert link is not None
    page = client.get(link[1], follow=True)
    form = {"new_password1": "a new long phrase", "new_password2": "a new long phrase"}
    assert client.post(page.request["PATH_INFO"], form).status_code == 302
    ada.refresh_from_db()
    assert ada.check_password("a new long phrase")
    client.session.flush()
    assert "not valid any more" in client.get(link[1], follow=True).content.decode()
