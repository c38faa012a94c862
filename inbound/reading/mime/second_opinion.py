"""mail-parser's reading of a mail in which ours has found nothing to show."""

from inbound.reading.mime.charset import clean
from inbound.reading.mime.parts import Parts

MAX_SECOND_OPINION = 100_000  # bytes; mail-parser's time is not bounded by us


def ask_mail_parser(raw: bytes, parts: Parts) -> None:
    """Adds what it reads to the segments, and that it was asked to the defects."""
    if len(raw) > MAX_SECOND_OPINION or b"\n\n" not in raw.replace(b"\r\n", b"\n").strip():
        return
    import mailparser  # 0.2 s for which each process that reads would wait; few mails need it

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
