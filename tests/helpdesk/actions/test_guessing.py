"""One-time codes, from the side of a guesser with as many clients as they like, and of the owner
whom they are in the way of."""

import threading
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connections
from django.db.models import F, Sum
from django.test import Client
from django.utils import timezone

from helpdesk import throttle
from helpdesk.actions import Refused, codes
from helpdesk.models import Attempt, EmailCode, OutboundMail, VerifiedAddress
from tasks.housekeeping import clean_up
from tests.support.api import Api, last_secret, said
from tests.support.mail import customer, mailbox

pytestmark = pytest.mark.django_db

CLEO = "cleo@example.net"
DIGITS = r"^ +([\d ]{6,})$"


@pytest.fixture(autouse=True)
def _no_counts_yet(settings) -> None:
    cache.clear()
    settings.REQUESTS_A_MINUTE = settings.SIGN_INS_A_MINUTE = 10_000
    mailbox(), customer()


def asks(client: Client) -> Client:
    assert client.post("/portal/sign-in/", {"email": CLEO}).status_code == 302
    return client


def enters(client: Client, code: str) -> bool:
    return bool(client.post("/portal/sign-in/code/", {"code": code}).status_code == 302)


def stranger(number: int) -> Client:
    return Client(REMOTE_ADDR=f"198.51.{number // 250}.{number % 250}")


def wrong(code: str) -> str:
    return f"{(int(code.replace(' ', '')) + 1) % 10**6:06d}"


def time_passes(how_much: timedelta) -> None:
    """What is kept gets older: as if the clock were set, for everything that is limited."""
    for name in ("created_at", "expires_at", "used_at"):
        EmailCode.objects.exclude(**{name: None}).update(**{name: F(name) - how_much})
    Attempt.objects.update(at=F("at") - how_much)
    clean_up()


def test_wrong_guesses_of_others_lock_nobody_out() -> None:
    for number in range(60):
        guesser = stranger(number)
        session = guesser.session
        session["portal-address"] = CLEO  # as if they had asked
        session.save()
        assert not enters(guesser, "123456")
        Api(address=f"203.0.113.{number}")(
            "POST", "/api/verify_otp/", {"email": CLEO, "otp": "123456"}
        )
    cleo = asks(Client())
    assert enters(cleo, last_secret(DIGITS))


def test_guesses_of_others_use_up_no_tries_of_a_code_and_a_code_of_theirs_ends_none() -> None:
    cleo = asks(Client())
    code = last_secret(DIGITS)
    for number in range(3):
        guesser = asks(stranger(number))
        for _ in range(6):
            assert not enters(guesser, wrong(code))
        assert not enters(
            guesser, code
        )  # of a code that they did not ask for, the right digits are wrong
    assert enters(cleo, code)


def test_at_the_api_other_networks_have_three_tries_at_a_code_and_take_none_of_its_own_network() -> (
    None
):
    here, same_network = Api(address="2001:db8::1"), Api(address="2001:db8::2")
    here("POST", "/api/send_otp/", {"email": CLEO})
    right = {"email": CLEO, "otp": last_secret(DIGITS)}
    for number in range(9):
        body = {**right, "otp": wrong(right["otp"])} if number < codes.ELSEWHERE else right
        answer = Api(address=f"2001:db8:{number + 1}::1")("POST", "/api/verify_otp/", body)
        assert said(answer)[::2] == (400, "otp")
    assert not VerifiedAddress.objects.exists()
    assert same_network("POST", "/api/verify_otp/", right).status_code == 200


def test_a_telephone_that_changes_its_network_while_the_mail_is_read_is_let_in() -> None:
    Api(address="2001:db8::1")("POST", "/api/send_otp/", {"email": CLEO})
    body = {"email": CLEO, "otp": last_secret(DIGITS)}
    assert Api(address="198.51.100.1")("POST", "/api/verify_otp/", body).status_code == 200
    assert said(Api(address="198.51.100.1")("POST", "/api/verify_otp/", body))[::2] == (400, "otp")


def test_a_code_of_a_session_is_for_that_session_alone() -> None:
    asks(Client())
    code = last_secret(DIGITS)
    for asker in ("session x", "client 127.0.0.1", "person 1"):
        with pytest.raises(Refused):
            codes.take_code("sign-in", CLEO, code, asker=asker)
    Api()("POST", "/api/send_otp/", {"email": CLEO})
    with pytest.raises(Refused):
        codes.take_code("verify", CLEO, last_secret(DIGITS), asker="session x")


def test_whoever_asks_for_codes_without_end_neither_locks_the_owner_out_nor_floods_the_mailbox() -> (
    None
):
    for number in range(40):
        asks(stranger(number))
    mails = OutboundMail.objects.filter(kind="code").count()
    assert mails == codes.SHORT_AN_HOUR + 1
    cleo = asks(Client())
    assert OutboundMail.objects.count() == mails
    long = last_secret(DIGITS).replace(" ", "")
    assert len(long) == codes.LONG
    assert enters(cleo, long)
    assert asks(stranger(41)).post("/portal/sign-in/code/", {"code": ""}).status_code == 200
    time_passes(timedelta(hours=1))
    assert enters(asks(Client()), last_secret(DIGITS))
    assert len(last_secret(DIGITS)) == codes.SHORT


def test_the_odds_of_guessing_stay_below_one_in_ten_thousand_a_month_and_the_owner_signs_in_every_day() -> (
    None
):
    """For thirty days, from ever new clients: each time as many codes as one may, and all tries at
    each of them."""
    number = 0
    for _ in range(31):
        for _ in range(8):
            number += 1
            client, asker = f"2001:db8:{number:x}::1", f"{codes.NETWORK}{number}"
            codes.send_code("sign-in", CLEO, asker=asker, client=client)
            digits = last_secret(DIGITS)
            for _ in range(codes.TRIES + 2):
                with pytest.raises(Refused):
                    codes.take_code("sign-in", CLEO, wrong(digits), asker=asker)
            for elsewhere in range(codes.ELSEWHERE + 1):
                with pytest.raises(Refused):
                    codes.take_code(
                        "sign-in", CLEO, wrong(digits), asker=f"{codes.NETWORK}{number} {elsewhere}"
                    )
        codes.send_code("sign-in", CLEO, asker="cleo", client="192.0.2.1")
        assert codes.take_code("sign-in", CLEO, last_secret(DIGITS), asker="cleo")
        time_passes(timedelta(days=1))
    tried = {
        is_long: EmailCode.objects.filter(is_long=is_long).aggregate(
            n=Sum(F("tries") + F("tries_elsewhere"))
        )["n"]
        for is_long in (False, True)
    }
    assert 50 < tried[False] <= codes.GUESSES_A_MONTH
    assert tried[True] > 500  # or the limit would not be what ended the short ones
    a_billion = 10**9  # what long ones bear: the clients of a guesser are not counted
    assert tried[False] / 10**codes.SHORT + a_billion / 10**codes.LONG < 1 / 10_000


def test_a_month_after_the_guesses_codes_are_short_again() -> None:
    for number in range(5):
        for asker in range(codes.SHORT_AN_HOUR):
            codes.send_code(
                "sign-in", CLEO, asker=f"{number} {asker}", client=f"198.51.{number}.{asker}"
            )
            for _ in range(codes.TRIES):
                with pytest.raises(Refused):
                    codes.take_code(
                        "sign-in", CLEO, wrong(last_secret(DIGITS)), asker=f"{number} {asker}"
                    )
        time_passes(timedelta(days=1))
    codes.send_code("sign-in", CLEO, asker="cleo", client="192.0.2.1")
    assert EmailCode.objects.latest("pk").is_long
    time_passes(timedelta(days=31))
    codes.send_code("sign-in", CLEO, asker="cleo", client="192.0.2.1")
    assert not EmailCode.objects.latest("pk").is_long


def test_a_guess_for_one_purpose_or_address_of_an_account_counts_for_the_others() -> None:
    cleo = customer()
    cleo.addresses.create(address="cleo@work.example", may_sign_in=True)
    asked = [("verify", CLEO), ("sign-in", "cleo@work.example"), ("sign-in", CLEO.upper())]
    for number in range(codes.SHORT_AN_HOUR):
        purpose, address = asked[number % 3]
        codes.send_code(purpose, address, asker=str(number), client=f"198.51.100.{number}")
    codes.send_code("sign-in", CLEO, asker="cleo", client="192.0.2.1")
    assert EmailCode.objects.latest("pk").is_long


def test_who_asks_too_often_is_stopped_and_nobody_else_is() -> None:
    for number in range(30):
        codes.send_code("sign-in", f"{number}@example.org", asker="x", client="192.0.2.1")
    with pytest.raises(throttle.Throttled):
        codes.send_code("sign-in", CLEO, asker="x", client="192.0.2.1")
    codes.send_code("sign-in", CLEO, asker="cleo", client="192.0.2.2")
    assert EmailCode.objects.filter(address=CLEO, expires_at__gt=timezone.now()).count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_who_ask_at_once_no_more_get_short_codes_than_one_after_the_other() -> None:
    together, failed = threading.Barrier(8), list[BaseException]()

    def ask(number: int) -> None:
        try:
            together.wait(30)
            for again in range(4):
                codes.send_code(
                    "sign-in", CLEO, asker=f"{number} {again}", client=f"198.51.{number}.{again}"
                )
        except BaseException as error:
            failed.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert EmailCode.objects.filter(is_long=False).count() == codes.SHORT_AN_HOUR
    assert EmailCode.objects.filter(is_long=True, same_as=None).count() == 1
    assert EmailCode.objects.count() == 32
