from inbound.reading.parse import parse
from tests.support.mail import eml


def test_a_plain_mail_is_read() -> None:
    mail = parse(
        eml(
            "Hi there",
            subject="Grüße",
            message_id="a@b",
            in_reply_to="<x@y>",
            references="<w@y> <x@y>",
        )
    )
    assert (mail.from_.address, mail.from_.name, mail.subject) == (
        "cleo@example.net",
        "Cleo",
        "Grüße",
    )
    assert (mail.message_id, mail.in_reply_to, mail.references) == ("a@b", ("x@y",), ("w@y", "x@y"))
    assert mail.text.strip() == "Hi there"


def test_raw_eight_bit_headers_are_read_as_what_they_are() -> None:
    assert parse("Subject: Grüße\nFrom: a@b.c\n\nx".encode()).subject == "Grüße"
    assert parse("Subject: Grüße\nFrom: a@b.c\n\nx".encode("latin-1")).subject == "Grüße"


def test_no_header_value_carries_a_line_break_or_a_surrogate() -> None:
    mail = parse(b"From: a@b.c\nSubject: =?utf-8?q?x=0D=0ABcc:_evil=40x.y?=\n\nbody")
    assert "\n" not in mail.subject
    assert "\r" not in mail.subject
    mail.subject.encode()


def test_an_unknown_charset_does_not_stop_a_mail() -> None:
    raw = b"From: a@b.c\nContent-Type: text/plain; charset=x-martian\n\nGr\xc3\xbc\xc3\x9fe"
    assert parse(raw).text == "Grüße"


def test_iso_2022_jp_is_decoded_even_where_it_is_called_ascii() -> None:
    body = "こんにちは".encode("iso-2022-jp")
    for label in (b"iso-2022-jp", b"us-ascii"):
        assert (
            parse(b"From: a@b.c\nContent-Type: text/plain; charset=" + label + b"\n\n" + body).text
            == "こんにちは"
        )


def test_nested_multiparts_attached_mail_and_broken_base64_are_kept() -> None:
    raw = (
        b"From: a@b.c\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=o\n\n--o\n"
        b"Content-Type: multipart/alternative; boundary=i\n\n--i\nContent-Type: text/plain\n\nplain\n"
        b"--i\nContent-Type: text/html\n\n<p>rich</p>\n--i--\n"
        b"--o\nContent-Type: application/pdf; name=a.pdf\nContent-Transfer-Encoding: base64\n\nSGVsbG8*=!\n"
        b"--o\nContent-Type: message/rfc822\n\nSubject: inner\n\ninner body\n--o--\n"
    )
    mail = parse(raw)
    assert mail.text.strip() == "plain"
    assert "rich" in mail.html
    assert [a.name for a in mail.attachments] == ["a.pdf", "inner.eml"]
    assert mail.attachments[0].data == b"Hello"


def test_a_picture_with_a_content_id_and_no_disposition_is_inline() -> None:
    raw = (
        b"From: a@b.c\nContent-Type: multipart/related; boundary=o\n\n--o\nContent-Type: text/html\n\n"
        b"<img src='cid:logo@x'>\n--o\nContent-Type: image/png\nContent-ID: <logo@x>\n\nPNG\n--o--\n"
    )
    (picture,) = parse(raw).attachments
    assert picture.is_inline
    assert picture.content_id == "logo@x"


def test_nonsense_is_a_mail_too() -> None:
    for raw in (
        b"",
        b"\x00\xff\xfe",
        b"no headers at all",
        b"Content-Type: multipart/mixed\n\nno boundary",
        b"\r\n" * 50,
    ):
        parse(raw)
