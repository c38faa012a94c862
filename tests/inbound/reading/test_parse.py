from inbound.reading.headers import addresses, message_ids, parameters, text
from inbound.reading.parse import parse, safe_name
from inbound.reading.received import hops
from tests.mail import eml


def test_a_plain_mail_is_read() -> None:
    mail = parse(eml("Hi there", subject="Grüße", message_id="a@b", in_reply_to="<x@y>", references="<w@y> <x@y>"))
    assert (mail.from_.address, mail.from_.name, mail.subject) == ("cleo@example.net", "Cleo", "Grüße")
    assert (mail.message_id, mail.in_reply_to, mail.references) == ("a@b", ("x@y",), ("w@y", "x@y"))
    assert mail.text.strip() == "Hi there"


def test_a_character_split_over_two_encoded_words_survives() -> None:
    assert text("=?utf-8?q?Gr=C3?= =?utf-8?q?=BC=C3=9Fe?=") == "Grüße"


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
        assert parse(b"From: a@b.c\nContent-Type: text/plain; charset=" + label + b"\n\n" + body).text == "こんにちは"


def test_a_file_name_without_quotes_keeps_its_spaces() -> None:
    assert parameters("attachment; filename=my holiday photo.jpg")[1]["filename"] == "my holiday photo.jpg"


def test_file_names_in_pieces_and_charsets_are_joined() -> None:
    raw = "attachment; filename*0*=utf-8''Gr%C3%BC; filename*1*=%C3%9Fe; filename*2=.pdf"
    assert parameters(raw)[1]["filename"] == "Grüße.pdf"


def test_a_file_name_cannot_leave_its_folder() -> None:
    assert safe_name("../../etc/passwd", "text/plain", 1) == "passwd"
    assert safe_name("..\\..\\evil\x00.exe", "application/x-msdownload", 1) == "evil.exe"
    assert safe_name("", "application/pdf", 3) == "part-3.pdf"


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


def test_addresses_in_groups_quotes_and_comments_are_found() -> None:
    raw = '"Doe, Jane" <Jane@X.org>, team: a@b.c, d@e.f; g@h.i (Gee)'
    assert [a.address for a in addresses(raw)] == ["jane@x.org", "a@b.c", "d@e.f", "g@h.i"]
    assert addresses(raw)[0].name == "Doe, Jane"


def test_ids_are_found_with_white_space_inside_and_without_brackets() -> None:
    assert message_ids("<a@\r\n b> <c@d>") == ("a@b", "c@d")
    assert message_ids("a@b c@d") == ("a@b", "c@d")


def test_the_way_of_a_mail_is_told() -> None:
    raw = b"Received: from a.example (a.example [192.0.2.1]) by b.example with ESMTP; Mon, 2 Mar 2026 10:00:00 +0000\nFrom: a@b.c\n\nx"
    (hop,) = hops(raw)
    assert "a.example" in str(hop)
