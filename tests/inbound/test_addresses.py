import pytest

from inbound.addresses import (
    Bounce,
    Reply,
    bounce_address,
    mailbox_candidates,
    read_token,
    reply_address,
)

BOX = "support@example.com"


@pytest.mark.parametrize(("ticket", "person"), [(1, 1), (127, 128), (10**6, 10**7), (2**40, 2**40)])
def test_a_reply_address_names_its_ticket_and_person_again(ticket: int, person: int) -> None:
    address = reply_address(BOX, ticket, person)
    assert read_token(address) == Reply(ticket, person)
    assert read_token(address.upper()) == Reply(ticket, person)
    assert len(address.rpartition("@")[0]) <= 64


def test_a_bounce_address_names_its_mail_again_and_is_no_reply_address() -> None:
    assert read_token(bounce_address(BOX, 7)) == Bounce(7)


def test_a_token_that_was_changed_by_one_letter_names_nothing() -> None:
    local, _, domain = reply_address(BOX, 5, 9).partition("@")
    for place in range(len("support+r"), len(local)):
        other = "a" if local[place] != "a" else "b"
        forged = f"{local[:place]}{other}{local[place + 1 :]}@{domain}"
        assert read_token(forged) in (
            None,
            Reply(5, 9),
        )  # base32 leaves a few spare bits in its last letter
    assert read_token(f"support+r{'a' * 24}@{domain}") is None


def test_a_reply_token_is_no_bounce_token() -> None:
    token = reply_address(BOX, 5, 9).partition("+r")[2]
    assert read_token(f"support+b{token}") is None


def test_an_old_key_still_reads_after_a_rotation(settings) -> None:
    address = reply_address(BOX, 3, 4)
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "n" * 40
    assert read_token(address) == Reply(3, 4)
    settings.SECRET_KEY_FALLBACKS = []
    assert read_token(address) is None


def test_a_mailbox_whose_name_leaves_no_room_gets_no_token() -> None:
    box = f"{'x' * 60}@example.com"
    assert reply_address(box, 1, 1) == box


def test_plus_addresses_lead_to_their_mailbox() -> None:
    assert list(mailbox_candidates("Support+a+b@Example.com")) == [
        "support+a+b@example.com",
        "support+a@example.com",
        "support@example.com",
    ]
