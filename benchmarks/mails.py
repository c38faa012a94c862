"""A fixed set of mails like a helpdesk's day. The same seed gives the same bytes, on every
machine."""

import base64
import quopri
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.header import Header
from email.utils import format_datetime

SUPPORT = "support@example.com"
# one sender for so many mails: none reaches the cap of automatic mails to an address
SENDERS_FOR = 5
START = datetime(2024, 1, 8, 8, 0, tzinfo=UTC)

_WORDS = {
    "utf-8": "the printer on our third floor prints nothing since Monday — naïve question: Grüße "
    "größer "
    "invoice order please could you check the account again thank you łódź ελληνικά зачем "
    "answer café",
    "iso-8859-1": "der Drucker im dritten Stock druckt seit Montag nichts mehr könnten Sie "
    "bitte die "
    "Rechnung prüfen vielen Dank für Ihre Mühe schöne Grüße aus Köln größer übrigens très déjà",
    "iso-2022-jp": "お世話になっております プリンターが 月曜日から 動きません ご確認を お願いいたします "
    "注文番号を 添付します よろしく 会議室の 三階です 請求書 返信を お待ちして おります",
}
_CHARSETS = ("utf-8", "utf-8", "iso-8859-1", "iso-2022-jp")


@dataclass(frozen=True, slots=True)
class Mail:
    sender: str
    message_id: str
    parent: str  # "" for one that begins a thread
    shape: str  # plain, html or attachment
    raw: bytes


@dataclass(slots=True)
class _Thread:
    subject: str
    ids: list[str]
    last: str


def generate(count: int = 1000, *, seed: int = 1) -> list[Mail]:
    """Six in ten begin a thread, the others answer an earlier mail of their sender."""
    rng = random.Random(seed)
    threads: dict[str, list[_Thread]] = {}
    mails = []
    for number in range(count):
        reply = bool(threads) and number % 10 in {3, 5, 7, 9}
        sender = (
            rng.choice(list(threads))
            if reply
            else f"person{rng.randrange(max(1, count // SENDERS_FOR))}@example.net"
        )
        mails.append(_mail(rng, number, seed, sender, threads.setdefault(sender, []), reply))
    return mails


def plain(size: int, number: int, *, seed: int = 2) -> bytes:
    """One mail of `size` bytes, for the listener: text up to 8 KB, a file beyond."""
    rng = random.Random(f"{seed} {number} {size}")
    head = _headers(
        f"person{number}@example.net",
        "Size matters",
        "utf-8",
        f"size{size}.{seed}.{number}@example.net",
        number,
    )
    if size <= 8000:
        start = _message([*head, *_text_headers("us-ascii", "7bit")], b"")
        line = b"".join(
            bytes(rng.choices(b"abcdefghijklmnopqrstuvwxyz     ", k=76)) + b"\r\n"
            for _ in range(size // 78 + 1)
        )
        return (start + line)[: size - 2] + b"\r\n"
    return _with_file(rng, head, b"See the file.\r\n", "us-ascii", (size - 900) * 100 // 137)


def _mail(
    rng: random.Random, number: int, seed: int, sender: str, mine: list[_Thread], reply: bool
) -> Mail:
    charset = rng.choice(_CHARSETS)
    message_id = f"mail{number}.{seed}@example.net"
    if reply:
        thread = rng.choice(mine)
        parent, references = thread.ids[-1], thread.ids[-10:]
    else:
        thread = _Thread(_words(rng, charset, 5), [], "")
        mine.append(thread)
        parent, references = "", []
    head = _headers(sender, ("Re: " if reply else "") + thread.subject, "utf-8", message_id, number)
    if parent:
        head += [
            f"In-Reply-To: <{parent}>",
            "References: " + "\r\n ".join(f"<{found}>" for found in references),
        ]
    text = "\r\n\r\n".join(
        _words(rng, charset, rng.randint(15, 60)) for _ in range(rng.randint(1, 5))
    )
    if thread.last:
        # The history may hold another charset's letters.
        quoted = "\r\n".join(f"> {line}" for line in thread.last.split("\r\n"))
        text += f"\r\n\r\nOn Mon, Jan 8, 2024 at 9:00 AM Support <{SUPPORT}> wrote:\r\n{quoted}"
    shape = ("plain", "html", "plain", "attachment", "plain", "html")[rng.randrange(6)]
    if shape == "plain":
        encoding, body = _encode(text, charset)
        raw = _message([*head, *_text_headers(charset, encoding)], body)
    elif shape == "html":
        raw = _with_html(rng, head, text, charset)
    else:
        raw = _with_file(
            rng, head, _encode(text, charset)[1], charset, rng.randint(50_000, 500_000)
        )
    thread.ids.append(message_id)
    thread.last = text[:2000]
    return Mail(sender, message_id, parent, shape, raw)


def _headers(sender: str, subject: str, charset: str, message_id: str, number: int) -> list[str]:
    return [
        f"Received: from mx.example.net (mx.example.net [192.0.2.{number % 250 + 1}]) by "
        "mail.example.com with ESMTPS;"
        f"\r\n {format_datetime(START + timedelta(minutes=number))}",
        f"From: {Header('Jürgen Müller', 'utf-8').encode()} <{sender}>",
        f"To: Support <{SUPPORT}>",
        f"Subject: {Header(subject, charset).encode(linesep=chr(13) + chr(10))}",
        f"Date: {format_datetime(START + timedelta(minutes=number))}",
        f"Message-ID: <{message_id}>",
        "MIME-Version: 1.0",
        "X-Mailer: Benchmark 1.0",
    ]


def _with_html(rng: random.Random, head: list[str], text: str, charset: str) -> bytes:
    boundary, size = f"alt{rng.getrandbits(64):x}", rng.randint(10_000, 40_000)
    rows: list[str] = []
    while sum(map(len, rows)) < size:
        rows.append(
            '<tr><td style="padding:4px 8px;font-family:Arial,sans-serif;color:#333"><p '
            'class="MsoNormal"><b>'
            f"{_words(rng, charset, 3)}</b> {_words(rng, charset, 25)} <a "
            f'href="https://example.net/{rng.getrandbits(32)}">'
            f"{_words(rng, charset, 2)}</a></p></td></tr>\r\n"
        )
    html = (
        f'<html><head><meta charset="{charset}"><style>p.MsoNormal '
        f"{{margin:0}}</style></head><body><div>"
        f"{text.replace(chr(13) + chr(10), '<br>' + chr(13) + chr(10))}</div><table>{''.join(rows)}</table></body></html>"
    )
    parts = b""
    for kind, content in (("plain", text), ("html", html)):
        encoding, body = _encode(content, charset)
        parts += (
            b"--%s\r\n" % boundary.encode()
            + _message(_text_headers(charset, encoding, kind), body)
            + b"\r\n"
        )
    return _message(
        [*head, f'Content-Type: multipart/alternative; boundary="{boundary}"'],
        parts + b"--%s--\r\n" % boundary.encode(),
    )


def _with_file(rng: random.Random, head: list[str], body: bytes, charset: str, size: int) -> bytes:
    boundary = f"mix{rng.getrandbits(64):x}".encode()
    file_headers = [
        'Content-Type: application/pdf; name="report.pdf"',
        'Content-Disposition: attachment; filename="report.pdf"',
        "Content-Transfer-Encoding: base64",
    ]
    encoding = {"utf-8": "base64", "iso-8859-1": "quoted-printable"}.get(charset, "7bit")
    file = base64.encodebytes(rng.randbytes(size)).replace(b"\n", b"\r\n")
    parts = b"--%s\r\n%s\r\n--%s\r\n%s\r\n--%s--\r\n" % (
        boundary,
        _message(_text_headers(charset, encoding), body),
        boundary,
        _message(file_headers, file),
        boundary,
    )
    return _message(
        [*head, f'Content-Type: multipart/mixed; boundary="{boundary.decode()}"'], parts
    )


def _message(headers: list[str], body: bytes) -> bytes:
    return ("\r\n".join(headers) + "\r\n\r\n").encode("ascii") + body


def _text_headers(charset: str, encoding: str, kind: str = "plain") -> list[str]:
    return [
        f"Content-Type: text/{kind}; charset={charset}",
        f"Content-Transfer-Encoding: {encoding}",
    ]


def _encode(text: str, charset: str) -> tuple[str, bytes]:
    data = text.encode(charset, "replace")
    if charset == "utf-8":
        return "base64", base64.encodebytes(data).replace(b"\n", b"\r\n")
    if charset == "iso-8859-1":
        return "quoted-printable", quopri.encodestring(data.replace(b"\r\n", b"\n")).replace(
            b"\n", b"\r\n"
        )
    return "7bit", data


def _words(rng: random.Random, charset: str, count: int) -> str:
    words = rng.choices(_WORDS[charset].split(), k=count)
    return "\r\n".join(" ".join(words[start : start + 10]) for start in range(0, count, 10))
