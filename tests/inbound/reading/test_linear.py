"""No mail can stop the others: what is done to a stranger's bytes takes no longer than in
proportion to their number.

The one test with times in it, and these are ratios: ten times the input, fifteen times the CPU time
at the most.
"""

import gc
import os
import time
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO

import pytest

from inbound import mbox
from inbound.addresses import bounce_address, own_mark
from inbound.reading import (
    classify,
    dsn,
    forwarded,
    headers,
    language,
    lines,
    ours,
    quotes,
    received,
    results,
    sender,
    signatures,
)
from inbound.reading.html.safe import safe_html
from inbound.reading.html.text import html_to_text, without_tags
from inbound.reading.message import Address, Envelope, FailedRecipient, ParsedMail
from inbound.reading.mime import charset, parameters
from inbound.reading.mime.file_names import safe_name
from inbound.reading.mime.flowed import unflow
from inbound.reading.proofs.claims import claims
from inbound.reading.proofs.dmarc import read_policy
from inbound.reading.quoting import quoted_text
from inbound.reading.reading import read
from inbound.returned import without_secrets
from tests.support.zone import public

SIZES = (10_000, 100_000, 1_000_000)
# Of what reads a whole mail, where each shape takes a while: LINEAR_BYTES=1000000 is the full
# length.
SIZES_OF_MAILS = (10_000, 100_000, int(os.environ.get("LINEAR_BYTES", "100000")))
FLOOR = 0.1  # seconds: what takes less is over before anybody waits
GROWTH = 1.5
TRIES = 5

SHAPES: dict[str, Callable[[int], str]] = {
    "a letter": lambda n: "a" * n,
    "spaces": lambda n: " " * n,
    "tabs after a word": lambda n: "a" + "\t" * n,
    "newlines": lambda n: "\n" * n,
    "marks of ours": lambda n: "X-Helpdesk-Mark: aaaaaaaaaaaaaaaaaaaaaaaa\n" * (n // 42),
    "links of ours": lambda n: f"abcdef-{'0' * 32} " * (n // 40),
    "boundaries": lambda n: "boundary=x\n" * (n // 11),
    "lines": lambda n: "a b\n" * (n // 4),
    "quote marks": lambda n: '"' * n,
    "a quote and backslashes": lambda n: '"' + "\\" * n,
    "angle brackets": lambda n: "<" * n,
    "angles about nothing": lambda n: "<> " * (n // 3),
    "encoded words that do not end": lambda n: "=?utf-8?q?a " * (n // 12),
    "encoded words": lambda n: "=?x?q?=e4?= " * (n // 12),
    "commas": lambda n: "," * n,
    "semicolons": lambda n: 'a="' + ";" * n,
    "parameters": lambda n: ";a=" * (n // 3),
    "groups": lambda n: "a:" * (n // 2),
    "parentheses": lambda n: "(" * n,
    "addresses": lambda n: "a@b.cc, " * (n // 8),
    "at signs": lambda n: "a@" * (n // 2),
    "8-bit": lambda n: "é" * (n // 2),
    "NUL": lambda n: "\0" * n,
    "nested tags": lambda n: "<div>" * (n // 5),
    "open formats in paragraphs": lambda n: "".join(
        f"<p><font color=c{i}>x" for i in range(n // 22)
    ),
    "formats with blocks": lambda n: (
        "".join(f"<b id=i{i}>" for i in range(50)) + "<div>x<p>" * (n // 9)
    ),
    "attributes": lambda n: "<a " + "".join(f"b{i}=c " for i in range(n // 9)) + ">",
    "table cells": lambda n: "<table><tr>" + "<td>x" * (n // 5),
    "tags that do not end": lambda n: "<a href=" * (n // 8),
    "entities": lambda n: "&lt;" * (n // 4),
    "quotation": lambda n: "> a\n" * (n // 4),
    "dividers": lambda n: "-----    Original Message \n" * (n // 27),
    "a divider that is long": lambda n: "-" * (n // 2) + " " * (n // 2),
    "digits before who wrote": lambda n: ("1 " * 150 + "wrote 1:\n") * (n // 309),
    "who wrote": lambda n: "On 1 wrote" * (n // 10) + ":",
    "header lines": lambda n: "From: x\n" * (n // 8),
    "fields": lambda n: "Received: from a by b; c\n" * (n // 26),
    "failures": lambda n: "not deliver a a a user unknown\n" * (n // 31),
    "status codes": lambda n: "550 5.1.1 a@b.cc\n" * (n // 17),
    "recipients": lambda n: "<a@b.cc>: no such user\n" * (n // 24),
}


def mail(name: str, head: str = "", text: bool = True) -> Callable[[str], object]:
    """The shape as one header's value, read as a whole mail."""

    def run(value: str) -> object:
        folded = value.replace("\r", "").replace("\n", "\n ")
        return whole(f"{head}{name}: {folded}\n\n{'Hello' if text else ''}\n".encode())

    return run


def whole(raw: bytes) -> object:
    return read(raw, Envelope("a@b.cc", ("support@example.com",)), {"support@example.com"})


def multipart(value: str) -> object:
    return whole(
        b"From: a@b.cc\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\n"
        + value.encode()
        + b"\n--b--\n"
    )


def parts(value: str) -> object:
    return whole(
        b"From: a@b.cc\nContent-Type: multipart/mixed; boundary=a\n\n--a\n" * (len(value) // 60)
    )


def many_parts(value: str) -> object:
    return whole(
        b"From: a@b.cc\nContent-Type: multipart/mixed; boundary=a\n\n"
        + b"--a\n" * (len(value) // 4)
    )


def report(value: str) -> object:
    head = b"From: mailer-daemon@b.cc\nSubject: failure notice\nContent-Type: text/plain; charset=utf-8\n\n"
    return dsn.report(head + value.encode())


def status(value: str) -> object:
    head = b"From: mailer-daemon@b.cc\nContent-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\n"
    return dsn.report(head + value.encode() + b"\n--b--\n")


def come_back(value: str) -> object:
    """After a mark of ours, and to a return path of ours: what a customer can make who has had a
    code."""
    mark = f"X-Helpdesk-Mark: {own_mark(7, is_secret=True)}\n"
    raw = f"From: a@b.cc\nContent-Type: multipart/report; boundary=b\n\n--b\n\n{value}\n{mark * 3}{value}\n\n{value}\n--b--\n"
    path = bounce_address("support@example.com", 7, is_secret=True)
    returned = f"From: a@b.cc\n\nContent-Type: message/rfc822\n\n{value}\n\n{value}"
    return without_secrets(raw.encode()), without_secrets(returned.encode(), [path], "")


def boxed(value: str) -> object:
    """As the body of an mbox's message, with marks about it, and its end told wrong by every
    message."""
    separator = "From a@b.cc Sat Nov 21 09:00:00 2026\n"
    marked = f"{separator}a: b\n\n{value}\n>>From {value}\n>From x\n" + ">>From x\n" * (
        len(value) // 20
    )
    counted = f"{separator}Content-Length: {len(value) // 2}\n\n" * (len(value) // 300)
    return [
        list(mbox.messages(BytesIO(f"{separator}{made}".encode()), len(value) // 3))
        for made in (value, marked, counted)
    ]


def shown(value: str) -> object:
    split = quotes.split("", value)
    return safe_html(split.html), html_to_text(value)


def as_parsed(value: str) -> ParsedMail:
    return ParsedMail(
        Address("a@b.cc", value[:200]),
        subject=value[:500],
        text=value,
        headers={"return-path": [value]},
    )


def signed(canonical: str) -> Callable[[str], object]:
    """With that as its body, and a key that is one: the body is hashed before the signature is
    looked at."""
    field = f"DKIM-Signature: v=1; a=rsa-sha256; c={canonical}; d=a.cc; s=s; h=from; bh=AAAA; b=AAAA\r\n"

    def run(value: str) -> object:
        raw = f"{field}From: x@a.cc\r\n\r\n{value}x\r\n".encode().replace(b"\n", b"\r\n")
        return signatures.check(raw, {"s._domainkey.a.cc": f"v=DKIM1; p={public('a.cc')}".encode()})

    return run


def tags(value: str) -> object:
    raw = f"From: x@a.cc\nDKIM-Signature: v=1; d=a.cc; s=s; h=from; b={value}\nARC-Seal: i=1; d=a.cc; s=s; b={value}\n\nx"
    key = f"v=DKIM1; p={public('a.cc')}".encode()
    return claims(raw.encode()), signatures.check(raw.encode(), {"s._domainkey.a.cc": key})


def forward(value: str) -> object:
    return forwarded.find(replace(as_parsed(value), subject="Fwd: x"))


READ: dict[str, Callable[[str], object]] = {
    "headers.text": headers.text,
    "headers.one_line": headers.one_line,
    "parameters.parameters": parameters.parameters,
    "parameters.parameter": lambda value: parameters.parameter(value, "x"),
    "headers.addresses": headers.addresses,
    "headers.message_ids": headers.message_ids,
    "headers.normal_id": headers.normal_id,
    "headers.date": headers.date,
    "mbox": boxed,
    "charset.decode": lambda value: charset.decode(value.encode(), value[:100]),
    "charset.clean": charset.clean,
    "file_names.safe_name": lambda value: safe_name(value, value, 1),
    "html, shown": shown,
    "html, a style": lambda value: safe_html(
        f'<p style="color: {value.replace(chr(34), "")}(1)">x</p>'
    ),
    "text.without_tags": without_tags,
    "flowed.unflow": lambda value: unflow(value, delsp=True),
    "quoted_text.split_text": quoted_text.split_text,
    "quotes.split": lambda value: quotes.split(value, ""),
    "language.guess": lambda value: language.guess(as_parsed(value)),
    "classify": lambda value: classify.classify(
        as_parsed(value), Envelope(""), {"a@b.c"}, signed_path=True
    ),
    "sender": lambda value: sender.who_writes(as_parsed(value), {"a@b.cc"}),
    "ours.marks": lambda value: ours.marks([value.encode()]),
    "ours.links": lambda value: ours.links([value.encode()]),
    "lines, of a head": lambda value: lines.with_line_ends(f"a: b\rc: d\r\r\n{value}".encode()),
    "lines, of carriage returns": lambda value: lines.with_line_ends(
        f"a: b\r\r\n{value}".replace("\n", "\r").encode()
    ),
    "returned": come_back,
    "received.hops": lambda value: received.hops(
        b"Received: " + value.replace("\n", "\n ").encode() + b"\n\n"
    ),
    "FailedRecipient": lambda value: (
        FailedRecipient("a@b.cc", "failed", value[:100], value).is_hard
    ),
    "results.read_results": results.read_results,
    "dmarc.read_policy": lambda value: read_policy(
        [b"v=DMARC1; p=none; " + value.encode(), value.encode()]
    ),
    "forwarded.find": forward,
    "forwarded.find, its block": lambda value: forward(
        f"From: {value}\nTo: {value}\nSubject: {value}\n\nx"
    ),
    "forwarded.without_prefix": forwarded.without_prefix,
    "dsn of words": report,
    "signatures, their tags": tags,
    "signatures, a relaxed body": signed("relaxed/relaxed"),
    "signatures, a simple body": signed("simple/simple"),
    "dsn of fields": status,
    "a text": lambda value: whole(
        b"From: a@b.cc\nContent-Type: text/plain; charset=utf-8\n\n" + value.encode()
    ),
    "a page": lambda value: whole(
        b"From: a@b.cc\nContent-Type: text/html; charset=utf-8\n\n" + value.encode()
    ),
    "a part": multipart,
    "parts in parts": parts,
    "parts beside parts": many_parts,
    "flowed": lambda value: whole(
        b"From: a@b.cc\nContent-Type: text/plain; format=flowed\n\n" + value.encode()
    ),
    "base64": lambda value: whole(
        b"From: a@b.cc\nContent-Transfer-Encoding: base64\n\n" + value.encode()
    ),
    "quoted-printable": lambda value: whole(
        b"Content-Transfer-Encoding: quoted-printable\n\n" + value.encode()
    ),
    "uuencode": lambda value: whole(
        b"Content-Transfer-Encoding: x-uuencode\n\nbegin 644 x\n" + value.encode()
    ),
    "headers without a body": lambda value: whole(value.encode()),
    **{f"the header {name}": mail(name) for name in ("From", "Content-Type", "References")},
    "the header Content-Disposition": mail("Content-Disposition", "Content-Type: image/png\n"),
    "the header Content-Type, of nothing": mail("Content-Type", text=False),
}


MAILS = list(READ)[list(READ).index("dsn of words") :]


def cpu(run: Callable[[str], object], value: str) -> float:
    gc.collect(0)
    began = time.process_time()
    run(value)
    return time.process_time() - began


@pytest.mark.parametrize("name", READ)
def test_time_grows_with_the_input_and_no_faster(name: str) -> None:
    run = READ[name]
    too_fast = []
    for shape, make in SHAPES.items():
        sizes = SIZES_OF_MAILS if name in MAILS else SIZES
        inputs = [make(size) for size in dict.fromkeys(sizes)]
        best = [cpu(run, value) for value in inputs]
        for _ in range(TRIES - 1):
            if not _grows(best, inputs):
                break
            best = [
                min(before, cpu(run, value)) for before, value in zip(best, inputs, strict=True)
            ]
        if _grows(best, inputs):
            too_fast.append(f"{shape}: {', '.join(f'{seconds:.3f} s' for seconds in best)}")
    assert too_fast == []


def _grows(seconds: list[float], inputs: list[str]) -> bool:
    steps = zip(seconds, seconds[1:], inputs, inputs[1:], strict=False)
    return any(
        after > max(FLOOR, GROWTH * max(before, FLOOR / 20) * len(larger) / max(1, len(smaller)))
        for before, after, smaller, larger in steps
    )
