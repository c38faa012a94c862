"""What tells two mails apart, and whom a mail names, by a look at its header."""

import pytest

from inbound.glance import glance_at, meaning, named_recipients

HEAD = b"From: cleo@example.net\r\nMessage-ID: <a@x>\r\n"


def with_field(line: bytes) -> bytes:
    return HEAD + line + b"\r\n\r\nHello\r\n"


def test_empty_lines_at_its_end_which_a_server_adds_make_it_no_other_mail() -> None:
    bodies = [b"Hello\r\n", b"Hello", b"Hello\r\n\r\n", b"Hello \t\r\n\r\n\r\n"]
    seen = [glance_at(HEAD + b"\r\n" + body) for body in bodies]
    assert len({found.body_sha256 for found in seen}) == 1
    assert len({found.sha256 for found in seen}) == len(bodies)
    assert glance_at(HEAD + b"\r\n Hello").body_sha256 != seen[0].body_sha256


@pytest.mark.parametrize(
    "line",
    [
        b"Content-Type: text/html",
        b"Content-Transfer-Encoding: base64",
        b"Reply-To: eve@evil.example",
        b"In-Reply-To: <b@x>",
        b"References: <b@x>",
        b"Auto-Submitted: auto-replied",
        b"Precedence: bulk",
        b"List-Id: <all.example.org>",
        b"X-Auto-Response-Suppress: All",
    ],
)
def test_a_field_that_gives_the_same_body_another_meaning_makes_it_another_mail(
    line: bytes,
) -> None:
    """Or what somebody sends ahead would stand for somebody else's mail."""
    assert meaning(with_field(line)) != meaning(with_field(b"X-Other: 1"))
    assert meaning(with_field(line.replace(b": ", b":\r\n\t"))) == meaning(with_field(line))


@pytest.mark.parametrize(
    "line", [b"Subject: [list] Help", b"To: all@example.org", b"Received: from a by b"]
)
def test_what_a_list_or_a_server_puts_in_makes_it_no_other_mail(line: bytes) -> None:
    assert meaning(with_field(line)) == meaning(with_field(b"X-Other: 1"))


@pytest.mark.parametrize("name", ["Delivered-To", "X-Original-To", "To", "Cc"])
def test_each_field_that_may_name_our_mailbox_is_looked_at(name: str) -> None:
    raw = with_field(f"{name}: Desk <support@example.com>, dan@example.org".encode())
    assert named_recipients(raw) == ["support@example.com", "dan@example.org"]


def test_nobody_is_named_by_words_of_the_body_or_by_who_was_not_written_to() -> None:
    raw = with_field(
        b"Bcc: eve@example.org\r\nReply-To: eve@example.org\r\n\r\nTo: eve@example.org"
    )
    assert named_recipients(raw) == []
