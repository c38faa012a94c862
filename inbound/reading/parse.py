"""Bytes → ParsedMail. Never raises on a bad mail: what is wrong with it is listed in `defects`.

Be careful with what comes out of it: From is whatever the sender typed, dates are false, names hold
markup, HTML holds script (`body.safe_html` before showing it), attachments are what they like to be.

The structure is read with the standard library's compat32 policy, the only one that keeps every byte;
headers, charsets and transfer encodings are decoded here, because real mail breaks them in ways on
which the modern policy raises. Where that finds nothing to show in a mail that has content,
mail-parser is asked for a second opinion.
"""

import base64
import binascii
import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message

from inbound.reading import headers
from inbound.reading.body import html_to_text, text_to_html, unflow
from inbound.reading.charset import clean, decode
from inbound.reading.message import Address, Attachment, ParsedMail
from inbound.reading.structure import as_bytes, content_type, raw_header, read_structure

KEPT_HEADER_BYTES = 100_000
MAX_SECOND_OPINION = 100_000  # bytes; mail-parser's time is not bounded by us


def parse(raw: bytes) -> ParsedMail:
    raw = _without_junk_before(raw)
    message = read_structure(raw)
    found = _headers(message)
    parts = _Parts()
    _collect(message, parts, parts.segments, depth=0)
    if not parts.segments and not parts.attachments:
        _ask_mail_parser(raw, parts)
    text, html = _body(parts.segments)

    def all_of(name: str) -> str:
        return ", ".join(found.raw.get(name, []))

    sender = headers.addresses(all_of("from")) or headers.addresses(all_of("sender"))
    return ParsedMail(
        from_=sender[0] if sender else (headers.addresses(all_of("return-path")) or (Address(""),))[0],
        reply_to=headers.addresses(all_of("reply-to")),
        to=headers.addresses(all_of("to")),
        cc=headers.addresses(all_of("cc")),
        subject=(found.decoded.get("subject") or [""])[0][:500],
        message_id=_message_id(found.raw.get("message-id", [])),
        in_reply_to=headers.message_ids(" ".join(found.raw.get("in-reply-to", []))),
        references=headers.message_ids(" ".join(found.raw.get("references", []))),
        date=headers.date((found.raw.get("date") or [""])[0]),
        text=text,
        html=html,
        attachments=tuple(parts.attachments),
        headers=found.decoded,
        defects=tuple(dict.fromkeys([*parts.defects, *_defects(message)])),
    )


def payload(part: Message) -> bytes:
    """A leaf's content with its transfer encoding undone (RFC 2045 section 6), as far as it can be."""
    content = part._payload  # type: ignore[attr-defined]  # get_payload() guesses, and raises on some
    if not isinstance(content, str):
        return b""
    data = content.encode("utf-8", "surrogateescape")
    encoding = raw_header(part, "content-transfer-encoding")[:100].split(";")[0].strip().strip('"').lower()
    if encoding == "base64":
        try:
            return base64.b64decode(data)
        except binascii.Error:
            return headers.from_base64(data)
    if encoding in {"quoted-printable", "quoted-printible", "qp"}:
        return quopri.decodestring(data)
    if encoding in {"x-uuencode", "uuencode", "uue", "x-uue"}:
        return _uudecode(data)
    return data


@dataclass
class _Found:
    raw: dict[str, list[str]] = field(default_factory=dict)
    decoded: dict[str, list[str]] = field(default_factory=dict)


@dataclass
class _Parts:
    segments: list[tuple[str, str]] = field(default_factory=list)  # (text, html) in their order
    attachments: list[Attachment] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)
    count: int = 0


def _without_junk_before(raw: bytes) -> bytes:
    """Without blank lines and mbox's "From " line, which would end the headers before they begin."""
    raw = raw.lstrip(b"\r\n") if raw[:1] in b"\r\n" else raw
    if raw.startswith((b"From ", b">From ")):
        raw = raw.partition(b"\n")[2]
    return raw


def _headers(message: Message) -> _Found:
    found, size = _Found(), 0
    for name, value in message.raw_items():
        value = str(value)
        size += len(name) + len(value)
        name = name.strip().lower()
        # What comes late or is repeated without end is left out; what a mail is placed by is not.
        if size > KEPT_HEADER_BYTES and (name in found.raw or name not in _NEEDED):
            continue
        found.raw.setdefault(name, []).append(value)
        found.decoded.setdefault(name, []).append(headers.text(value))
    return found


_NEEDED = {"from", "to", "cc", "reply-to", "subject", "message-id", "in-reply-to", "references", "date", "content-type"}


def _message_id(values: list[str]) -> str:
    for value in values:
        if ids := headers.message_ids(value):
            return ids[0]
        if bare := headers.normal_id(headers.text(value)):
            return bare
    return ""


def _collect(part: Message, parts: _Parts, segments: list[tuple[str, str]], depth: int) -> None:
    """Walks the tree: what is to be read goes to `segments`, what is to be kept to `parts.attachments`."""
    parts.count += 1
    kind, params = content_type(part)
    if kind.startswith("message/") and part.is_multipart():
        _keep_message(part, kind, params, parts)
    elif part.is_multipart():
        children: list[list[tuple[str, str]]] = []
        for child in part.get_payload():
            child_segments: list[tuple[str, str]] = []
            _collect(child, parts, child_segments, depth + 1)  # type: ignore[arg-type]
            children.append(child_segments)
        if kind == "multipart/alternative":
            segments += _one_of(children)
        else:
            segments += [segment for child in children for segment in child]
    else:
        _leaf(part, kind, params, parts, segments)


def _one_of(children: list[list[tuple[str, str]]]) -> list[tuple[str, str]]:
    """The alternatives of one text (RFC 2046 5.1.4): its plainest and its richest rendering."""
    rich = [child for child in children if any(html.strip() for _, html in child)]
    plain = ["\n".join(text for text, _ in child) for child in children if child and child not in rich]
    text = next((text for text in plain if text.strip()), "")
    html = _html(rich[-1]) if rich else ""
    if not text and not html:
        return []
    return [(text, html)]


def _body(segments: list[tuple[str, str]]) -> tuple[str, str]:
    """All segments as text, and as HTML where at least one of them is HTML."""
    return "\n".join(text if text.strip() else html_to_text(html) for text, html in segments), _html(segments)


def _html(segments: list[tuple[str, str]]) -> str:
    if not any(html for _, html in segments):
        return ""
    if len(segments) == 1:
        return segments[0][1]
    return "\n".join(f"<div>{html or text_to_html(text)}</div>" for text, html in segments)


def _leaf(part: Message, kind: str, params: dict[str, str], parts: _Parts, segments: list[tuple[str, str]]) -> None:
    disposition, disposition_params = headers.parameters(raw_header(part, "content-disposition"))
    name = disposition_params.get("filename") or params.get("name") or params.get("filename") or ""
    data = payload(part)
    is_body = kind in {"text/plain", "text/html"} and disposition != "attachment" and not name
    # Apple Mail and some web mailers give the body itself a name; nothing else is there to read.
    is_body |= kind in {"text/plain", "text/html"} and disposition != "attachment" and parts.count == 1
    if is_body:
        if not data.strip():
            return
        text = clean(decode(data, _charset(kind, params, data))).replace("\r\n", "\n").replace("\r", "\n")
        if kind == "text/html":
            segments.append(("", text))
        else:
            if params.get("format", "").lower() == "flowed":
                text = unflow(text, delsp=params.get("delsp", "").lower() == "yes")
            segments.append((text, ""))
        return
    if not data and not name:
        return
    content_id = headers.normal_id(headers.text(raw_header(part, "content-id")))[:255]
    parts.attachments.append(
        Attachment(
            part=parts.count,
            name=safe_name(name, kind, parts.count),
            content_type=kind[:100],
            data=data,
            content_id=content_id,
            # Outlook and Chatwoot's users' mailers send cid images with no disposition at all.
            is_inline=bool(content_id) and kind.startswith("image/") and disposition != "attachment",
        )
    )


def _keep_message(part: Message, kind: str, params: dict[str, str], parts: _Parts) -> None:
    """A mail inside the mail (a forward, a report's original) is kept as a file, not read as ours."""
    inner = part.get_payload()
    blocks = [block for block in inner if isinstance(block, Message)] if isinstance(inner, list) else []
    data = b"\n".join(_flatten(block) for block in blocks)
    if not data.strip():
        return
    disposition = headers.parameters(raw_header(part, "content-disposition"))[1]
    name = disposition.get("filename") or params.get("name") or ""
    if not name and kind == "message/rfc822" and blocks:
        subject = headers.text(raw_header(blocks[0], "subject"))
        name = f"{subject[:80] or 'message'}.eml"
    parts.attachments.append(Attachment(parts.count, safe_name(name, kind, parts.count), kind[:100], data))


def _flatten(message: Message) -> bytes:
    try:
        return as_bytes(message)
    except (KeyError, LookupError, UnicodeError, ValueError, TypeError, AttributeError):
        # The generator gives up on some defects; the headers and the raw payload lose nothing.
        lines = [f"{name}: {value}" for name, value in message.raw_items()]
        body = message._payload if isinstance(message._payload, str) else ""  # type: ignore[attr-defined]
        return "\n".join([*lines, "", body]).encode("utf-8", "surrogateescape")


_EXTENSIONS = {
    "text/plain": "txt",
    "text/html": "html",
    "text/calendar": "ics",
    "text/vcard": "vcf",
    "text/x-vcard": "vcf",
    "text/csv": "csv",
    "text/rfc822-headers": "txt",
    "message/rfc822": "eml",
    "message/delivery-status": "txt",
    "message/disposition-notification": "txt",
    "message/feedback-report": "txt",
    "image/jpeg": "jpg",
    "image/svg+xml": "svg",
    "application/pdf": "pdf",
    "application/zip": "zip",
    "application/msword": "doc",
    "application/pgp-signature": "asc",
    "application/pkcs7-signature": "p7s",
}


def safe_name(name: str, kind: str, part: int) -> str:
    """A file name to show and store: its last path component, no control characters, 200 at the most."""
    name = re.split(r"[\\/]", headers.one_line(name[-1000:]))[-1].strip(". ")
    name = re.sub(r'[<>:"|?*]', "_", name)
    if not name:
        extension = _EXTENSIONS.get(kind) or (kind.split("/")[1] if kind.startswith("image/") else "bin")
        return f"part-{part}.{extension}"
    if len(name) > 200:
        stem, dot, extension = name.rpartition(".")
        name = f"{stem[: 190 - len(extension)]}.{extension}" if dot and len(extension) < 20 else name[:200]
    return name


def _charset(kind: str, params: dict[str, str], data: bytes) -> str:
    if label := params.get("charset", ""):
        return label
    if kind == "text/html":
        for tag in re.findall(rb"<meta[^<>]*+", data[:4000], re.IGNORECASE):
            if match := re.search(rb"""charset=["']?([A-Za-z0-9_:.-]{1,60})""", tag, re.IGNORECASE):
                return str(match[1].decode())
    return ""


def _uudecode(data: bytes) -> bytes:
    lines = iter(data.splitlines())
    for line in lines:
        if line.startswith(b"begin "):
            break
    decoded = bytearray()
    for line in lines:
        if line.strip() in {b"end", b"`", b""}:
            break
        try:
            decoded += binascii.a2b_uu(line)
        except binascii.Error:
            # Workaround for broken encoders, as in the standard library's uu module.
            count = (((line[0] - 32) & 63) * 4 + 5) // 3
            try:
                decoded += binascii.a2b_uu(line[:count])
            except binascii.Error:
                break
    return bytes(decoded)


def _ask_mail_parser(raw: bytes, parts: _Parts) -> None:
    if len(raw) > MAX_SECOND_OPINION or b"\n\n" not in raw.replace(b"\r\n", b"\n").strip():
        return
    import mailparser  # few mails need it, and each process that reads would wait for it

    try:
        second = mailparser.parse_from_bytes(raw)
        texts, htmls = list(second.text_plain), list(second.text_html)
    except Exception as error:  # it raises nearly anything on a defect; ours is the answer then
        parts.defects.append(f"mail-parser: {type(error).__name__}")
        return
    parts.segments += [(clean(text), "") for text in texts if text.strip()]
    if not parts.segments:
        parts.segments += [("", clean(html)) for html in htmls if html.strip()]
    if parts.segments:
        parts.defects.append("read by mail-parser")


def _defects(message: Message) -> Iterator[str]:
    for part in message.walk():
        for defect in part.defects:
            yield type(defect).__name__
