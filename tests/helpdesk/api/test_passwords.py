"""New passwords, by a link or by the present one; and what is kept of one."""

from types import SimpleNamespace

import pytest
from django.core import serializers
from django.utils.http import urlsafe_base64_encode

from helpdesk.api.idempotency import fingerprint
from helpdesk.models import (
    OutboundMail,
    Person,
)
from tasks.secret_mail import deliver
from tests.support.accounts import PHRASE, form, is_taken, member, pair
from tests.support.api import Api, last_secret, said
from tests.support.mail import customer, deliver_all, mailbox

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("many_may_sign_in")]


def test_a_password_is_reset_by_a_link_in_a_mail_that_works_once_and_gives_a_first_one() -> None:
    mailbox()
    cleo = customer()
    assert (
        Api()("POST", "/auth/users/reset_password/", {"email": "CLEO@example.net"}).status_code
        == 204
    )
    row = OutboundMail.objects.get()
    assert (row.person, row.to_address, row.text, row.html) == (cleo, "cleo@example.net", "", "")
    uid, token = last_secret(r"/portal/password/(\S+)/$").split("/")
    assert token not in serializers.serialize("json", OutboundMail.objects.all())
    deliver(row.pk)
    (mail,) = deliver_all()
    assert token.encode() in mail.replace(b"=\r\n", b"")
    path, body = (
        "/auth/users/reset_password_confirm/",
        {"uid": uid, "token": token, "new_password": PHRASE},
    )
    for changes, field in (
        ({"new_password": "short"}, "new_password"),
        ({"uid": "x"}, "uid"),
        ({"token": token[:-1]}, "token"),
    ):
        assert said(Api()("POST", path, {**body, **changes}))[::2] == (400, field)
    assert Api()("POST", path, body).status_code == 204
    assert said(Api()("POST", path, {**body, "new_password": "a third long phrase"}))[0] == 400
    assert is_taken(pair(cleo)["access"])


def test_a_link_is_for_its_own_person_and_time(settings) -> None:
    mailbox(), member("dan@example.net")
    Api()("POST", "/auth/users/reset_password/", {"email": customer().email})
    uid, token = last_secret(r"/portal/password/(\S+)/$").split("/")
    other = urlsafe_base64_encode(str(Person.objects.get(email="dan@example.net").pk).encode())
    path = "/auth/users/reset_password_confirm/"
    assert (
        said(Api()("POST", path, {"uid": other, "token": token, "new_password": "a third phrase"}))[
            0
        ]
        == 400
    )
    settings.PASSWORD_RESET_TIMEOUT = -1
    assert (
        said(Api()("POST", path, {"uid": uid, "token": token, "new_password": "a third phrase"}))[0]
        == 400
    )


def test_nobody_and_the_switched_off_are_sent_no_link() -> None:
    mailbox(), member(is_active=False)
    for email in ("cleo@example.net", "nobody@example.net"):
        assert Api()("POST", "/auth/users/reset_password/", {"email": email}).status_code == 204
    assert set(OutboundMail.objects.values_list("state", "sealed")) == {("cancelled", "")}


def test_a_new_password_needs_the_old_one_and_must_be_good() -> None:
    api = Api(member())
    path = "/auth/users/set_password/"
    for current, new, field in (
        ("wrong", "another long phrase", "current_password"),
        (PHRASE, "short", "new_password"),
    ):
        answer = said(api("POST", path, {"current_password": current, "new_password": new}))
        assert answer[::2] == (400, field), (current, new)
    for body in (
        [],
        "text",
        None,
        1,
        {"current_password": "\ud800", "new_password": "another long phrase"},
    ):
        assert said(api("POST", path, body))[0] == 400, body


def test_a_password_is_not_recognisable_in_what_is_kept_of_a_request(settings) -> None:
    """A digest that needs no key is as good as the password to who can try a million a second."""
    request = SimpleNamespace(method="POST", data=form())
    before = fingerprint(request)  # type: ignore[arg-type]
    settings.SECRET_KEY = "another key"
    assert fingerprint(request) != before  # type: ignore[arg-type]
