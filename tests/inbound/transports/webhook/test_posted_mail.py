"""Mail that each provider posts, as its documentation shows it, through the site's own URLs; and
what is no mail."""

import base64
import json
import logging
import re
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import BoundedSemaphore, Thread
from typing import Any
from urllib.parse import parse_qs

import pytest
import requests
from anymail.urls import urlpatterns
from django.db import OperationalError
from django.test import Client

from helpdesk.models import Person
from inbound import queue, store
from inbound.models import InboundMail
from inbound.transports.webhook import arrivals, guarded, setup
from inbound.transports.webhook.provider_api import api as api_of_providers
from tasks.inbound import process
from tests.inbound.transports.webhook.test_webhooks import (
    LATIN,
    RAW,
    SECRET,
    TOKEN,
    Post,
    as_json,
    mailgun,
    mailgun_fields,
    multipart,
    postmark,
    sendgrid,
    ses,
    ses_base64,
    set_up,
    sns,
)
from tests.support import posts
from tests.support.mail import SUPPORT, mailbox, ticket_of

pytestmark = pytest.mark.django_db
BINARY = bytes(range(256)) * 40 + b"\r\n\n\r--mid\r\n"
PLAIN = RAW.replace(b"support@", b"Support@")


@pytest.fixture(autouse=True)
def webhooks(settings: Any) -> None:
    mailbox()
    set_up(settings)


class Api:
    """What stands for a provider's API: answers by path, and what it was asked."""

    def __init__(self, answers: dict[str, tuple[int, str, bytes]]) -> None:
        self.asked: list[tuple[str, dict[str, str], bytes]] = []
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                api.asked.append((self.path, dict(self.headers.items()), body))
                status, kind, found = answers.get(self.path, (404, "text/plain", b"no"))
                found = found.replace(b"HERE", api.url.encode())
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(found)))
                self.end_headers()
                self.wfile.write(found)

            do_POST = do_GET

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def api(settings: Any) -> Iterator[Callable[[dict[str, tuple[int, str, bytes]]], Api]]:
    made: list[Api] = []

    def make(answers: dict[str, tuple[int, str, bytes]]) -> Api:
        made.append(Api(answers))
        url = made[-1].url + "/"
        settings.ANYMAIL = {
            **settings.ANYMAIL,
            **{f"{name}_API_URL": url for name in ("RESEND", "BREVO", "MAILTRAP")},
        }
        return made[-1]

    yield make
    for one in made:
        one.server.shutdown()
        one.server.server_close()


def stored() -> InboundMail:
    row = InboundMail.objects.select_related("raw").get()
    assert row.raw is not None
    return row


def files(row: InboundMail) -> dict[str, bytes]:
    process(row.pk)
    row.refresh_from_db()
    return {
        found.name: found.file.read() for found in ticket_of(row).comments.get().attachments.all()
    }


# --- Each provider's


RAW_MAKERS: dict[str, tuple[Callable[[], Post], str | None]] = {
    "mailersend": (lambda: posts.mailersend_mail(RAW), "bounces@example.net"),
    "mandrill": (lambda: posts.mandrill_mail(RAW), None),
    "postal": (lambda: posts.postal_mail(RAW), "bounces@example.net"),
    "postal-plain": (lambda: posts.postal_mail(RAW, is_base64=False), "bounces@example.net"),
    "sparkpost": (lambda: posts.sparkpost_mail(RAW), "bounces@example.net"),
    "sparkpost-base64": (lambda: posts.sparkpost_mail(RAW, is_base64=True), "bounces@example.net"),
}


@pytest.mark.parametrize("name", RAW_MAKERS)
def test_the_bytes_that_are_stored_are_those_that_came_over_the_wire(name: str) -> None:
    make, sender = RAW_MAKERS[name]
    answer = make().send()
    assert answer.status_code == 200, answer.content
    row = stored()
    assert (row.raw.content, row.mail_from, row.rcpt_to) == (RAW, sender, [SUPPORT])  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "post",
    [lambda: posts.postal_mail(LATIN), lambda: posts.sparkpost_mail(LATIN, is_base64=True)],
    ids=["postal", "sparkpost"],
)
def test_bytes_that_are_no_unicode_come_as_they_are_in_base64(post: Callable[[], Post]) -> None:
    assert post().send().status_code == 200
    assert stored().raw.content == LATIN  # type: ignore[union-attr]


def test_a_post_to_several_of_our_mailboxes_arrives_at_each() -> None:
    mailbox("sales@example.com")
    assert posts.mailersend_mail(RAW, (SUPPORT, "sales@example.com")).send().status_code == 200
    assert sorted(InboundMail.objects.values_list("rcpt_to", flat=True)) == [
        ["sales@example.com"],
        [SUPPORT],
    ]


def test_a_post_of_several_mails_is_several(settings: Any) -> None:
    assert posts.mandrill_mail(RAW, RAW.replace(b"<one@", b"<two@")).send().status_code == 200
    assert InboundMail.objects.count() == 2


def test_another_mail_under_a_number_that_postal_gives_out_again_is_no_repeat() -> None:
    other = RAW.replace(b"<one@", b"<two@")
    for raw in (RAW, other, RAW, other):
        assert posts.postal_mail(raw).send().status_code == 200
    assert [row.message_id for row in InboundMail.objects.order_by("pk")] == [
        "one@example.net",
        "two@example.net",
    ]


COMPOSED: dict[str, Callable[[], Post]] = {
    "postmark": lambda: postmark(
        b"",
        TextBody="Hello",
        Attachments=[
            {"Name": "a.txt", "Content": "SGVsbG8=", "ContentType": "text/plain", "ContentID": ""}
        ],
    ),
    "mailgun": lambda: multipart(
        "mailgun/inbound",
        {
            **mailgun_fields(SUPPORT, TOKEN),
            "body-plain": "Hello",
            "message-headers": '[["Message-Id", "<one@example.net>"]]',
        },
    ),
    "brevo": lambda: posts.brevo_mail([]),
    "mailjet": lambda: posts.mailjet_mail({"Attachment1": ("text/plain", "a.txt", b"Hello")}),
}


@pytest.mark.parametrize("name", COMPOSED)
def test_a_mail_that_is_put_together_of_the_same_post_has_the_same_bytes(name: str) -> None:
    assert COMPOSED[name]().send().status_code == 200
    first = stored()
    assert (
        COMPOSED[name]().send().status_code == 200
    )  # it is no other, whether by its key or by its bytes
    assert {row.sha256 for row in InboundMail.objects.all()} == {first.sha256}
    InboundMail.objects.all().delete()
    assert COMPOSED[name]().send().status_code == 200
    assert stored().raw.content == first.raw.content  # type: ignore[union-attr]


def test_resend_names_a_mail_and_its_bytes_are_fetched(api: Any) -> None:
    there = api(
        {
            "/emails/receiving/56761188-7520-42d8-8898-ff6fc54ce618": (
                200,
                "application/json",
                b'{"raw": {"download_url": "HERE/raw?sig=x"}}',
            ),
            "/raw?sig=x": (200, "message/rfc822", LATIN),
        }
    )
    answer = posts.resend_mail().send()
    assert answer.status_code == 200, answer.content
    row = stored()
    assert (row.raw.content, row.mail_from, row.rcpt_to) == (LATIN, None, [SUPPORT])  # type: ignore[union-attr]
    assert there.asked[0][1]["Authorization"] == f"Bearer {posts.KEY}"
    assert posts.resend_mail().send().status_code == 200  # posted again: the same mail
    assert InboundMail.objects.count() == 1


def test_resend_without_raw_mail_is_put_together(api: Any) -> None:
    said = {
        "from": "Cleo <cleo@example.net>",
        "to": [SUPPORT],
        "subject": "Folded\r\n subject",
        "text": "Hello",
        "html": None,
        "headers": {"Received": ["by a", "by b"]},
        "message_id": "<one@example.net>",
        "reply_to": ["cleo@example.net"],
        "attachments": [
            {"filename": "a.bin", "content_type": "application/x-a", "download_url": "HERE/a"}
        ],
    }
    api(
        {
            "/emails/receiving/56761188-7520-42d8-8898-ff6fc54ce618": (
                200,
                "application/json",
                json.dumps(said).encode(),
            ),
            "/a": (200, "application/x-a", BINARY),
        }
    )
    assert posts.resend_mail().send().status_code == 200
    assert files(stored()) == {"a.bin": BINARY}
    assert str(ticket_of(InboundMail.objects.get()).subject) == "Folded subject"


def test_mailtrap_names_a_mail_and_its_bytes_are_fetched(api: Any) -> None:
    api(
        {
            "/inbound/inboxes/7/messages/m1": (
                200,
                "application/json",
                b'{"id": "m1", "raw_message_url": "HERE/raw"}',
            ),
            "/raw": (200, "message/rfc822", LATIN),
        }
    )
    assert posts.mailtrap_mail().send().status_code == 200
    assert stored().raw.content == LATIN  # type: ignore[union-attr]


def test_mailtraps_try_out_is_no_mail() -> None:
    event = {
        "event": "inbound_message_received",
        "event_id": "e",
        "timestamp": 1,
        "inbox_id": 1,
        "message_id": "m",
    }
    assert (
        posts.hexed("mailtrap/inbound", {"events": [event]}, "Mailtrap-Signature")
        .send()
        .status_code
        == 200
    )
    assert not InboundMail.objects.exists()


def test_the_files_of_a_mail_at_brevo_are_fetched(api: Any) -> None:
    there = api({"/inbound/attachments/t1": (200, "image/png", BINARY)})
    file = {
        "Name": "a.png",
        "ContentType": "image/png",
        "ContentLength": 9,
        "ContentID": None,
        "DownloadToken": "t1",
    }
    answer = posts.brevo_mail([file]).send()
    assert answer.status_code == 200, answer.content
    row = stored()
    assert (row.mail_from, row.rcpt_to, row.subject) == ("bounces@example.net", [SUPPORT], "Grüße")
    assert files(row) == {"a.png": BINARY}
    assert there.asked[0][1]["api-key"] == posts.KEY


@pytest.mark.parametrize("status", [401, 404, 500])
def test_a_file_that_a_provider_does_not_hand_out_is_asked_for_again(
    api: Any, status: int, caplog: Any
) -> None:
    api({"/inbound/attachments/secret-token": (status, "text/plain", b"no")})
    file = {
        "Name": "a.png",
        "ContentType": "image/png",
        "ContentID": None,
        "DownloadToken": "secret-token",
    }
    assert posts.brevo_mail([file]).send().status_code == 503
    assert f"HTTPError: 127.0.0.1: {status}" in caplog.text
    assert "secret-token" not in caplog.text
    assert not InboundMail.objects.exists()


def test_a_mail_at_mailjet_has_its_files_byte_for_byte() -> None:
    attached = b"From: a@example.com\r\nSubject: x\r\n\r\n\xff\xfe"
    post = posts.mailjet_mail(
        {
            "Attachment1": ("image/png", "a.png", BINARY),
            "Attachment2": ("message/rfc822", "b.eml", attached),
        }
    )
    assert post.send().status_code == 200
    row = stored()
    assert (row.mail_from, row.rcpt_to, row.message_id) == (
        "bounces@example.net",
        [SUPPORT],
        "one@example.net",
    )
    assert files(row) == {"a.png": BINARY, "b.eml": attached}


SUBSCRIBE = {
    "Type": "SubscriptionConfirmation",
    "MessageId": "165545c9-2a5c-472c-8df2-7ff2be2b3b1b",
    "Token": "2336412f37fb687f5d51e6",
    "TopicArn": "arn:aws:sns:us-west-2:123456789012:MyTopic",
    "Message": "You have chosen to subscribe to the topic …",
    "SubscribeURL": "https://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription&Token=2336412f37fb687f5d51e6",
    "Timestamp": "2026-11-21T09:00:00.000Z",
    "SignatureVersion": "1",
    "Signature": "EXAMPLE",
}
CONFIRMED = b"""<ConfirmSubscriptionResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><ConfirmSubscriptionResult>
<SubscriptionArn>arn:aws:sns:us-west-2:123456789012:MyTopic:2bcfbf39</SubscriptionArn></ConfirmSubscriptionResult>
</ConfirmSubscriptionResponse>"""


def subscribe(kind: str = "inbound", **more: str) -> Post:
    said = {**SUBSCRIBE, **more}
    return as_json(
        f"amazon_ses/{kind}",
        said,
        x_amz_sns_message_id=said["MessageId"],
        x_amz_sns_message_type=said["Type"],
    )


def aws_at(settings: Any, url: str) -> None:
    reach = {
        "aws_access_key_id": "a",
        "aws_secret_access_key": "s",
        "region_name": "us-east-1",
        "endpoint_url": url,
    }
    settings.ANYMAIL = {**settings.ANYMAIL, "AMAZON_SES_CLIENT_PARAMS": reach}


def test_a_subscription_of_amazon_sns_is_confirmed_with_the_credentials_of_aws(
    api: Any, settings: Any
) -> None:
    aws = api({"/": (200, "text/xml", CONFIRMED)})
    aws_at(settings, aws.url)
    asked = subscribe().send("")  # SNS sends user and password when it is asked for them
    assert (asked.status_code, asked["WWW-Authenticate"][:5]) == (401, "Basic")
    assert subscribe().send().status_code == 200
    form = parse_qs(aws.asked[0][2].decode())
    assert (form["Action"], form["Token"], form["TopicArn"]) == (
        ["ConfirmSubscription"],
        [SUBSCRIBE["Token"]],
        [SUBSCRIBE["TopicArn"]],
    )
    aws.server.shutdown()
    aws.server.server_close()
    assert subscribe().send().status_code == 503  # AWS is away: SNS posts again


def test_without_credentials_a_subscription_is_confirmed_as_its_link_would(
    monkeypatch: Any, caplog: Any
) -> None:
    asked: list[tuple[str, Any]] = []
    answers = [200, 200, 403]

    def get(url: str, **more: Any) -> requests.Response:
        asked.append((url, more["params"]))
        found = requests.Response()
        found.status_code, found.url = answers.pop(0), f"{url}?Token={more['params']['Token']}"
        return found

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setattr(api_of_providers, "get", get)
    assert subscribe("tracking").send().status_code == 200
    assert subscribe(TopicArn="arn:aws-cn:sns:cn-north-1:1:T").send().status_code == 200
    assert [url for url, _ in asked] == [
        "https://sns.us-west-2.amazonaws.com/",
        "https://sns.cn-north-1.amazonaws.com.cn/",
    ]
    assert asked[0][1]["Token"] == SUBSCRIBE["Token"]
    assert subscribe().send().status_code == 503
    assert SUBSCRIBE["Token"] not in caplog.text
    assert subscribe(TopicArn="arn:aws:sns:evil.example.com/:1:T").send().status_code == 400
    assert len(asked) == 3


def test_a_mail_that_ses_has_put_into_s3_is_fetched_as_it_is(api: Any, settings: Any) -> None:
    aws = api({"/mails/key-1": (200, "binary/octet-stream", LATIN)})
    aws_at(settings, aws.url)
    message = {
        "notificationType": "Received",
        "receipt": {
            "recipients": [SUPPORT],
            "action": {"type": "S3", "bucketName": "mails", "objectKey": "key-1"},
        },
        "mail": {
            "timestamp": "2026-11-21T09:00:00.000Z",
            "source": "bounces@example.net",
            "messageId": "m",
            "destination": [SUPPORT],
        },
    }
    answer = sns("inbound", message).send()
    assert answer.status_code == 200, answer.content
    assert stored().raw.content == LATIN  # type: ignore[union-attr]


# --- As odd as mail is


def test_a_hundred_and_twenty_files_are_read(settings: Any) -> None:
    headers = [
        ["From", "Cleo <cleo@example.net>"],
        ["To", SUPPORT],
        ["Subject", "Pictures"],
        ["Message-Id", "<two@x>"],
    ]
    fields: dict[str, str | bytes] = {
        **mailgun_fields(SUPPORT, TOKEN),
        "message-headers": json.dumps(headers),
        "body-plain": "Here",
        "attachment-count": "120",
    }
    many = [(f"attachment-{n}", f"{n}.txt", b"file %d" % n) for n in range(1, 120)]
    nameless = ("attachment-120", "", BINARY[:300])
    assert multipart("mailgun/inbound", fields, *many, nameless).send().status_code == 200
    found = files(stored())
    assert len(found) == 120
    assert (found["7.txt"], found["attachment-120"]) == (b"file 7", BINARY[:300])


def test_a_form_of_thousands_of_fields_is_read() -> None:
    fields: dict[str, str | bytes] = {
        **mailgun_fields(SUPPORT, TOKEN),
        "body-mime": RAW,
        **{f"f{n}": "x" for n in range(3000)},
    }
    assert multipart("mailgun/inbound_mime", fields).send().status_code == 200
    assert stored().raw.content == RAW  # type: ignore[union-attr]


FOLDED = "Grüße an\r\n\tdas\r\n Team"


@pytest.mark.parametrize(
    "post",
    [
        lambda: postmark(
            b"",
            Subject=FOLDED,
            TextBody="Hello",
            FromFull={"Email": "cleo@example.net", "Name": "Cleo\r\n Smith"},
            Headers=[
                {"Name": "References", "Value": "<a@b>\r\n <c@d>"},
                {"Name": "Message-ID", "Value": "<one@example.net>"},
            ],
        ),
        lambda: posts.mailjet_mail(Subject=FOLDED, References=["<a@b>\r\n <c@d>"]),
        lambda: posts.brevo_mail([], Subject=FOLDED, References="<a@b>\n <c@d>"),
        lambda: multipart(
            "mailgun/inbound",
            {
                **mailgun_fields(SUPPORT, TOKEN),
                "body-plain": "Hello",
                "message-headers": json.dumps(
                    [
                        ["From", "Cleo <cleo@example.net>"],
                        ["Subject", FOLDED],
                        ["References", "<a@b>\r\n <c@d>"],
                        ["Message-Id", "<one@example.net>"],
                    ]
                ),
            },
        ),
    ],
    ids=["postmark", "mailjet", "brevo", "mailgun"],
)
def test_a_folded_value_is_unfolded(post: Callable[[], Post]) -> None:
    answer = post().send()
    assert answer.status_code == 200, answer.content
    row = stored()
    assert (row.subject, row.message_id, row.from_address) == (
        "Grüße an das Team",
        "one@example.net",
        "cleo@example.net",
    )
    assert b"References: <a@b> <c@d>\r\n" in row.raw.content  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "head",
    [
        {"Subject": ["one", "two"]},
        {"From": ['"a\r\nBcc: x@example.com" <cleo@example.net>', "dan@example.net"]},
        {"From": "no address at all <"},
        {"Grüße: x\r\nX": "y"},
        {"X-Long": "word " * 40_000},
        {"X-Half": "\ud83d"},
    ],
    ids=["twice", "two-from", "no-address", "odd-name", "long", "half"],
)
def test_an_odd_header_stops_no_mail(head: dict[str, Any]) -> None:
    assert posts.mailjet_mail(**head).send().status_code == 200
    assert b"\r\nBcc:" not in stored().raw.content  # type: ignore[union-attr]


def test_a_postmark_sender_without_an_address_stops_no_mail() -> None:
    assert postmark(b"", FromFull={"Email": "cleo", "Name": 'C "x"'}).send().status_code == 200
    assert b'From: "C \\"x\\"" <cleo>\r\n' in stored().raw.content  # type: ignore[union-attr]


def test_half_of_a_letter_in_a_raw_mail_stops_no_mail() -> None:
    assert postmark(RAW, RawEmail=RAW.decode() + "\ud83d").send().status_code == 200
    assert stored().raw.content == RAW + b"?"  # type: ignore[union-attr]


# --- What is no mail


URLS = [
    "mandrill"
    if "mandrill" in route.name
    else re.sub(r"[\^$]|\(_mime\)\?", "", str(route.pattern)).strip("/")
    for route in urlpatterns
]
NOTHING: dict[str, bytes] = {
    "object": b"{}",
    "list": b"[]",
    "text": b'""',
    "number": b"5",
    "null": b"null",
    "true": b"true",
    "nothing": b"",
    "letters": b'"abc"',
    "no-json": b"{",
    "no-utf8": b'{"a": "\xff"}',
    "bare-utf16": b"\xff\xfe{\x00}\x00",
    "nested": b"[" * 100_000,
    "deep": b'{"a":' * 50_000,
    "list-of-null": b"[null]",
    "list-of-lists": b"[[[]]]",
    "list-of-empty": b"[{}]",
}


def signed(path: str, body: bytes) -> Post:
    """As the provider would sign it, so that what is wrong is what is in it."""
    provider = path.partition("/")[0]
    if provider in {"mailersend", "mailtrap"}:
        made = posts.hexed(
            path, {}, "Signature" if provider == "mailersend" else "Mailtrap-Signature"
        )
        value = __import__("hmac").digest(posts.KEY.encode(), body, "sha256").hex()
        return Post(path, body, headers=dict.fromkeys(made.headers, value))
    if provider == "postal":
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        signature = posts.postal_key().sign(body, padding.PKCS1v15(), hashes.SHA1())  # noqa: S303
        return Post(
            path, body, headers={"X-Postal-Signature": base64.b64encode(signature).decode()}
        )
    return Post(path, body)


@pytest.mark.parametrize("path", URLS)
def test_what_no_provider_posts_is_answered_with_400_in_words_and_leaves_nothing(
    path: str, caplog: Any
) -> None:
    for name, body in NOTHING.items():
        for post in (signed(path, body), Post(path, body, "application/x-www-form-urlencoded")):
            answer = post.send()
            assert answer.status_code == 400, (path, name, answer.status_code, answer.content)
            assert len(answer.content.split()) > 3, answer.content
            assert answer["Content-Type"].startswith("text/plain")
    assert not InboundMail.objects.exists()
    assert "Traceback" not in caplog.text


WRONG: list[Any] = [None, 5, "x", "", [], {}, [5], {"a": 5}, True, -1.5, [[]], "a\0b", "\ud83d"]


def paths(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else []
    )
    for key, inner in items:
        yield (*at, key)
        yield from paths(inner, (*at, key))


def changed(value: Any, at: tuple[Any, ...], to: Any) -> Any:
    copy = json.loads(json.dumps(value))
    inner = copy
    for key in at[:-1]:
        inner = inner[key]
    if to is ...:
        del inner[at[-1]]
    else:
        inner[at[-1]] = to
    return copy


@pytest.mark.parametrize(
    "post",
    [
        lambda: postmark(b""),
        lambda: posts.mailjet_mail({"Attachment1": ("a/b", "a", b"x")}),
        lambda: posts.brevo_mail([]),
        lambda: posts.sparkpost_mail(RAW),
        lambda: posts.DEAD["Postmark"]["hard"](),
        lambda: posts.DEAD["Brevo"]["hard"](),
        lambda: posts.DEAD["SendGrid"]["hard"](),
        lambda: posts.DEAD["SparkPost"]["invalid"](),
        lambda: posts.DEAD["Mailjet"]["hard"](),
    ],
    ids=[
        "postmark",
        "mailjet",
        "brevo",
        "sparkpost",
        "postmark-event",
        "brevo-event",
        "sendgrid-event",
        "sparkpost-event",
        "mailjet-event",
    ],
)
def test_a_field_of_another_kind_or_missing_is_taken_or_answered_with_400(
    post: Callable[[], Post], caplog: Any
) -> None:
    """Whatever is changed, nobody posts for ever."""
    caplog.set_level(logging.CRITICAL)
    whole = post()
    value = json.loads(whole.body)
    for at in paths(value):
        for to in (*WRONG, ...):
            body = json.dumps(changed(value, at, to)).encode()
            answer = Post(whole.path, body).send()
            assert answer.status_code in {200, 400}, (at, to, answer.status_code)
    assert not InboundMail.objects.filter(size__lt=20).exists()


def test_an_event_without_its_mail_is_400_and_one_of_another_kind_is_not() -> None:
    assert posts.brevo_event("hard_bounce", **{"message-id": None}).send().status_code == 400
    assert (
        as_json("brevo/tracking", {"event": "list_addition", "email": ["a@example.com"]})
        .send()
        .status_code
        == 200
    )
    assert as_json("sparkpost/tracking", [{"msys": {}}]).send().status_code == 200  # its try-out
    assert posts.mandrill().send().status_code == 200  # its try-out


def test_a_mail_that_comes_to_the_url_of_events_is_kept_until_the_url_is_mended(
    caplog: Any,
) -> None:
    mail = postmark(RAW)
    assert Post("postmark/tracking", mail.body).send().status_code == 503
    assert "You seem to have set Postmark's *inbound* webhook" in caplog.text
    assert posts.mailersend_mail(RAW).send().status_code == 200


# --- Faults of ours


EVERY: dict[str, Callable[[], Post]] = {
    "postmark": lambda: postmark(RAW),
    "mailgun": lambda: mailgun(RAW),
    "ses": lambda: ses(RAW),
    "sendgrid": lambda: sendgrid(RAW),
    "mailersend": lambda: posts.mailersend_mail(RAW),
    "mandrill": lambda: posts.mandrill_mail(RAW),
    "postal": lambda: posts.postal_mail(RAW),
    "sparkpost": lambda: posts.sparkpost_mail(RAW),
    "mailjet": posts.mailjet_mail,
    "brevo": lambda: posts.brevo_mail([]),
}


@pytest.mark.parametrize("name", EVERY)
def test_while_the_database_is_away_each_provider_is_told_to_post_again(
    name: str, monkeypatch: Any
) -> None:
    def broken(*args: Any, **fields: Any) -> list[int]:
        raise OperationalError("the database is away")

    with monkeypatch.context() as patched:
        patched.setattr(store, "accept", broken)
        answer = EVERY[name]().send()
    # Postal gives up at 5xx, and tells the sender that the mail cannot be delivered.
    assert answer.status_code == (429 if name == "postal" else 503)
    assert EVERY[name]().send().status_code == 200
    assert InboundMail.objects.count() == 1


@pytest.mark.parametrize(
    ("key", "post"),
    [
        ("MAILGUN_WEBHOOK_SIGNING_KEY", lambda: mailgun(RAW)),
        ("MAILERSEND_INBOUND_SECRET", lambda: posts.mailersend_mail(RAW)),
        ("BREVO_API_KEY", lambda: posts.brevo_mail([])),
        ("MANDRILL_WEBHOOK_KEY", lambda: posts.mandrill_mail(RAW)),
        ("POSTAL_WEBHOOK_KEY", lambda: posts.postal_mail(RAW)),
        ("RESEND_API_KEY", posts.resend_mail),
    ],
)
def test_a_key_that_is_not_set_is_our_fault_and_named(
    key: str, post: Callable[[], Post], settings: Any, caplog: Any
) -> None:
    settings.ANYMAIL = {name: value for name, value in settings.ANYMAIL.items() if name != key}
    assert post().send().status_code in {429, 503}
    assert key in caplog.text


def test_a_key_that_is_none_is_our_fault(settings: Any) -> None:
    settings.ANYMAIL = {**settings.ANYMAIL, "POSTAL_WEBHOOK_KEY": "no key"}
    assert posts.postal_mail(RAW).send().status_code == 429
    settings.ANYMAIL = {**settings.ANYMAIL, "RESEND_INBOUND_SECRET": "whsec_§"}
    assert posts.resend_mail().send().status_code == 503


def test_large_posts_are_read_a_few_at_a_time(monkeypatch: Any) -> None:
    large = RAW + b"\r\n" + b"x" * guarded.LARGE
    monkeypatch.setattr(guarded, "_large", BoundedSemaphore(1))
    monkeypatch.setattr(guarded, "LARGE_WAITS", 0.0)
    with guarded._large:
        assert sendgrid(large).send().status_code == 503
        assert sendgrid(RAW).send().status_code == 200
    assert sendgrid(large).send().status_code == 200
    assert InboundMail.objects.count() == 2


# --- Too large


@pytest.mark.parametrize(
    ("make", "status"),
    [
        (lambda raw: postmark(raw), 403),
        (lambda raw: mailgun(raw), 406),
        (lambda raw: sendgrid(raw), 413),
        (lambda raw: ses_base64(raw), 413),
        (lambda raw: posts.mailersend_mail(raw), 413),
        (lambda raw: posts.mandrill_mail(raw), 413),
        (lambda raw: posts.sparkpost_mail(raw), 413),
        (lambda raw: posts.postal_mail(raw), 507),
        (lambda raw: posts.mailjet_mail({"Attachment1": ("a/b", "a", raw)}), 413),
    ],
    ids=[
        "postmark",
        "mailgun",
        "sendgrid",
        "ses",
        "mailersend",
        "mandrill",
        "sparkpost",
        "postal",
        "mailjet",
    ],
)
def test_a_mail_that_is_too_large_is_refused_for_good_and_lies_where_people_look(
    make: Callable[[bytes], Post], status: int, settings: Any, caplog: Any
) -> None:
    settings.MAX_MAIL_BYTES = 300_000
    raw = RAW + b"\r\n" + b"x" * 400_000
    for _ in range(2):  # it is posted again all the same
        answer = make(raw).send()
        assert (answer.status_code, b"MAX_MAIL_BYTES is 300,000" in answer.content) == (
            status,
            True,
        )
    row = stored()
    assert (row.state, row.reason, row.to_look_at) == ("quarantined", store.TOO_LARGE, "unplaced")
    assert row.size > 400_000
    assert row.from_address == "cleo@example.net"
    assert len(row.raw.content) < 2000  # type: ignore[union-attr]
    assert "MAX_MAIL_BYTES is 300,000" in caplog.text
    settings.MAX_MAIL_BYTES = 2_000_000
    assert make(raw).send().status_code == 200
    assert InboundMail.objects.filter(state="received").count() == 1


def test_staff_see_whose_mail_was_refused_and_can_make_a_ticket_of_it(
    settings: Any, client: Client
) -> None:
    settings.MAX_MAIL_BYTES = 300_000
    assert mailgun(RAW + b"x" * 400_000).send().status_code == 406
    client.force_login(Person.objects.create_superuser("root@example.com", "x"))
    row = stored()
    page = client.get("/admin/to-look-at/").content.decode()
    assert "larger than MAX_MAIL_BYTES" in page
    assert "MAX_MAIL_BYTES is 300,000" in client.get(f"/admin/mail/{row.pk}/").content.decode()
    health = client.get("/api/health/").json()
    assert len(health["mail_refused"]) == 1
    assert (
        "0.4 MB from cleo@example.net to support@example.com by Mailgun"
        in health["mail_refused"][0]
    )
    assert Client().get("/api/health/").json()["mail_refused"] == 1
    queue.requeue([row], force=True)
    process(row.pk)
    row.refresh_from_db()
    assert (row.state, ticket_of(row).requester.email) == ("done", "cleo@example.net")


def test_of_a_post_of_several_the_others_are_stored(settings: Any) -> None:
    settings.MAX_MAIL_BYTES = 300_000
    answer = posts.sparkpost_mail(RAW, RAW.replace(b"<one@", b"<two@") + b"x" * 400_000).send()
    assert answer.status_code == 200
    assert sorted(InboundMail.objects.values_list("state", flat=True)) == [
        "quarantined",
        "received",
    ]


def test_what_is_fetched_is_not_kept_beyond_the_limit(settings: Any, api: Any) -> None:
    settings.MAX_MAIL_BYTES = 300_000
    api(
        {
            "/inbound/inboxes/7/messages/m1": (
                200,
                "application/json",
                b'{"raw_message_url": "HERE/raw"}',
            ),
            "/raw": (200, "message/rfc822", RAW + b"x" * 2_000_000),
        }
    )
    assert posts.mailtrap_mail().send().status_code == 413
    assert stored().size == len(RAW) + 2_000_000


# --- What is logged, and who may post


@pytest.mark.parametrize(
    "post",
    [
        lambda: posts.mandrill(key="another"),
        lambda: mailgun(RAW, key="another"),
        lambda: posts.svix("resend/tracking", {}, key=b"other"),
        lambda: posts.svix("resend/inbound", {}, age=3600),
        lambda: Post("postal/inbound", b"{}", headers={"X-Postal-Signature": "§"}),
        lambda: Post(
            "postal/inbound", b"{}", headers={"X-Postal-Signature": base64.b64encode(b"x").decode()}
        ),
        lambda: Post("mailersend/inbound", b"{}", headers={"Signature": "sig-of-somebody"}),
        lambda: Post("mailtrap/tracking", b"{}"),
        lambda: as_json("unisender_go/tracking", {"auth": "sig-of-somebody"}),
        lambda: Post("mandrill", b"", "application/x-www-form-urlencoded"),
        lambda: posts.mandrill_mail(RAW),
    ],
)
@pytest.mark.parametrize("secret", [SECRET, "providers:wrong pass@word/x", ""])
def test_what_is_refused_logs_neither_password_nor_signature(
    post: Callable[[], Post], secret: str, caplog: Any, settings: Any
) -> None:
    if (
        secret == SECRET
        and post().path == "mandrill"
        and post().body == posts.mandrill_mail(RAW).body
    ):
        settings.ANYMAIL = {**settings.ANYMAIL, "MANDRILL_WEBHOOK_KEY": "another"}
    caplog.set_level(logging.DEBUG)
    answer = post().send(secret)
    assert answer.status_code in {400, 401}
    assert "was refused" in caplog.text
    said = caplog.text + answer.content.decode() + str(answer.headers)
    given = [value for value in post().headers.values() if len(value) > 5]
    for hidden in (
        "correct horse",
        "battery",
        "wrong pass",
        "word/x",
        "sig-of-somebody",
        "another",
        base64.b64encode(SECRET.encode()).decode(),
        *given,
    ):
        assert hidden not in said, hidden
    assert "Traceback" not in said
    assert not InboundMail.objects.exists()


def test_a_fault_logs_neither_password_nor_what_was_posted(monkeypatch: Any, caplog: Any) -> None:
    def broken(*args: Any, **fields: Any) -> list[int]:
        raise RuntimeError(f"https://{SECRET}@testserver/anymail/ went wrong")

    monkeypatch.setattr(arrivals, "envelope_of", broken)
    assert postmark(RAW).send().status_code == 503
    assert "RuntimeError" in caplog.text
    assert "horse" not in caplog.text
    assert "File " in caplog.text  # where it happened


def test_with_debug_on_no_page_shows_the_password(settings: Any, caplog: Any) -> None:
    settings.DEBUG = True
    for secret in (SECRET, "providers:wrong"):
        said = posts.mandrill(key="another").send(secret).content.decode() + caplog.text
        assert "horse" not in said
        assert "providers:" not in said


# --- The mailbox's page


def test_a_mailboxs_page_says_where_providers_post_and_what_they_need(
    settings: Any, client: Client
) -> None:
    client.force_login(Person.objects.create_superuser("root@example.com", "x"))
    url = f"/admin/inbound/mailbox/{mailbox().pk}/change/"
    settings.PUBLIC_URL = "https://help.example.com"
    settings.ANYMAIL = {
        name: value for name, value in settings.ANYMAIL.items() if name != "BREVO_API_KEY"
    }
    page = client.get(url).content.decode()
    assert "https://USER:PASSWORD@help.example.com/anymail/postmark/inbound/" in page
    assert "set ANYMAIL_BREVO_API_KEY: files are fetched from Brevo with it" in page
    assert "set ANYMAIL_MAILGUN" not in page
    assert "horse" not in page
    settings.ANYMAIL_WEBHOOK_SECRET = ""
    assert "ANYMAIL_WEBHOOK_SECRET is not set" in client.get(url).content.decode()


def test_what_each_provider_needs_is_what_its_view_asks_for(settings: Any) -> None:
    """Without one of `needs` its posts are our fault to mend; with them they are read."""
    here = {name.path.partition("/")[0] for name in setup.PROVIDERS}
    assert here == {
        url.partition("/")[0] for url in URLS if "inbound" in url or url == "mandrill"
    } - {"sendinblue"}
    for provider in setup.PROVIDERS:
        set_up(settings)
        post = signed(provider.path.strip("/"), b"{}")
        assert post.send().status_code == 400
        for name in provider.needs:
            settings.ANYMAIL = {
                key: value for key, value in settings.ANYMAIL.items() if f"ANYMAIL_{key}" != name
            }
            assert post.send().status_code in {429, 503}, name
