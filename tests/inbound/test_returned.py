"""What is cut out of a mail before it is kept."""

import pytest

from inbound.addresses import bounce_address, own_mark
from inbound.reading.ours import MARK_HEADER
from inbound.returned import NOTE, without_secrets
from tests.support.mail import SUPPORT

PATH = bounce_address(SUPPORT, 7, is_secret=True)


def secret(number: int, *, before: bytes = b"") -> bytes:
    mark = own_mark(number, is_secret=True).encode()
    lines = [
        MARK_HEADER.encode() + b": " + mark,
        b"Subject: Your code",
        b"",
        b"%06d" % (100000 + number),
    ]
    return b"\r\n".join(before + line for line in lines)


def report(
    *parts: bytes, to: str = SUPPORT, sender: bytes = b"MAILER-DAEMON@mx.example.net"
) -> bytes:
    head = (
        b"From: "
        + sender
        + b"\r\nTo: "
        + to.encode()
        + b'\r\nContent-Type: multipart/mixed; boundary="b1"\r\n\r\n'
    )
    return (
        head
        + b"".join(
            b"--b1\r\nContent-Type: message/rfc822\r\n\r\n" + part + b"\r\n" for part in parts
        )
        + b"--b1--\r\n"
    )


@pytest.mark.parametrize("number", [2, 9, 10, 11, 25])
def test_however_many_secret_mails_come_back_at_once_none_is_kept(number: int) -> None:
    kept = without_secrets(report(*(secret(pk) for pk in range(1, number + 1))))
    assert kept.secret == 1
    for pk in range(1, number + 1):
        assert b"%06d" % (100000 + pk) not in kept.raw, pk


@pytest.mark.parametrize("before", [b"> ", b">", b">> ", b"\t"])
def test_a_quoted_one_is_cut_where_its_quoted_header_ends(before: bytes) -> None:
    raw = (
        b"From: x@example.net\r\nSubject: Re\r\n\r\nSee:\r\n\r\n"
        + secret(7, before=before)
        + b"\r\n"
    )
    kept = without_secrets(raw)
    assert b"100007" not in kept.raw
    assert b"See:" in kept.raw
    assert NOTE in kept.raw


WORDS = b"Subject: Failed\r\n\r\nWe could not deliver: your code is 100007.\r\n"


@pytest.mark.parametrize("where", ["envelope", "To", "Delivered-To"])
def test_a_machines_words_that_come_to_a_secret_return_path_are_cut_though_nobody_tells_us_the_envelope(
    where,
) -> None:
    field = {"To": b"To: ", "Delivered-To": b"Delivered-To: "}.get(where, b"X-Nothing: ") + (
        b"nobody" if where == "envelope" else PATH.encode()
    )
    raw = b"From: MAILER-DAEMON@mx.example.net\r\n" + field + b"\r\n" + WORDS
    for mail_from in (None, ""):
        kept = without_secrets(raw, [PATH] if where == "envelope" else [SUPPORT], mail_from)
        assert (b"100007" in kept.raw, kept.secret) == (False, 7), mail_from
    # A person's are kept: whoever processes them ends what is still good of it.
    assert (
        without_secrets(
            b"From: cleo@example.net\r\n" + field + b"\r\n" + WORDS, [PATH], None
        ).secret
        is None
    )
