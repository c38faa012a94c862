import pytest

from inbound.reading.headers import addresses, date, message_ids, normal_id, one_line, text


def test_a_character_split_over_two_encoded_words_survives() -> None:
    assert text("=?utf-8?q?Gr=C3?= =?utf-8?q?=BC=C3=9Fe?=") == "Grüße"


def test_addresses_in_groups_quotes_and_comments_are_found() -> None:
    raw = '"Doe, Jane" <Jane@X.org>, team: a@b.c, d@e.f; g@h.i (Gee)'
    assert [a.address for a in addresses(raw)] == ["jane@x.org", "a@b.c", "d@e.f", "g@h.i"]
    assert addresses(raw)[0].name == "Doe, Jane"


def test_ids_are_found_with_white_space_inside_and_without_brackets() -> None:
    assert message_ids("<a@\r\n b> <c@d>") == ("a@b", "c@d")
    assert message_ids("a@b c@d") == ("a@b", "c@d")


def test_a_folded_value_is_one_line() -> None:
    assert text("a\r\n\tb\n c") == "a b c"
    assert one_line("a\r\nBcc: x@y.zz") == "a Bcc: x@y.zz"


def test_white_space_between_encoded_words_is_none_and_beside_other_words_it_is() -> None:
    assert text("=?utf-8?q?a?= =?iso-8859-1?q?=FC?=") == "aü"
    assert text("Re: =?utf-8?b?R3LDvMOfZQ==?= you") == "Re: Grüße you"


def test_what_is_no_encoded_word_stays_as_it_is() -> None:
    assert text("=?utf-8?x?a?= and =?utf-8?q?b") == "=?utf-8?x?a?= and =?utf-8?q?b"


@pytest.mark.parametrize(
    ("raw", "address", "name"),
    [
        ("a@b.cc (Ann B)", "a@b.cc", "Ann B"),
        ("<mailto:A@b.cc>", "a@b.cc", ""),
        ("'Ann' <a@b.cc>", "a@b.cc", "Ann"),
        ('"Ann \\"X\\"" <a@b.cc>', "a@b.cc", 'Ann "X'),
        ("<@relay.example:a@b.cc>", "a@b.cc", ""),
        ("Ann <a@b.cc", "a@b.cc", "Ann"),
    ],
)
def test_odd_addresses_are_found(raw: str, address: str, name: str) -> None:
    assert [(found.address, found.name) for found in addresses(raw)] == [(address, name)]


def test_what_is_no_address_is_passed_over() -> None:
    assert addresses("undisclosed-recipients:;") == ()
    assert addresses("Ann, , <>") == ()
    assert addresses(f"{'a' * 250}@b.cc") == ()  # longer than anybody can write to
    assert addresses("joe@\u212a.example") == ()  # a Kelvin sign is not the letter k


def test_an_id_is_compared_without_brackets_and_white_space() -> None:
    assert normal_id(" <a @b\r\n .cc> ") == "a@b.cc"
    assert message_ids("<a@b> <c@d> <a@b>") == ("a@b", "c@d")


def test_a_date_is_in_utc_or_none_at_all() -> None:
    found = date("Mon, 2 Mar 2026 10:00:00 +0100 (CET)")
    assert found is not None
    assert found.isoformat() == "2026-03-02T09:00:00+00:00"
    assert date("Mon, 30 Feb 2026 10:00:00 +0100") is None
    assert date("soon") is None
