import pytest

from inbound.reading.dsn import report
from tests.inbound.reading.test_classify import DSN


def test_a_delay_is_no_failure() -> None:
    found = report(DSN.replace(b"Action: failed", b"Action: delayed").replace(b"5.1.1", b"4.4.1"))
    assert found is not None
    assert found.is_temporary


def test_a_report_as_words_names_each_of_its_recipients() -> None:
    """Some mail systems write the fields as plain text, with empty lines between the groups."""
    raw = DSN.replace(
        b"Content-Type: message/delivery-status",
        b"Content-Type: message/delivery-status\nContent-Transfer-Encoding: 8bit",
    ).replace(
        b"--b\nContent-Type: text/rfc822-headers",
        b"\n \nFinal-Recipient: rfc822; carl@example.net\nAction: delayed\nStatus: 4.4.1\n\n--b\nContent-Type: text/rfc822-headers",
    )
    found = report(raw)
    assert found is not None
    assert [(r.address, r.action) for r in found.recipients] == [
        ("cleo@example.net", "failed"),
        ("carl@example.net", "delayed"),
    ]
    flat = (
        b"Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: text/plain\n\nno\n--b\nContent-Type: message/delivery-status\n\n\n"
        + (
            b"Reporting-MTA: dns; mx\n \t\n\nFinal-Recipient: rfc822; a@b.cc\nStatus: 5.1.1\n\n\n\nFinal-Recipient: rfc822; c@d.ee\nStatus: 5.2.1\n--b--\n"
        )
    )
    found = report(flat)
    assert found is not None
    assert [(r.address, r.status) for r in found.recipients] == [
        ("a@b.cc", "5.1.1"),
        ("c@d.ee", "5.2.1"),
    ]


def words(text: str, subject: str = "failure notice", more: str = "") -> bytes:
    return (
        f"From: MAILER-DAEMON@mx.example.org\nTo: support@example.com\nSubject: {subject}\n{more}"
        f"Content-Type: text/plain\n\n{text}\n"
    ).encode()


@pytest.mark.parametrize(
    "text",
    [
        "<cleo@example.net>:\n550 5.1.1 no such user",  # qmail
        "550 5.1.1 <cleo@example.net>... User unknown",  # sendmail
        "  cleo@example.net\n    SMTP error: 550 5.1.1 unknown user",  # exim
        "Delivery has failed to these recipients:\n\ncleo@example.net\n5.1.1 not found",  # Exchange
        "Your message could not be delivered to cleo@example.net: 5.1.1",
        "No such user 'cleo@example.net' here (5.1.1)",
    ],
)
def test_who_was_not_reached_is_found_in_words(text: str) -> None:
    found = report(words(text))
    assert found is not None
    told = [(one.address, one.action, one.status) for one in found.recipients]
    assert told == [("cleo@example.net", "failed", "5.1.1")]


def test_a_warning_is_none_that_it_failed_unless_they_gave_up() -> None:
    delayed = "<cleo@example.net>: delivery is delayed. You do not need to resend your message."
    found = report(words(delayed))
    assert found is not None
    assert found.is_temporary
    found = report(words(f"{delayed} I'm giving up."))
    assert found is not None
    assert not found.is_temporary


def test_a_header_names_who_was_not_reached_before_any_words() -> None:
    found = report(
        words("<dan@example.org>: failed", more="X-Failed-Recipients: cleo@example.net\n")
    )
    assert found is not None
    assert [one.address for one in found.recipients] == ["cleo@example.net"]


def test_the_mail_that_is_returned_names_nobody_and_only_its_own_id() -> None:
    text = (
        "<cleo@example.net>: 550 no\n\n--- Below this line is a copy of the message.\n\n"
        "Message-ID: <sent@example.com>\n<dan@example.org>: hello"
    )
    found = report(words(text))
    assert found is not None
    assert [one.address for one in found.recipients] == ["cleo@example.net"]
    assert found.recipients[0].status == "5.0.0"
    assert found.original_message_id == "sent@example.com"


def test_where_nobody_is_named_there_is_no_report() -> None:
    assert report(words("It was not delivered.")) is None
    assert report(words("support@example.com and postmaster@example.org are fine")) is None
    assert report(b"") is None
    assert report(DSN.replace(b"cleo@example.net", b"")) is None


def test_a_name_that_only_a_host_knows_gives_way_to_the_one_that_was_written_to() -> None:
    final = b"Final-Recipient: rfc822; cleo@example.net"
    inner = b"Original-Recipient: rfc822; cleo@example.net\nFinal-Recipient: rfc822; cleo@store"
    found = report(DSN.replace(final, inner))
    assert found is not None
    assert [one.address for one in found.recipients] == ["cleo@example.net"]
