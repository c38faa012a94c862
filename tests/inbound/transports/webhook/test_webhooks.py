"""Mail and events that providers post: as their documentation shows them, through the site's own
URLs."""

import base64
import hashlib
import hmac
import importlib.util
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import DataError, OperationalError
from django.test import Client
from django.utils import timezone

import helpdesk.urls
from helpdesk.models import Event, OutboundMail, Suppression
from helpdesk.outbound import came_back, delivery
from inbound import store
from inbound.models import InboundMail
from tasks.inbound import process
from tests.support.mail import SUPPORT, eml, mailbox, receive, ticket_of

pytestmark = pytest.mark.django_db

SECRET = "providers:correct horse battery"
SIGNING_KEY = "key-3ax6xnjp29jd6fds4gc373sgvjxteol0"
# What taking it apart and putting it together again would change: line ends, folding, eight bits,
# spelling.
RAW = (
    b"Received: from mx.example.net (mx.example.net [192.0.2.7])\r\n\tby in.example.com; Sat, 21 Nov 2026 09:00:00 +0000\r\n"
    b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.net; s=key; h=from:to:subject;"
    b" bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=; b=AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk\r\n"
    b"from:  Cleo <cleo@example.net>\r\nTo: support@example.com\r\nSubject: Gr=C3=BC=C3=9Fe\r\n"
    b"Message-Id: <one@example.net>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: 8bit\r\n\r\nGr\xc3\xbc\xc3\x9fe + 100% &c; \xe2\x82\xac\r\n.\r\n \r\nend"
)
LATIN = (
    RAW.replace(b"utf-8", b"latin-1")
    .replace("Grüße".encode(), b"Gr\xfc\xdfe")
    .replace("€".encode(), b"\xa4")
)


@pytest.fixture(autouse=True)
def webhooks(settings) -> None:
    mailbox()
    set_up(settings)


def set_up(settings: Any) -> None:
    """The site's URLs as they are where ANYMAIL_WEBHOOK_SECRET is set when it starts."""
    settings.ANYMAIL_WEBHOOK_SECRET = SECRET
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 10**6 + max(settings.MAX_MAIL_BYTES, 40 * 10**6) * 3
    from tests.support import posts  # it imports this module

    settings.ANYMAIL = {
        "WEBHOOK_SECRET": SECRET,
        "MAILGUN_WEBHOOK_SIGNING_KEY": SIGNING_KEY,
        **posts.keys(),
    }
    spec = importlib.util.spec_from_file_location("urls_with_webhooks", helpdesk.urls.__file__)
    assert spec is not None
    assert spec.loader is not None
    sys.modules["urls_with_webhooks"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    settings.ROOT_URLCONF = "urls_with_webhooks"


# --- What each provider posts


@dataclass(frozen=True)
class Post:
    path: str
    body: bytes
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)

    def send(self, secret: str = SECRET) -> Any:
        headers = dict(self.headers)
        if secret:
            headers["Authorization"] = "Basic " + base64.b64encode(secret.encode()).decode()
        client = Client(raise_request_exception=False)
        return client.generic(
            "POST", f"/anymail/{self.path}/", self.body, self.content_type, headers=headers
        )


def as_json(path: str, value: Any, **headers: str) -> Post:
    return Post(
        path,
        json.dumps(value).encode(),
        headers={name.replace("_", "-"): v for name, v in headers.items()},
    )


def multipart(path: str, fields: dict[str, str | bytes], *files: tuple[str, str, bytes]) -> Post:
    parts = [
        b'--xYzZY\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n'
        % (name.encode(), value.encode() if isinstance(value, str) else value)
        for name, value in fields.items()
    ] + [
        b'--xYzZY\r\nContent-Disposition: form-data; name="%b"; filename="%b"\r\nContent-Type: text/plain\r\n\r\n%b\r\n'
        % (name.encode(), filename.encode(), data)
        for name, filename, data in files
    ]
    return Post(path, b"".join(parts) + b"--xYzZY--\r\n", "multipart/form-data; boundary=xYzZY")


SENDER = "bounces@example.net"  # of the envelope


def postmark(
    raw: bytes,
    *,
    to: str = SUPPORT,
    event: str = "22c74902-a0c1-4511-804f-341342852c90",
    sender: str = SENDER,
    **more: Any,
) -> Post:
    person = {"Email": "cleo@example.net", "Name": "Cleo", "MailboxHash": ""}
    value = {
        "FromName": "Cleo",
        "MessageStream": "inbound",
        "From": "cleo@example.net",
        "FromFull": person,
        "To": "support@example.com",
        "ToFull": [{"Email": "support@example.com", "Name": "", "MailboxHash": ""}],
        "Cc": "",
        "CcFull": [],
        "Bcc": "",
        "BccFull": [],
        "OriginalRecipient": to,
        "Subject": "Grüße",
        "MessageID": event,
        "ReplyTo": "",
        "MailboxHash": "",
        "Date": "Sat, 21 Nov 2026 09:00:00 +0000",
        "TextBody": "Grüße",
        "HtmlBody": "",
        "StrippedTextReply": "",
        "Tag": "",
        "Headers": [
            {"Name": "Return-Path", "Value": f"<{sender}>"},
            {"Name": "Message-ID", "Value": "<one@example.net>"},
        ],
        "Attachments": [],
    }
    return as_json(
        "postmark/inbound", {**value, **({"RawEmail": raw.decode()} if raw else {}), **more}
    )


def mailgun_fields(
    to: str, event: str, key: str = SIGNING_KEY, sender: str = SENDER
) -> dict[str, str]:
    signature = hmac.digest(key.encode(), f"1795251600{event}".encode(), "sha256").hex()
    return {
        "recipient": to,
        "sender": sender,
        "from": "Cleo <cleo@example.net>",
        "subject": "Grüße",
        "timestamp": "1795251600",
        "token": event,
        "signature": signature,
    }


TOKEN = "a8ce0edb2dd8301dee6c2405235584e45aa91d1e9f979f3de0"


def mailgun(
    raw: bytes,
    *,
    to: str = SUPPORT,
    event: str = TOKEN,
    key: str = SIGNING_KEY,
    sender: str = SENDER,
) -> Post:
    # To a URL that ends in "mime" Mailgun posts the mail as it came.
    form = urlencode({**mailgun_fields(to, event, key, sender), "body-mime": raw}).encode()
    return Post("mailgun/inbound_mime", form, "application/x-www-form-urlencoded")


def mailgun_multipart(
    raw: bytes, *, to: str = SUPPORT, event: str = TOKEN, sender: str = SENDER
) -> Post:
    return multipart(
        "mailgun/inbound_mime", {**mailgun_fields(to, event, sender=sender), "body-mime": raw}
    )


def ses(
    raw: bytes,
    *,
    to: str = SUPPORT,
    event: str = "d6iitobk75ur44p8kdnnp7g2n800",
    others: tuple[str, ...] = (),
    encoding: str = "UTF8",
    sender: str = SENDER,
    dmarc: str = "GRAY",
) -> Post:
    verdict = {"status": "PASS"}
    action = {
        "type": "SNS",
        "topicArn": "arn:aws:sns:us-east-1:012345678912:example-topic",
        "encoding": encoding,
    }
    return sns(
        "inbound",
        {
            "notificationType": "Received",
            "receipt": {
                "timestamp": "2026-11-21T09:00:00.000Z",
                "processingTimeMillis": 222,
                "recipients": [to, *others],
                "spamVerdict": verdict,
                "virusVerdict": verdict,
                "spfVerdict": verdict,
                "dkimVerdict": verdict,
                "dmarcVerdict": {"status": dmarc},
                "action": action,
            },
            "mail": {
                "timestamp": "2026-11-21T09:00:00.000Z",
                "source": sender,
                "messageId": event,
                "destination": [to],
                "headersTruncated": False,
                "headers": [],
                "commonHeaders": {
                    "from": ["Cleo <cleo@example.net>"],
                    "to": [to],
                    "subject": "Grüße",
                },
            },
            "content": base64.b64encode(raw).decode() if encoding == "BASE64" else raw.decode(),
        },
    )


def ses_base64(raw: bytes, **more: Any) -> Post:
    return ses(raw, encoding="BASE64", **more)


def sns(kind: str, message: dict[str, Any]) -> Post:
    notification = {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": "arn:aws:sns:us-east-1:012345678912:example-topic",
        "Message": json.dumps(message),
        "Timestamp": "2026-11-21T09:00:01.000Z",
        "SignatureVersion": "1",
        "Signature": "EXAMPLEw6JRN…",
        "SigningCertURL": "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-f3ecfb7224c7233fe7bb5f59f96de52f.pem",
    }
    post = as_json(
        f"amazon_ses/{kind}",
        notification,
        x_amz_sns_message_id=notification["MessageId"],
        x_amz_sns_message_type="Notification",
    )
    return replace(post, content_type="text/plain; charset=UTF-8")


def sendgrid(
    raw: bytes,
    *,
    to: str = SUPPORT,
    others: tuple[str, ...] = (),
    event: str = "",
    sender: str = SENDER,
) -> Post:
    """With "POST the raw, full MIME message". It has no id of the event."""
    envelope = json.dumps({"to": [to, *others], "from": sender})
    fields: dict[str, str | bytes] = {
        "dkim": "{@example.net : pass}",
        "email": raw,
        "to": "support@example.com",
        "from": "Cleo <cleo@example.net>",
        "sender_ip": "192.0.2.7",
        "spam_report": "",
        "spam_score": "0.1",
        "envelope": envelope,
        "subject": "Grüße",
        "charsets": '{"to":"UTF-8","subject":"UTF-8","from":"UTF-8"}',
        "SPF": "pass",
    }
    return multipart("sendgrid/inbound", fields)


Maker = Callable[..., Post]
ALL = [postmark, mailgun, mailgun_multipart, ses, ses_base64, sendgrid]
BYTES = [
    mailgun,
    mailgun_multipart,
    ses_base64,
    sendgrid,
]  # by these even what is not Unicode comes as it was
BY_EVENT = [postmark, mailgun, ses]


def named(maker: Maker) -> str:
    return maker.__name__


# --- Mail in


@pytest.mark.parametrize("maker", ALL, ids=named)
def test_the_bytes_that_are_stored_are_those_that_came_over_the_wire(maker: Maker) -> None:
    assert maker(RAW, to="support+x@example.com").send().status_code == 200
    row = InboundMail.objects.select_related("raw").get()
    assert row.raw is not None
    assert row.raw.content == RAW
    assert (row.transport, row.mail_from, row.rcpt_to) == (
        "webhook",
        "bounces@example.net",
        ["support+x@example.com"],
    )
    assert (row.message_id, row.size) == ("one@example.net", len(RAW))


SPF_PASS = {"method": "spf", "value": "pass", "said": {"smtp.mailfrom": "bounces@example.net"}}


@pytest.mark.parametrize(
    ("post", "results", "verdict"),
    [
        (
            lambda: ses(RAW),
            [SPF_PASS, {"method": "dmarc", "value": "none", "said": {}}],
            "authenticated",
        ),
        (
            lambda: ses(RAW, dmarc="FAIL"),
            [SPF_PASS, {"method": "dmarc", "value": "fail", "said": {}}],
            "failed",
        ),
        (
            lambda: ses(RAW, dmarc="PROCESSING_FAILED"),
            [SPF_PASS, {"method": "dmarc", "value": "temperror", "said": {}}],
            "unknown",
        ),
        (lambda: sendgrid(RAW), [SPF_PASS], "authenticated"),
        (lambda: mailgun(RAW), None, "unknown"),
        (lambda: postmark(RAW), None, "unknown"),
    ],
    ids=["ses", "ses-fail", "ses-away", "sendgrid", "mailgun", "postmark"],
)
def test_what_a_provider_found_out_about_the_sender_is_kept_and_heeded(
    post: Callable[[], Post], results: Any, verdict: str
) -> None:
    assert post().send().status_code == 200
    row = InboundMail.objects.get()
    assert row.results == results
    process(row.pk)
    row.refresh_from_db()
    assert (row.proof or {})["verdict"] == verdict


@pytest.mark.parametrize("maker", BYTES, ids=named)
def test_bytes_that_are_no_unicode_are_stored_as_they_are(maker: Maker) -> None:
    assert maker(LATIN).send().status_code == 200
    row = InboundMail.objects.select_related("raw").get()
    assert row.raw is not None
    assert row.raw.content == LATIN


def test_a_mail_that_the_provider_has_taken_apart_becomes_the_same_ticket() -> None:
    picture = {
        "Name": "notes.txt",
        "Content": base64.b64encode(b"call me").decode(),
        "ContentType": "text/plain",
        "ContentLength": 7,
    }
    headers = [
        ["From", "Cleo <cleo@example.net>"],
        ["To", SUPPORT],
        ["Subject", "Grüße"],
        ["Message-Id", "<two@x>"],
    ]
    posts = [
        postmark(b"", Attachments=[picture]),
        multipart(
            "mailgun/inbound",
            {
                **mailgun_fields(SUPPORT, TOKEN),
                "message-headers": json.dumps(headers),
                "body-plain": "Grüße",
                "attachment-count": "1",
            },
            ("attachment-1", "notes.txt", b"call me"),
        ),
        multipart(
            "sendgrid/inbound",
            {
                "headers": "From: Cleo <cleo@example.net>\nTo: support@example.com\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n"
                "Message-ID: <three@x>\n",
                "text": "Grüße".encode("latin-1"),
                "charsets": '{"text":"iso-8859-1"}',
                "envelope": json.dumps({"to": [SUPPORT], "from": "cleo@example.net"}),
                "attachments": "1",
                "attachment-info": '{"attachment1":{"filename":"notes.txt","name":"notes.txt","type":"text/plain"}}',
            },
            ("attachment1", "notes.txt", b"call me"),
        ),
    ]
    for post in posts:
        assert post.send().status_code == 200
        row = InboundMail.objects.latest("pk")
        process(row.pk)
        row.refresh_from_db()
        comment = ticket_of(row).comments.get()
        assert (ticket_of(row).subject, comment.text.strip(), str(comment.author)) == (
            "Grüße",
            "Grüße",
            "Cleo",
        )
        assert [(found.name, found.size) for found in comment.attachments.all()] == [
            ("notes.txt", 7)
        ]


@pytest.mark.parametrize("maker", ALL, ids=named)
def test_a_post_by_somebody_else_stores_nothing(maker: Maker, settings) -> None:
    assert maker(RAW).send("providers:wrong").status_code == 400
    assert maker(RAW).send("").status_code in {400, 401}
    settings.ROOT_URLCONF = "helpdesk.urls"  # without a secret there is nothing to post to
    assert maker(RAW).send().status_code == 404
    assert not InboundMail.objects.exists()


def test_a_signature_that_does_not_fit_stores_nothing() -> None:
    assert mailgun(RAW, key="key-of-somebody-else").send().status_code == 400
    assert (
        replace(ses(RAW), headers={"X-Amz-Sns-Message-Type": "Notification"}).send().status_code
        == 400
    )
    assert not InboundMail.objects.exists()


@pytest.mark.parametrize("maker", BY_EVENT, ids=named)
def test_an_event_that_is_posted_again_is_the_same_mail(maker: Maker) -> None:
    for _ in range(2):
        assert maker(RAW).send().status_code == 200
    assert InboundMail.objects.count() == 1
    assert maker(RAW.replace(b"<one@", b"<two@"), event="f" * 50).send().status_code == 200
    assert InboundMail.objects.count() == 2


@pytest.mark.parametrize("maker", [mailgun, mailgun_multipart], ids=named)
def test_who_has_heard_a_signature_cannot_put_another_mail_under_it(maker: Maker) -> None:
    """Mailgun signs a token and not the mail."""
    assert maker(RAW).send().status_code == 200
    row = InboundMail.objects.get()
    assert maker(RAW.replace(b"Cleo", b"Mallory")).send().status_code == 200
    assert InboundMail.objects.get() == row


def test_a_mail_that_two_receipt_rules_of_amazon_ses_post_arrives_at_both_mailboxes() -> None:
    mailbox("sales@example.com")
    for to in (SUPPORT, "sales@example.com", SUPPORT, "sales@example.com"):
        assert ses(RAW, to=to).send().status_code == 200
    assert list(InboundMail.objects.order_by("pk").values_list("mailbox__address", flat=True)) == [
        SUPPORT,
        "sales@example.com",
    ]


def test_a_mail_that_a_provider_without_events_posts_again_is_one_ticket() -> None:
    for _ in range(2):
        assert sendgrid(RAW).send().status_code == 200
    for row in InboundMail.objects.order_by("pk"):
        process(row.pk)
    assert list(InboundMail.objects.order_by("pk").values_list("reason", flat=True)) == [
        "open",
        "duplicate",
    ]


@pytest.mark.parametrize("error", [DataError("invalid byte sequence"), ValueError("embedded null")])
def test_a_mail_that_cannot_be_stored_is_posted_again_and_holds_up_no_other_of_its_post(
    monkeypatch, error
) -> None:
    real = store.accept

    def picky(raw: bytes, *args: Any, **fields: Any) -> list[int]:
        if b"bad@example.net" in raw:
            raise error
        return real(raw, *args, **fields)

    relayed = [
        {
            "msys": {
                "relay_message": {
                    "content": {
                        "email_rfc822": RAW.replace(b"one@", name + b"@").decode(),
                        "email_rfc822_is_base64": False,
                    },
                    "friendly_from": "cleo@example.net",
                    "msg_from": "bounces@example.net",
                    "rcpt_to": SUPPORT,
                    "webhook_id": "4839201967643219",
                    "protocol": "smtp",
                }
            }
        }
        for name in (b"a", b"bad", b"c")
    ]
    with monkeypatch.context() as patched:
        patched.setattr(store, "accept", picky)
        answer = as_json("sparkpost/inbound", relayed).send()
        assert (answer.status_code, answer["Retry-After"]) == (503, "30")
        assert sorted(InboundMail.objects.values_list("message_id", flat=True)) == [
            "a@example.net",
            "c@example.net",
        ]
        assert postmark(RAW).send().status_code == 200
    assert as_json("sparkpost/inbound", relayed).send().status_code == 200
    assert InboundMail.objects.filter(message_id="bad@example.net").count() == 1


@pytest.mark.parametrize("maker", ALL, ids=named)
def test_a_fault_of_ours_is_503_and_the_next_attempt_is_stored(maker: Maker, monkeypatch) -> None:
    def broken(*args: Any, **fields: Any) -> list[int]:
        raise OperationalError("the database is away")

    with monkeypatch.context() as patched:
        patched.setattr(store, "accept", broken)
        answer = maker(RAW).send()
    assert (answer.status_code, answer["Retry-After"]) == (503, "30")
    assert b"database" not in answer.content
    assert not InboundMail.objects.exists()
    assert maker(RAW).send().status_code == 200
    assert InboundMail.objects.count() == 1


@pytest.mark.parametrize("maker", ALL, ids=named)
def test_mail_to_an_address_that_we_do_not_know_is_not_thrown_away(maker: Maker) -> None:
    assert maker(RAW, to="nobody@example.com").send().status_code == 200
    assert str(InboundMail.objects.select_related("mailbox").get().mailbox) == SUPPORT


@pytest.mark.parametrize("maker", [ses, sendgrid], ids=named)
def test_a_mail_to_several_of_our_mailboxes_arrives_at_each_of_them(maker: Maker) -> None:
    mailbox("sales@example.com")
    assert (
        maker(RAW, to="nobody@example.com", others=(SUPPORT, "sales+x@example.com"))
        .send()
        .status_code
        == 200
    )
    rows = InboundMail.objects.order_by("mailbox__address")
    assert list(rows.values_list("mailbox__address", "rcpt_to")) == [
        ("sales@example.com", ["sales+x@example.com"]),
        (SUPPORT, [SUPPORT]),
    ]


@pytest.mark.parametrize("maker", [postmark, mailgun, mailgun_multipart, sendgrid], ids=named)
def test_a_mail_with_a_large_attachment_is_taken(maker: Maker, settings) -> None:
    raw = RAW + b"\r\n" + b"x" * 75 * 100_000
    assert len(raw) < settings.MAX_MAIL_BYTES
    assert maker(raw).send().status_code == 200
    assert InboundMail.objects.get().size == len(raw)


# --- What became of mail that we sent


def mailgun_event(event: str, **data: Any) -> Post:
    token = hashlib.sha256(repr((event, data)).encode()).hexdigest()[:50]
    signature = {
        name: mailgun_fields("", token)[name] for name in ("timestamp", "token", "signature")
    }
    more = {
        "event": event,
        "timestamp": 1795251600.1,
        "id": "G9Bn5sl1TC6nu79C8C0bwg",
        "recipient": "cleo@example.net",
        "message": {
            "headers": {
                "to": "Cleo <cleo@example.net>",
                "message-id": "sent-1@provider",
                "from": SUPPORT,
                "subject": "Re: Help",
            },
            "attachments": [],
            "size": 111,
        },
        "tags": [],
        "log-level": "error",
    }
    return as_json("mailgun/tracking", {"signature": signature, "event-data": {**more, **data}})


def postmark_event(kind: str, **data: Any) -> Post:
    more = {
        "RecordType": kind,
        "MessageStream": "outbound",
        "MessageID": "sent-1@provider",
        "Metadata": {},
        "Tag": "",
        "ServerID": 23,
    }
    return as_json("postmark/tracking", {**more, **data})


def ses_event(kind: str, **data: Any) -> Post:
    mail = {
        "timestamp": "2026-11-21T09:00:00.000Z",
        "messageId": "sent-1@provider",
        "source": SUPPORT,
        "destination": ["cleo@example.net"],
        "headersTruncated": False,
        "headers": [],
    }
    return sns("tracking", {"eventType": kind, "mail": mail, kind.lower(): data})


def sendgrid_event(kind: str, **data: Any) -> Post:
    more = {
        "email": "cleo@example.net",
        "timestamp": 1795251600,
        "smtp-id": "<14c5d75ce93.dfd.64b469@ismtpd-555>",
        "event": kind,
        "sg_event_id": "ZGVsaXZlcmVkLTA",
        "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001",
        "anymail_id": "sent-1@provider",
    }
    return as_json("sendgrid/tracking", [{**more, **data}])


def ses_bounce(kind: str, sub: str, status: str, words: str) -> Post:
    bounced = [
        {
            "emailAddress": "cleo@example.net",
            "action": "failed",
            "status": status,
            "diagnosticCode": words,
        }
    ]
    return ses_event(
        "Bounce",
        bounceType=kind,
        bounceSubType=sub,
        bouncedRecipients=bounced,
        feedbackId="0100-x",
        timestamp="2026-11-21T09:00:00.000Z",
        reportingMTA="dsn; a8-50.smtp-out.amazonses.com",
    )


def postmark_bounce(kind: str, code: int, words: str) -> Post:
    return postmark_event(
        "Bounce",
        ID=4323372036854775807,
        Type=kind,
        TypeCode=code,
        Name=kind,
        Description=words,
        Details=words,
        Email="cleo@example.net",
        BouncedAt="2026-11-21T09:00:00Z",
        Inactive=True,
    )


UNKNOWN = "smtp; 550 5.1.1 user unknown"
EVENTS = {
    "delivered": {
        "postmark": postmark_event(
            "Delivery",
            Recipient="cleo@example.net",
            DeliveredAt="2026-11-21T09:00:00Z",
            Details="ok",
        ),
        "mailgun": mailgun_event(
            "delivered", **{"delivery-status": {"code": 250, "message": "OK"}}
        ),
        "ses": ses_event(
            "Delivery",
            recipients=["cleo@example.net"],
            smtpResponse="250 ok",
            processingTimeMillis=546,
        ),
        "sendgrid": sendgrid_event("delivered", response="250 OK"),
    },
    "hard": {
        "postmark": postmark_bounce("HardBounce", 1, UNKNOWN),
        "mailgun": mailgun_event(
            "failed",
            severity="permanent",
            reason="bounce",
            **{"delivery-status": {"code": 550, "message": UNKNOWN, "attempt-no": 1}},
        ),
        "ses": ses_bounce("Permanent", "General", "5.1.1", UNKNOWN),
        "sendgrid": sendgrid_event(
            "bounce",
            type="bounce",
            status="5.1.1",
            reason=UNKNOWN,
            bounce_classification="Invalid Address",
        ),
    },
    "soft": {
        "postmark": postmark_bounce("SoftBounce", 4096, "smtp; 552 5.2.2 mailbox full"),
        "mailgun": mailgun_event(
            "failed",
            severity="permanent",
            reason="old",
            **{"delivery-status": {"code": 602, "message": "Too old", "attempt-no": 9}},
        ),
        "ses": ses_bounce("Transient", "MailboxFull", "5.2.2", "smtp; 552 5.2.2 mailbox full"),
        "sendgrid": sendgrid_event(
            "bounce", type="blocked", status="5.7.1", reason="554 5.7.1 blocked by policy"
        ),
    },
    "complained": {
        "postmark": postmark_event(
            "SpamComplaint",
            ID=42,
            Type="SpamComplaint",
            TypeCode=100001,
            Email="cleo@example.net",
            BouncedAt="2026-11-21T09:00:00Z",
        ),
        "mailgun": mailgun_event("complained"),
        "ses": ses_event(
            "Complaint",
            complainedRecipients=[{"emailAddress": "cleo@example.net"}],
            complaintFeedbackType="abuse",
            userAgent="ExampleCorp Feedback Loop (V0.01)",
            feedbackId="x",
        ),
        "sendgrid": sendgrid_event("spamreport"),
    },
    "opened": {
        "postmark": postmark_event(
            "Open", Recipient="cleo@example.net", FirstOpen=True, ReceivedAt="2026-11-21T09:00:00Z"
        ),
        "mailgun": mailgun_event("opened", ip="192.0.2.9"),
        "ses": ses_event(
            "Open",
            ipAddress="192.0.2.9",
            userAgent="Mozilla/5.0",
            timestamp="2026-11-21T09:00:00.000Z",
        ),
        "sendgrid": sendgrid_event("open", useragent="Mozilla/5.0", ip="192.0.2.9"),
    },
}
PROVIDERS = ["postmark", "mailgun", "ses", "sendgrid"]
by_all = pytest.mark.parametrize("provider", PROVIDERS)


@pytest.fixture
def sent() -> OutboundMail:
    """An acknowledgement that a provider has taken."""
    receive(eml("Help", message_id="first@example.net"))
    mail = OutboundMail.objects.get()
    OutboundMail.objects.update(**delivery.sent(mail, "sent-1@provider"))
    mail.refresh_from_db()
    return mail


def after(post: Post, mail: OutboundMail) -> OutboundMail:
    assert post.send().status_code == 200
    mail.refresh_from_db()
    return mail


@by_all
def test_what_was_delivered_after_all_has_no_error_any_more(
    provider: str, sent: OutboundMail
) -> None:
    OutboundMail.objects.update(error="deferred for a while")
    mail = after(EVENTS["delivered"][provider], sent)
    assert (mail.state, mail.error) == ("sent", "")


@by_all
def test_an_address_that_does_not_exist_bounces_and_gets_no_more_mail(
    provider: str, sent: OutboundMail
) -> None:
    mail = after(EVENTS["hard"][provider], sent)
    assert mail.state == "bounced"
    assert mail.bounced_at is not None
    assert "550 5.1.1 user unknown" in mail.error
    assert Suppression.objects.get().address == "cleo@example.net"
    after(EVENTS["hard"][provider], sent)  # posted again: told once
    assert Event.objects.filter(kind="mail-bounced").count() == 1


@by_all
def test_a_mail_that_did_not_arrive_this_time_says_nothing_about_the_address(
    provider: str, sent: OutboundMail
) -> None:
    assert after(EVENTS["soft"][provider], sent).state == "bounced"
    assert not Suppression.objects.exists()


@by_all
def test_who_complains_gets_no_more_mail(provider: str, sent: OutboundMail) -> None:
    after(EVENTS["complained"][provider], sent)
    assert Suppression.objects.values_list("address", "reason").get() == (
        "cleo@example.net",
        "complaint",
    )


@by_all
def test_that_a_mail_was_opened_is_kept_only_where_that_is_wanted(
    provider: str, sent: OutboundMail, settings
) -> None:
    assert after(EVENTS["opened"][provider], sent).opened_at is None
    settings.TRACK_OPENS = True
    first = after(EVENTS["opened"][provider], sent).opened_at
    assert first is not None
    assert first <= timezone.now()
    assert after(EVENTS["opened"][provider], sent).opened_at == first


@by_all
def test_an_event_about_somebody_elses_mail_changes_nothing(
    provider: str, sent: OutboundMail
) -> None:
    OutboundMail.objects.update(to_address="dan@example.net")
    assert after(EVENTS["hard"][provider], sent).state == "sent"
    OutboundMail.objects.update(to_address="cleo@example.net", provider_message_id="another")
    assert after(EVENTS["hard"][provider], sent).state == "sent"
    assert EVENTS["hard"][provider].send("").status_code in {400, 401}
    assert not Suppression.objects.exists()


@by_all
def test_an_event_that_cannot_be_written_is_posted_again(
    provider: str, sent: OutboundMail, monkeypatch
) -> None:
    def broken(*args: Any, **fields: Any) -> None:
        raise OperationalError("the database is away")

    with monkeypatch.context() as patched:
        patched.setattr(came_back, "provider_event", broken)
        assert EVENTS["hard"][provider].send().status_code == 503
    assert after(EVENTS["hard"][provider], sent).state == "bounced"
