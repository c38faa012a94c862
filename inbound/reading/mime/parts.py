"""A mail's tree of parts → what is to be read, in its order, and what is to be kept as files."""

import re
from dataclasses import dataclass, field
from email.message import Message

from inbound.reading import headers
from inbound.reading.html.safe import text_to_html
from inbound.reading.html.text import html_to_text
from inbound.reading.message import Attachment
from inbound.reading.mime.charset import clean, decode
from inbound.reading.mime.file_names import safe_name
from inbound.reading.mime.flowed import unflow
from inbound.reading.mime.parameters import parameters
from inbound.reading.mime.structure import as_bytes, content_type, raw_header
from inbound.reading.mime.transfer import payload

Segment = tuple[str, str]  # a piece of the body as text, or as HTML, or as both


@dataclass
class Parts:
    segments: list[Segment] = field(default_factory=list)  # in their order
    attachments: list[Attachment] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)
    count: int = 0


def collect(message: Message) -> Parts:
    """Walks the tree."""
    parts = Parts()
    _collect(message, parts, parts.segments)
    return parts


def body(segments: list[Segment]) -> tuple[str, str]:
    """All segments as text, and as HTML where at least one of them is HTML."""
    texts = (text if text.strip() else html_to_text(html) for text, html in segments)
    return "\n".join(texts), _html(segments)


def _html(segments: list[Segment]) -> str:
    if not any(html for _, html in segments):
        return ""
    if len(segments) == 1:
        return segments[0][1]
    return "\n".join(f"<div>{html or text_to_html(text)}</div>" for text, html in segments)


def _collect(part: Message, parts: Parts, segments: list[Segment]) -> None:
    parts.count += 1
    kind, params = content_type(part)
    if kind.startswith("message/") and part.is_multipart():
        _keep_message(part, kind, params, parts)
    elif part.is_multipart():
        children: list[list[Segment]] = []
        for child in part.get_payload():
            child_segments: list[Segment] = []
            _collect(child, parts, child_segments)  # type: ignore[arg-type]
            children.append(child_segments)
        if kind == "multipart/alternative":
            segments += _one_of(children)
        else:
            segments += [segment for child in children for segment in child]
    else:
        _leaf(part, kind, params, parts, segments)


def _one_of(children: list[list[Segment]]) -> list[Segment]:
    """The alternatives of one text (RFC 2046 5.1.4): its plainest and its richest rendering."""
    rich = [child for child in children if any(html.strip() for _, html in child)]
    plain = [
        "\n".join(text for text, _ in child) for child in children if child and child not in rich
    ]
    text = next((text for text in plain if text.strip()), "")
    html = _html(rich[-1]) if rich else ""
    return [(text, html)] if text or html else []


def _leaf(
    part: Message, kind: str, params: dict[str, str], parts: Parts, segments: list[Segment]
) -> None:
    disposition, given = parameters(raw_header(part, "content-disposition"))
    name = given.get("filename") or params.get("name") or params.get("filename") or ""
    data = payload(part)
    is_text = kind in {"text/plain", "text/html"} and disposition != "attachment"
    # Apple Mail and some web mailers give the body itself a name; nothing else is there to read.
    if is_text and (not name or parts.count == 1):
        if data.strip():
            segments.append(_segment(kind, params, data))
        return
    if not data and not name:
        return
    content_id = headers.normal_id(headers.text(raw_header(part, "content-id")))[:255]
    # Outlook and Chatwoot's users' mailers send cid images with no disposition at all.
    is_inline = bool(content_id) and kind.startswith("image/") and disposition != "attachment"
    safe = safe_name(name, kind, parts.count)
    parts.attachments.append(
        Attachment(parts.count, safe, kind[:100], data, content_id=content_id, is_inline=is_inline)
    )


def _segment(kind: str, params: dict[str, str], data: bytes) -> Segment:
    text = clean(decode(data, _charset(kind, params, data)))
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if kind == "text/html":
        return "", text
    if params.get("format", "").lower() == "flowed":
        text = unflow(text, delsp=params.get("delsp", "").lower() == "yes")
    return text, ""


def _charset(kind: str, params: dict[str, str], data: bytes) -> str:
    if label := params.get("charset", ""):
        return label
    if kind == "text/html":
        for tag in re.findall(rb"<meta[^<>]*+", data[:4000], re.IGNORECASE):
            if match := re.search(rb"""charset=["']?([A-Za-z0-9_:.-]{1,60})""", tag, re.IGNORECASE):
                return str(match[1].decode())
    return ""


def _keep_message(part: Message, kind: str, params: dict[str, str], parts: Parts) -> None:
    """A mail inside the mail (a forward, a report's original) is kept as a file, not read as
    ours."""
    inner = part.get_payload()
    blocks = [block for block in inner if isinstance(block, Message)]  # type: ignore[union-attr]
    data = b"\n".join(_flatten(block) for block in blocks)
    if not data.strip():
        return
    given = parameters(raw_header(part, "content-disposition"))[1]
    name = given.get("filename") or params.get("name") or ""
    if not name and kind == "message/rfc822" and blocks:
        subject = headers.text(raw_header(blocks[0], "subject"))
        name = f"{subject[:80] or 'message'}.eml"
    safe = safe_name(name, kind, parts.count)
    parts.attachments.append(Attachment(parts.count, safe, kind[:100], data))


def _flatten(message: Message) -> bytes:
    try:
        return as_bytes(message)
    except (KeyError, LookupError, UnicodeError, ValueError, TypeError, AttributeError):
        # The generator gives up on some defects; the headers and the raw payload lose nothing.
        lines = [f"{name}: {value}" for name, value in message.raw_items()]
        content = message._payload  # type: ignore[attr-defined]
        body = content if isinstance(content, str) else ""
        return "\n".join([*lines, "", body]).encode("utf-8", "surrogateescape")
