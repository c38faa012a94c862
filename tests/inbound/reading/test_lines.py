"""Mail whose lines end otherwise than in CRLF or LF says the same."""

from email.message import EmailMessage
from itertools import pairwise

import pytest

from inbound.addresses import own_mark
from inbound.reading.lines import with_lf, with_line_ends
from inbound.reading.message import Envelope, Kind
from inbound.reading.ours import MARK_HEADER
from inbound.reading.parse import parse
from inbound.reading.reading import Reading
from inbound.reading.reading import read as read_mail
from inbound.reading.received import hops
from inbound.returned import without_secrets
from tests.support.mail import SUPPORT

BINARY = bytes(range(256)) * 9


def made() -> bytes:
    mail = EmailMessage()
    mail["Received"] = (
        "from a.example (a.example [192.0.2.7]) by b.example with ESMTP; Sat, 21 Nov 2026 09:00:00 +0100"
    )
    mail["From"], mail["To"], mail["Message-ID"] = "Cleo <cleo@example.net>", SUPPORT, "<1@old.mac>"
    mail["Subject"] = (
        "Grüße aus der Küche, mit so vielen Wörtern, dass das Feld gefaltet wird und weitergeht"
    )
    mail["References"] = "<a@old.mac> <b@old.mac>"
    mail.set_content(
        f"It smökes, {'and so on, ' * 30}\n\n> quoted\n\nCleo\n", cte="quoted-printable"
    )
    mail.add_attachment(
        BINARY, maintype="application", subtype="octet-stream", filename="a long name of a file.bin"
    )
    return mail.as_bytes()


def mixed(raw: bytes) -> bytes:
    """A CR before an empty line that ends in LF would be one end with it: blank lines have CRLF
    around them."""
    lines = [*raw.split(b"\n"), b""]
    ends = (b"\r", b"\n", b"\r\n")
    return b"".join(
        line + (ends[number % 3] if line and following else b"\r\n")
        for number, (line, following) in enumerate(pairwise(lines))
    )


def head_alone(raw: bytes) -> bytes:
    """As a server leaves it that writes its own fields before what it was given."""
    field, _, rest = raw.partition(b"\n")
    return field + b"\r\n" + rest.replace(b"\n", b"\r")


def body_alone(raw: bytes) -> bytes:
    head, _, body = raw.partition(b"\n\n")
    return head.replace(b"\n", b"\r\n") + b"\r\n\r\n" + body.replace(b"\n", b"\r")


ENDS = {
    "CR": lambda raw: raw.replace(b"\n", b"\r"),
    "CR CR LF": lambda raw: raw.replace(b"\n", b"\r\r\n"),
    "CR below a field with CRLF": head_alone,
    "CR in the body alone": body_alone,
    "all of them": mixed,
}


def read(raw: bytes) -> Reading:
    return read_mail(raw, Envelope(None, (SUPPORT,)), {SUPPORT})


@pytest.mark.parametrize("ends", ENDS)
def test_it_is_read_as_if_its_lines_were_whole(ends: str) -> None:
    raw, whole = ENDS[ends](made()), read(made())
    found = read(raw)
    assert (found.text, found.quoted_text) == (whole.text, whole.quoted_text)
    assert found.parsed.subject == whole.parsed.subject
    assert (found.parsed.from_, found.parsed.references) == (
        whole.parsed.from_,
        whole.parsed.references,
    )
    assert [(file.name, file.data) for file in found.parsed.attachments] == [
        ("a long name of a file.bin", BINARY)
    ]
    assert hops(raw) == hops(made())


REPORT = b"""From: MAILER-DAEMON@mx.example.net
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; cleo@example.net
Action: failed
Status: 5.1.1

--b
Content-Type: message/rfc822

%s
Subject: Your code

123456

--b--
"""


@pytest.mark.parametrize("ends", ENDS)
def test_a_report_is_one_and_a_secret_that_it_brings_is_not_kept(ends: str) -> None:
    raw = ENDS[ends](REPORT % f"{MARK_HEADER}: {own_mark(7, is_secret=True)}".encode())
    found = read(raw)
    assert found.verdict.kind is Kind.BOUNCE
    assert found.report is not None
    assert [(told.address, told.status) for told in found.report.recipients] == [
        ("cleo@example.net", "5.1.1")
    ]
    kept = without_secrets(raw)
    assert (b"123456" in kept.raw, kept.secret) == (False, 7)


def test_a_carriage_return_in_a_body_that_is_well_written_stays() -> None:
    raw = made().replace(b"\n", b"\r\n") + b"a\rb"
    assert with_line_ends(raw) is raw
    assert with_line_ends(b"") == b""
    file = parse(
        b"From: a@b.c\nContent-Type: application/pdf\nContent-Transfer-Encoding: binary\n\n%PDF\rx\r\ny\n"
    )
    assert [found.data for found in file.attachments] == [b"%PDF\rx\r\ny\n"]
    assert with_lf(b"a\rb\r\nc\r\r\nd\r") == b"a\nb\r\nc\n\r\nd\n"


def test_a_blank_line_behind_a_field_that_ends_in_cr_is_one() -> None:
    assert parse(b"From: a@b.c\rSubject: x\r\r\nHello, and no field").text == "Hello, and no field"
