import pytest

from inbound.reading.classify import classify
from inbound.reading.dsn import report
from inbound.reading.message import Envelope, Kind, Verdict
from inbound.reading.parse import parse
from tests.support.mail import eml

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


def judged(raw: bytes, mail_from: str | None = "a@b.c", *, signed_path: bool = False) -> Verdict:
    envelope = Envelope(mail_from, ("support@example.com",))
    return classify(parse(raw), envelope, {"support@example.com"}, signed_path=signed_path)


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
    "subject",
    [
        "Automatic reply: Help",
        "Out of Office: Help",
        "Abwesenheitsnotiz",
        "Réponse automatique : x",
    ],
)
def test_words_alone_withhold_our_acknowledgement_and_with_a_second_sign_they_are_an_automatic_reply(
    subject: str,
) -> None:
    words = judged(eml("x", subject=subject))
    assert (words.kind, words.is_quiet) == (Kind.PERSON, True)
    assert words.reason == "words-of-an-automatic-reply"
    assert judged(eml("x", subject=subject), mail_from="").reason == "null-sender-and-subject"
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


def test_a_customer_who_writes_about_delivery_is_a_person() -> None:
    assert kind(eml("My parcel was not delivered.", subject="Delivery failed")) is Kind.PERSON


# --- Bounces: each of their signs by itself, and what is none

DAEMON = {"sender": "Mail Delivery System <MAILER-DAEMON@mx.example.org>"}
FAILED = {"subject": "Undelivered Mail Returned to Sender"}
RETURNED = "It was not delivered.\n\n> Received: from a by b\n> From: support@example.com\n> Subject: Re: Help\n> To: cleo@example.net\n"


def report_of(kind: str, part: str = "", *, outer: str = "multipart/report") -> bytes:
    return (
        f"From: Someone <someone@example.net>\nTo: support@example.com\nSubject: x\nContent-Type: {outer}; report-type={kind}; "
        f"boundary=b\n\n--b\nContent-Type: text/plain\n\nx\n--b\nContent-Type: {part or f'message/{kind}'}\n\nStatus: 5.1.1\n--b--\n"
    ).encode()


def told(verdict: Verdict) -> tuple[Kind, str, bool]:
    return verdict.kind, verdict.reason, verdict.is_sure


@pytest.mark.parametrize("part", ["message/delivery-status", "message/global-delivery-status"])
def test_a_report_is_one_by_its_type_or_by_its_part(part: str) -> None:
    sure = (Kind.BOUNCE, "delivery-status-report", True)
    assert told(judged(report_of("delivery-status", "text/plain"))) == sure
    assert told(judged(report_of("other", part))) == sure
    assert kind(report_of("other", "text/plain")) is Kind.PERSON


@pytest.mark.parametrize(
    ("what", "reason"),
    [("feedback-report", "feedback-report"), ("disposition-notification", "read-receipt")],
)
def test_a_complaint_and_a_read_receipt_are_machines_words_and_no_bounces(
    what: str, reason: str
) -> None:
    assert told(judged(report_of(what), mail_from="")) == (Kind.AUTOMATIC, reason, True)
    assert told(judged(report_of(what, outer="multipart/mixed"))) == (Kind.AUTOMATIC, reason, True)


def test_a_read_receipt_is_one_by_its_type_or_by_its_part() -> None:
    assert judged(report_of("disposition-notification", "text/plain")).reason == "read-receipt"
    assert judged(report_of("x", "message/disposition-notification")).reason == "read-receipt"


def test_a_status_part_is_a_machines_word_and_a_persons_attachment() -> None:
    raw = report_of("x", "message/delivery-status", outer="multipart/mixed")
    assert kind(raw) is Kind.PERSON
    assert told(judged(raw, mail_from="")) == (Kind.BOUNCE, "delivery-status-part", True)
    daemon = raw.replace(b"Someone <someone@", b"<MAILER-DAEMON@")
    found = judged(daemon)
    assert (told(found), found.evidence) == (
        (Kind.BOUNCE, "delivery-status-part", True),
        "mailer-daemon@example.net",
    )


def test_a_header_that_names_who_was_not_reached_makes_a_bounce() -> None:
    found = judged(eml("x", x_failed_recipients="cleo@example.net", **DAEMON))
    assert (told(found), found.evidence) == (
        (Kind.BOUNCE, "failed-recipients-header", False),
        "cleo@example.net",
    )
    assert judged(eml(RETURNED, x_failed_recipients="cleo@example.net", **DAEMON)).is_sure
    assert (
        kind(eml("x", x_failed_recipients="cleo@example.net")) is Kind.PERSON
    )  # anybody can write it


def test_a_daemons_words_are_a_sure_bounce_only_with_the_mail_that_they_return() -> None:
    assert told(judged(eml("It was not delivered.", **DAEMON))) == (
        Kind.BOUNCE,
        "mail-daemon",
        False,
    )
    assert told(judged(eml("x", **FAILED, **DAEMON))) == (Kind.BOUNCE, "mail-daemon", False)
    assert told(judged(eml(RETURNED, **DAEMON))) == (Kind.BOUNCE, "mail-daemon", False)
    assert told(judged(eml(RETURNED, **DAEMON), mail_from="")) == (
        Kind.BOUNCE,
        "returned-mail",
        True,
    )
    assert told(judged(eml("Your mailbox was moved to another server.", **DAEMON))) == (
        Kind.AUTOMATIC,
        "no-reply-address",
        True,
    )
    assert kind(eml(RETURNED, subject="Out of office", **DAEMON)) is not Kind.BOUNCE


def test_returned_mail_is_a_bounce_from_the_null_sender_or_with_a_subject_and_the_sign_of_a_machine() -> (
    None
):
    returned = (Kind.BOUNCE, "returned-mail", True)
    assert told(judged(eml(RETURNED), mail_from="")) == returned
    assert told(judged(eml("x", **FAILED), mail_from="")) == (Kind.AUTOMATIC, "null-sender", True)
    by_words = (Kind.BOUNCE, "returned-mail", False)
    assert told(judged(eml(RETURNED, auto_submitted="auto-generated", **FAILED))) == by_words
    assert told(judged(eml(RETURNED, sender="Nobody", **FAILED))) == by_words
    quoted = "From: Ada\nSent: Monday\nTo: Cleo\nSubject: Re: Help\n\nhi"  # as mail programs quote
    assert not judged(eml(quoted, **FAILED), mail_from="").is_sure
    for headers in ({}, {"auto_submitted": "no"}):
        assert kind(eml(RETURNED, **FAILED, **headers)) is Kind.PERSON
    assert kind(eml(RETURNED, auto_submitted="auto-generated")) is Kind.AUTOMATIC
    assert kind(eml("x", auto_submitted="auto-generated", **FAILED)) is Kind.AUTOMATIC


def test_at_our_return_path_words_are_a_bounce_with_the_sign_of_a_machine() -> None:
    assert judged(eml("User unknown"), signed_path=True).kind is Kind.PERSON
    assert judged(eml("x", **FAILED), signed_path=True).kind is Kind.PERSON
    at_path = "signed-return-path"
    assert told(judged(eml("User unknown"), mail_from="", signed_path=True)) == (
        Kind.BOUNCE,
        at_path,
        True,
    )
    assert told(judged(eml("x"), mail_from="", signed_path=True)) == (Kind.BOUNCE, at_path, False)
    assert told(judged(eml("User unknown", **DAEMON), signed_path=True)) == (
        Kind.BOUNCE,
        at_path,
        False,
    )
    assert told(judged(eml(RETURNED), mail_from="", signed_path=True)) == (
        Kind.BOUNCE,
        "signed-return-path",
        True,
    )
    assert kind(eml("x")) is kind(eml("Thank you"), mail_from="a@b.c") is Kind.PERSON
    assert judged(eml("Thank you"), signed_path=True).kind is Kind.PERSON
    assert judged(eml("x", **DAEMON), signed_path=True).kind is Kind.AUTOMATIC
    away = eml("My mailbox is full", subject="Out of office", auto_submitted="auto-replied")
    assert judged(away, mail_from="", signed_path=True).kind is Kind.AUTO_REPLY


@pytest.mark.parametrize(
    "part",
    ["message/rfc822", "text/rfc822-headers", "message/partial; id=x; number=1", "message/global"],
)
def test_the_mail_that_is_returned_may_be_a_part_of_its_own(part: str) -> None:
    raw = report_of("x", part, outer="multipart/mixed").replace(
        b"Status: 5.1.1", b"Subject: Hi\n\nx"
    )
    assert told(judged(raw, mail_from="")) == (Kind.BOUNCE, "returned-mail", True)
    assert (
        told(judged(report_of("x", "text/html", outer="multipart/mixed"), mail_from=""))[1]
        == "null-sender"
    )


def test_a_daemon_is_known_by_its_name_too() -> None:
    raw = eml("User unknown", sender="Mail Delivery Subsystem <x@example.net>")
    assert kind(raw) is Kind.PERSON  # a system administrator is a person
    named = judged(raw, mail_from="")
    assert (told(named), named.evidence) == ((Kind.BOUNCE, "mail-daemon", False), "x@example.net")
    assert kind(eml("User unknown", sender="Cleo Postman <cleo@example.net>")) is Kind.PERSON


def test_words_count_in_the_beginning_of_a_long_text_alone() -> None:
    assert kind(eml("x " * 9_000 + "User unknown", **DAEMON)) is Kind.BOUNCE
    assert kind(eml("x " * 11_000 + "User unknown", **DAEMON)) is Kind.AUTOMATIC


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("<>", Kind.AUTOMATIC),
        ("< >", Kind.AUTOMATIC),
        ("<MAILER-DAEMON>", Kind.AUTOMATIC),
        ("<a@b.c>", Kind.PERSON),
        ("", Kind.PERSON),
    ],
)
def test_where_nobody_told_us_the_envelope_the_return_path_says_who_the_sender_was(
    path: str, expected: Kind
) -> None:
    headers = {"return_path": path} if path else {}
    assert kind(eml("x", **headers), mail_from=None) is expected
    assert kind(eml("x", **headers), mail_from="a@b.c") is Kind.PERSON


# --- Automatic replies, lists and machines


@pytest.mark.parametrize(
    "name",
    [
        "X-Autoreply",
        "X-Autorespond",
        "X-Autoresponder",
        "X-Auto-Reply",
        "X-Vacation",
        "X-Mailer-Autoresponder",
    ],
)
def test_each_header_of_an_automatic_reply_is_one_unless_it_says_no(name: str) -> None:
    found = judged(eml("x", **{name.replace("-", "_"): "yes"}))
    assert (found.kind, found.reason, found.evidence) == (
        Kind.AUTO_REPLY,
        "auto-reply-header",
        name.lower(),
    )
    assert kind(eml("x", **{name.replace("-", "_"): "NO"})) is Kind.PERSON


@pytest.mark.parametrize(
    ("headers", "expected", "reason"),
    [
        ({"precedence": "auto_reply"}, Kind.AUTO_REPLY, "precedence"),
        ({"precedence": "Auto-Reply"}, Kind.AUTO_REPLY, "precedence"),
        ({"precedence": "junk"}, Kind.AUTOMATIC, "precedence"),
        ({"precedence": "list"}, Kind.LIST, "list-header"),
        ({"precedence": "first-class"}, Kind.PERSON, "no-sign-of-a-machine"),
        (
            {"precedence": "bulk", "subject": "Out of office"},
            Kind.AUTO_REPLY,
            "precedence-and-subject",
        ),
        (
            {"precedence": "Junk", "subject": "Out of office"},
            Kind.AUTO_REPLY,
            "precedence-and-subject",
        ),
        (
            {"x_auto_response_suppress": "DR, OOF", "subject": "Auto: x"},
            Kind.AUTO_REPLY,
            "auto-response-suppress",
        ),
        (
            {"x_auto_response_suppress": "AutoReply", "subject": "Auto: x"},
            Kind.AUTO_REPLY,
            "auto-response-suppress",
        ),
        (
            {"x_auto_response_suppress": "DR, RN", "subject": "Auto: x"},
            Kind.PERSON,
            "no-sign-of-a-machine",
        ),
        ({"auto_submitted": "AUTO-REPLIED; owner=x"}, Kind.AUTO_REPLY, "auto-submitted"),
        ({"auto_submitted": "auto-notified"}, Kind.AUTOMATIC, "auto-submitted"),
        ({"auto_submitted": "no (by hand)"}, Kind.PERSON, "no-sign-of-a-machine"),
        ({"list_post": "<mailto:list@example.org>"}, Kind.LIST, "list-header"),
        (
            {"list_id": "<list.example.org>", "auto_submitted": "auto-generated"},
            Kind.LIST,
            "list-header",
        ),
        ({"list_unsubscribe": "<mailto:x@example.org>"}, Kind.AUTOMATIC, "bulk-mail"),
        ({"feedback_id": "1:2"}, Kind.AUTOMATIC, "bulk-mail"),
        ({"x_campaign": "1"}, Kind.AUTOMATIC, "bulk-mail"),
        ({"x_campaignid": "1"}, Kind.AUTOMATIC, "bulk-mail"),
        ({"sender": "noreply@shop.example"}, Kind.AUTOMATIC, "no-reply-address"),
        ({"sender": "alerts@shop.example"}, Kind.AUTOMATIC, "no-reply-address"),
        ({"sender": "postmaster@shop.example"}, Kind.AUTOMATIC, "no-reply-address"),
        (
            {"sender": "noreply@shop.example", "reply_to": "cleo@example.net"},
            Kind.PERSON,
            "no-sign-of-a-machine",
        ),
        ({"sender": "alertson@shop.example"}, Kind.PERSON, "no-sign-of-a-machine"),
    ],
)
def test_each_sign_has_its_name(headers: dict[str, str], expected: Kind, reason: str) -> None:
    found = judged(eml("x", **headers))
    assert (found.kind, found.reason) == (expected, reason)


@pytest.mark.parametrize("suppress", ["All", "OOF", "DR, autoreply", "DR,OOF"])
def test_who_wants_no_automatic_answer_is_a_person_who_gets_none(suppress: str) -> None:
    found = judged(eml("x", x_auto_response_suppress=suppress))
    assert (found.kind, found.is_quiet, found.evidence) == (Kind.PERSON, True, suppress)
    assert not judged(eml("x", x_auto_response_suppress="DR")).is_quiet
    assert not judged(eml("x")).is_quiet


@pytest.mark.parametrize(
    "named", [{"list_id": "<support.example.com>"}, {"list_post": "<mailto:Support@example.com>"}]
)
def test_who_writes_to_a_list_that_is_our_own_address_is_a_person(named: dict[str, str]) -> None:
    of_the_list = {**named, "precedence": "list", "list_unsubscribe": "<mailto:x@example.com>"}
    assert judged(eml("x", **of_the_list)).reason == "no-sign-of-a-machine"
    assert judged(eml("x", **of_the_list | {"precedence": "bulk"})).reason == "precedence"
    assert judged(eml("x", **of_the_list, feedback_id="1")).reason == "bulk-mail"
