"""What our mail is made of, as a server that takes nothing but RFC 5321 sees it: ASCII, short
lines, files as they are."""

import base64
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from helpdesk import actions
from helpdesk.actions import Content, File, watching
from helpdesk.models import Identity, MailTemplate, OutboundMail, Person
from tests.support.mail import agent, deliver_alone, eml, mailbox, receive, ticket_of
from tests.support.services import smtp_sink

pytestmark = pytest.mark.django_db

FORWARDED = (
    b"From: a@b.c\r\nSubject: \xc3\xa9\r\n\r\n" + b"x" * 3000 + b" \xff\xfe.\n.\nFrom here\r\n"
)
ARCHIVE = (
    b"MIME-Version: 1.0\nContent-Type: multipart/related; boundary=x\n\n--x\n\n\xe4"
    + b"y" * 2000
    + b"\n--x--\n"
)
FILES = [
    ("mail.eml", "message/rfc822", FORWARDED),
    ("site.mht", "multipart/related", ARCHIVE),
    ("list.csv", "text/csv", "ü;1\r\nx;2\n\rlast".encode()),
    ("old.txt", "text/plain", b"caf\xe9 \x00\r\r\n" + b"z" * 1500),
    ("\u0416" * 250 + ".pdf", "application/pdf", bytes(range(256)) * 9),
    ("\U0001f600" * 200, "application/x", b""),
]
TEXTS = {
    "long line": "w" * 5000,
    "umlauts": "Grüße " * 400,
    "Chinese": "你好" * 3000,
    "emoji": "\U0001f600" * 500 + "\n.\n..\nFrom the start\n",
}


def sent(settings, pk: int) -> bytes:
    with smtp_sink(utf8=False) as sink:
        settings.EMAIL_BACKEND = "helpdesk.outbound.to_smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", sink.port
        deliver_alone(pk)
        (found,) = sink.mails
    return bytes(found[1])


def read(raw: bytes) -> EmailMessage:
    found = message_from_bytes(raw, policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


def an_answer(
    text: str, files: list[tuple[str, str, bytes]] | None = None, **customer: str
) -> OutboundMail:
    ticket = ticket_of(receive(eml("Please help", message_id="first@example.net", **customer)))
    stored = tuple(
        File(
            default_storage.save(f"tickets/{ticket.pk}/{n}", ContentFile(data)),
            name,
            kind,
            len(data),
        )
        for n, (name, kind, data) in enumerate(files or [])
    )
    actions.reply(ticket, Content(text=text, files=stored), actor=agent())
    return OutboundMail.objects.get(kind="reply")


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_text_is_seven_bit_in_short_lines_and_arrives_as_it_was_written(
    settings, text: str
) -> None:
    raw = sent(settings, an_answer(text).pk)
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    body = read(raw).get_body(("plain",))
    assert body is not None
    assert text.strip() in body.get_content().replace("\r\n", "\n")


def test_every_file_arrives_byte_for_byte_and_a_mail_in_it_is_a_file(settings) -> None:
    raw = sent(settings, an_answer("See the files", FILES).pk)
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    found = list(read(raw).iter_attachments())
    assert [part.get_payload(decode=True) for part in found] == [data for _, _, data in FILES]
    assert [part.get_content_type() for part in found] == [
        "application/octet-stream",
        "application/octet-stream",
        "text/csv",
        "text/plain",
        "application/pdf",
        "application/x",
    ]
    names = [str(part.get_filename()) for part in found]
    assert names[:4] == ["mail.eml", "site.mht", "list.csv", "old.txt"]
    assert names[4].startswith("\u0416" * 80)
    assert names[4].endswith("\u0416.pdf")
    assert set(names[5]) == {"\U0001f600"}


def test_long_names_and_subjects_are_folded(settings) -> None:
    name = "\U0001f600" * 190
    Person.objects.create_user("cleo@example.net", name=name)
    mail = an_answer("x")
    OutboundMail.objects.update(
        subject="Re: " + "主题" * 290,
        references=" ".join(f"{n}{'r' * 240}@e.com" for n in range(12)),
    )
    raw = sent(settings, mail.pk)
    assert raw.isascii()
    head = raw.partition(b"\r\n\r\n")[0]
    assert max(map(len, head.split(b"\r\n"))) <= 998
    whole = read(raw)
    # (Not policy.default's own reading: it puts a space between two encoded words of a name.)
    to = str(make_header(decode_header(message_from_bytes(raw)["To"].partition(" <")[0])))
    assert to == name
    assert str(whole["Subject"]) == "Re: " + "主题" * 290


def test_the_headers_that_unsubscribe_are_signed(settings) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    kind = serialization.PrivateFormat.TraditionalOpenSSL
    pem = key.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption())
    Identity.objects.create(mailbox=mailbox(), dkim_selector="s1", dkim_key=pem.decode())
    bob, ticket = agent("Bob"), ticket_of(receive(eml("x", message_id="first@example.net")))
    actions.watch(ticket, bob)
    actions.set_priority(ticket, 4, actor=agent())
    watching.send_digests()
    raw = sent(settings, OutboundMail.objects.get(kind="digest").pk)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    record = b"v=DKIM1; k=rsa; p=" + base64.b64encode(
        key.public_key().public_bytes(serialization.Encoding.DER, form)
    )
    verified = dkim.DKIM(raw)
    assert verified.verify(dnsfunc=lambda name, timeout=5: record)
    assert {b"list-unsubscribe", b"list-unsubscribe-post"} <= {
        name.lower() for name in verified.include_headers
    }


@pytest.mark.parametrize(
    ("language", "name"),
    [("en", "Ada at Example"), ("de", "Ada von Example"), ("fr", "Ada de Example")],
)
def test_the_agent_is_named_in_the_readers_language(language: str, name: str) -> None:
    mailbox().__class__.objects.update(name="Example")
    Person.objects.create_user("cleo@example.net", language=language)
    assert an_answer("x").from_name == name


OWN = """Hello **{{customer}}**,

we have it. You see it at {{link}} until {{link_until}}. Number {{number}}.

[Look]({{link}}) or [{{link}}]({{link}}) or `{{link}}`

- {{link}}
"""


def own_text(settings, tmp: int) -> OutboundMail:
    settings.TICKET_LINK_DAYS = tmp
    MailTemplate.objects.create(
        mailbox=mailbox(), kind="acknowledgement", subject="Got it", body=OWN
    )
    receive(eml("x", message_id="first@example.net"))
    return OutboundMail.objects.get(kind="acknowledgement")


def test_a_bare_link_in_an_own_text_is_a_link_and_one_in_a_link_is_not_twice(settings) -> None:
    mail = own_text(settings, 30)
    said = mail.html.partition("we have it.")[2]
    assert said.count("<a ") == said.count("</a>") == 4
    for link in mail.html.split("<a ")[1:]:
        assert "<a " not in link.partition("</a>")[0]
    assert "<code" in mail.html
    assert "xq" not in mail.html


def test_a_sentence_of_an_own_text_goes_with_the_value_that_it_lacks() -> None:
    from helpdesk.outbound.texts import of_own_text

    said = of_own_text(
        "Got it", OWN, {"mailbox": mailbox(), "person": "Cleo", "ticket": None, "kind": "x"}
    )
    assert "until" not in said.text
    assert "Number" not in said.text
    assert "Look" not in said.text
    assert "we have it." in said.text
    assert "Hello **Cleo**" in said.text or "Hello Cleo" in said.text
    assert "href" not in said.html.partition("we have it.")[2]
