"""Who has written a mail, where From names somebody else."""

import pytest

from inbound.reading.parse import parse
from inbound.reading.sender import BEHIND_OURS, FORM, FROM, NOBODY, Sender, is_ours, who_writes
from tests.support.mail import SUPPORT, eml

OURS = {SUPPORT, "sales@example.com"}
FORM_MAILER = "wordpress@shop.example"


def writer(**headers: str) -> Sender:
    return who_writes(parse(eml("x", **headers)), OURS)


def seen(**headers: str) -> tuple[str, str]:
    found = writer(**headers)
    return found.address.address, found.by


def test_from_says_who_writes_whatever_else_is_named() -> None:
    others = {
        "reply_to": "office@example.net",
        "X_Original_From": "a@example.net",
        "Sender": "b@example.net",
    }
    assert seen(sender="cleo@example.net", **others) == ("cleo@example.net", FROM)
    found = writer(sender="Joe via Something <cleo@example.net>")
    assert found.address.name == "Joe via Something"


def test_behind_our_own_address_the_first_who_is_not_us_writes() -> None:
    named = {
        # What a group writes comes before what the author of the mail could.
        "X_Original_From": "b@example.net",
        "X_Original_Sender": "c@example.net",
        "reply_to": "a@example.net",
        "Sender": "d@example.net",
    }
    for header, address in list(named.items()):
        assert seen(sender=SUPPORT, **named) == (address, BEHIND_OURS)
        named[header] = "Sales <sales+x@example.com>"
    assert seen(sender=SUPPORT, **named) == (SUPPORT, NOBODY)
    assert seen(sender="support+token@example.com") == ("support+token@example.com", NOBODY)


@pytest.mark.parametrize(
    ("shown", "named", "name"),
    [
        ("'Joe' via Support", "joe@example.net", "Joe"),
        ("Joe über Support", "joe@example.net", "Joe"),
        ("Joe VIA Support", "joe@example.net", "Joe"),
        ("Support", "joe@example.net", "Support"),
        ("Joe via Support", "Josephine <joe@example.net>", "Josephine"),
        ("Joe via Support", "\"'Jo'\" <joe@example.net>", "Jo"),
    ],
)
def test_who_stands_behind_our_address_has_their_own_name_or_the_one_that_is_shown(
    shown, named, name
) -> None:
    found = writer(sender=f"{shown} <{SUPPORT}>", reply_to=named)
    assert (found.address.address, found.address.name) == ("joe@example.net", name)


@pytest.mark.parametrize(
    "sender",
    [
        "wordpress@a.example",
        "no-reply@a.example",
        "noreply@a.example",
        "do_not_reply@a.example",
        "donotreply@a.example",
        "contact-form@a.example",
        "kontaktformular@a.example",
        "forms@a.example",
        "form-mailer@a.example",
        "www-data@a.example",
        "apache@a.example",
        "website@a.example",
        "noreply-shop@a.example",
        "web.forms@a.example",
    ],
)
def test_a_form_speaks_for_the_one_whom_reply_to_names(sender: str) -> None:
    assert seen(sender=f"Shop <{sender}>", reply_to="Cleo <cleo@example.net>") == (
        "cleo@example.net",
        FORM,
    )


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"reply_to": FORM_MAILER},
        {"reply_to": SUPPORT},
        {"reply_to": "support+token@example.com"},
        {"reply_to": "cleo@example.net, dan@example.net"},
        {"reply_to": f"cleo@example.net, {FORM_MAILER}"},
        {"reply_to": "cleo@example.net", "list_id": "<shop.example>"},
        {"reply_to": "cleo@example.net", "list_unsubscribe": "<mailto:x@shop.example>"},
    ],
)
def test_a_form_that_names_nobody_or_several_and_a_newsletter_speak_for_themselves(
    headers: dict[str, str],
) -> None:
    assert seen(sender=FORM_MAILER, **headers) == (FORM_MAILER, FROM)


@pytest.mark.parametrize(
    "sender",
    ["webster@a.example", "formby@a.example", "noreplyx@a.example", "xwordpress@a.example"],
)
def test_a_person_whose_address_begins_like_a_forms_is_a_person(sender: str) -> None:
    assert seen(sender=sender, reply_to="other@example.net") == (sender, FROM)


def test_an_address_is_ours_with_and_without_a_token() -> None:
    for address in (SUPPORT, "support+x@example.com", "support+a+b@example.com"):
        assert is_ours(address, OURS)
    for address in (
        "",
        "support",
        "support@example.net",
        "supporter@example.com",
        "+x@example.com",
        "x+support@example.com",
    ):
        assert not is_ours(address, OURS)
