"""Mails with something broken in them: each is read in a second and in 200 MB, whatever is broken.

MUTATED_MAILS says how many (2,000); with MAIL_CORPUS they are made of the mails of a corpus, too.
"""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from inbound.reader_process import Reader
from inbound.reading.message import Envelope
from tests.inbound.reading.test_classify import DSN
from tests.support.mail import eml

COUNT = int(os.environ.get("MUTATED_MAILS", "2000"))
MOST_BYTES = 200_000_000
PIECES = [
    b"\r\n",
    b"\n\n",
    b"\n",
    b"\r",
    b"\0",
    b" " * 300,
    b"\t",
    b"--",
    b"--b",
    b"--b--\n",
    b"=?utf-8?q?",
    b"?=",
    b"=?x-\xff?b?",
    b"<",
    b">",
    b'"',
    b"\\",
    b";",
    b"; charset=",
    b"; boundary=b",
    b"Content-Type: multipart/mixed; boundary=b\n\n--b\n",
    b"Content-Type: message/rfc822\n\n",
    b"Content-Transfer-Encoding: base64\n",
    b"Content-Transfer-Encoding: quoted-printable\n",
    b"charset=utf-7",
    b"charset=idna",
    b"charset=hz",
    b"\xff\xfe",
    b"\xc3",
    b"\xf0\x9f\x98\x80",
    b"\x1b$B",
    b"<div>" * 50,
    b"<table>",
    b"<!--",
    b"<![CDATA[",
    b"<style>",
    b"&#0;",
    b"&#x110000;",
    b"From: ",
    b"Subject: ",
    b"Message-ID: <",
    b"References: " + b"<a@b> " * 50,
    b"> ",
    b"On Monday, a@b.cc wrote:\n",
    b"-- \n",
    b"begin 644 x\n",
    b"multipart/report; report-type=delivery-status",
    b"Final-Recipient: rfc822; a@b.cc\nStatus: 5.1.1\n",
    b"a" * 2000,
    b"(" * 100,
]
HTML = "<html><body><p>Hello <b>you</b></p><blockquote type=cite><p>Earlier</p></blockquote><img src='cid:a@b'></body></html>"
NESTED = b"""From: cleo@example.net
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: multipart/alternative; boundary="c d"

--c d
Content-Type: text/plain; charset=iso-8859-1; format=flowed
Content-Transfer-Encoding: quoted-printable

Gr=FC=DFe=20
aus K=F6ln
--c d
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: base64

PHA+SGFsbG88L3A+
--c d--
--b
Content-Type: message/rfc822

Subject: inner

Inner
--b
Content-Type: application/pdf; name*0="a b"; name*1=.pdf
Content-Disposition: attachment; filename*=utf-8''%e2%82%ac.pdf
Content-Transfer-Encoding: base64

JVBERi0=
--b--
"""


def sources() -> list[bytes]:
    ours = [
        DSN,
        NESTED,
        eml("Hello"),
        eml("Grüße 字", subject="Grüße 字", html=HTML),
        eml("On 1 Jan, a@b.cc wrote:\n> x\n", html=HTML),
    ]
    if folder := os.environ.get("MAIL_CORPUS"):
        ours += [path.read_bytes() for path in sorted(Path(folder).rglob("*.eml"))]
    return ours


def mutated(seed: int, found: list[bytes]) -> bytes:
    """The same for the same number, so that what fails can be looked at."""
    dice = random.Random(seed)
    raw = bytearray(dice.choice(found)[:300_000])
    for _ in range(dice.randint(1, 12)):
        place, length = dice.randrange(len(raw) + 1), dice.choice([1, 5, 40, 400, 4000])
        match dice.randrange(6):
            case 0:
                raw[place : place + length] = b""
            case 1:
                raw[place:place] = dice.choice(PIECES) * dice.choice([1, 1, 3, 50])
            case 2:
                raw[place:place] = raw[place : place + length] * dice.choice([1, 3, 20])
            case 3:
                raw[place : place + 1] = bytes([dice.randrange(256)])
            case 4:
                other = dice.choice(found)
                start = dice.randrange(len(other) + 1)
                raw[place:place] = other[start : start + length]
            case _:
                del raw[place + length * 10 :]
        raw = raw[:1_000_000]
    return bytes(raw)


@pytest.fixture
def reader() -> Iterator[Reader]:
    found = Reader()
    yield found
    found.end()


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_bytes(pid: int) -> int:
    line = next(
        line
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmHWM")
    )
    return int(line.split()[1]) * 1024


@pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="times and memory of a process are read from /proc"
)
@pytest.mark.timeout(60 + COUNT // 20)
def test_no_broken_mail_raises_or_takes_a_second_or_much_memory(reader: Reader) -> None:
    found, envelope = sources(), Envelope("a@b.cc", ("support@example.com",))
    asked = {
        "what": "read",
        "mail_from": envelope.mail_from,
        "rcpt_tos": envelope.rcpt_tos,
        "ours": [],
        "signed_path": False,
    }
    before = 0.0
    for seed in range(COUNT):
        said, _ = reader.ask(asked, mutated(seed, found), 20)  # raises what reading raised
        assert said["reading"]["verdict"]["kind"]
        now = cpu_seconds(reader.pid)
        assert now - before < (1 if seed else 3), seed  # the first imports the libraries
        before = now
    assert peak_bytes(reader.pid) < MOST_BYTES
