import pytest

from inbound.reading.classify import classify
from inbound.reading.dsn import report
from inbound.reading.message import Envelope, Kind, Verdict
from inbound.reading.parse import parse
from tests.mail import eml

DSN = b"""From: Mail Delivery System <MAILER-DAEMON@mx.example.org>
To: support+bxyz@example.com
Subject: Undelivered Mail Returned to Sender
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: text/plain

I'm sorry, your message could not be delivered.

<cleo@example.net>: host mx said: 550 5.1.1 User unknown
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org

Final-Recipient: rfc822; cleo@example.net
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 User unknown

--b
Content-Type: text/rfc822-headers

Message-ID: <sent-by-us@example.com>
Subject: Re: Help
--b--
"""


def judged(raw: bytes, mail_from: str | None = "a@b.c") -> Verdict:
    return classify(parse(raw), Envelope(mail_from, ("support@example.com",)), {"support@example.com"})


def kind(raw: bytes, mail_from: str | None = "a@b.c") -> Kind:
    return judged(raw, mail_from).kind


@pytest.mark.parametrize(
    ("expected", "headers"),
    [
        (Kind.PERSON, {}),
        (Kind.AUTO_REPLY, {"Auto_Submitted": "auto-replied (vacation)"}),
        (Kind.AUTOMATIC, {"Auto_Submitted": "auto-generated"}),
        (Kind.PERSON, {"Auto_Submitted": "no"}),
        (Kind.AUTO_REPLY, {"X_Autoreply": "yes"}),
        (Kind.AUTOMATIC, {"Precedence": "bulk"}),
        (Kind.LIST, {"List_Id": "<list.example.org>"}),
        (Kind.PERSON, {"X_Helpdesk_Mail": "reply"}),
    ],
)
def test_headers_say_what_a_mail_is(expected: Kind, headers: dict[str, str]) -> None:
    assert kind(eml("x", **headers)) is expected


@pytest.mark.parametrize(
    "subject", ["Automatic reply: Help", "Out of Office: Help", "Abwesenheitsnotiz", "Réponse automatique : x"]
)
def test_words_alone_withhold_our_acknowledgement_and_with_a_second_sign_they_are_an_automatic_reply(
    subject: str,
) -> None:
    words = judged(eml("x", subject=subject))
    assert (words.kind, words.is_quiet) == (Kind.PERSON, True)
    assert kind(eml("x", subject=subject), mail_from="") is Kind.AUTO_REPLY
    assert kind(eml("x", subject=subject, x_auto_response_suppress="All")) is Kind.AUTO_REPLY


def test_a_null_return_path_alone_is_no_bounce() -> None:
    assert kind(eml("I am away"), mail_from="") is Kind.AUTOMATIC


def test_a_delivery_report_is_a_bounce_and_says_whose() -> None:
    assert kind(DSN, mail_from="") is Kind.BOUNCE
    found = report(DSN)
    assert found is not None
    assert [(r.address, r.status) for r in found.recipients] == [("cleo@example.net", "5.1.1")]
    assert found.is_hard
    assert not found.is_temporary
    assert found.original_message_id == "sent-by-us@example.com"


def test_a_delay_is_no_failure() -> None:
    found = report(DSN.replace(b"Action: failed", b"Action: delayed").replace(b"5.1.1", b"4.4.1"))
    assert found is not None
    assert found.is_temporary


def test_a_customer_who_writes_about_delivery_is_a_person() -> None:
    assert kind(eml("My parcel was not delivered.", subject="Delivery failed")) is Kind.PERSON


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
    assert [(r.address, r.status) for r in found.recipients] == [("a@b.cc", "5.1.1"), ("c@d.ee", "5.2.1")]
