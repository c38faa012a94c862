"""What this project understands of a mail, in the keys of the corpus's expectations."""

from typing import Any

from inbound.reading.classify import classify
from inbound.reading.dsn import report
from inbound.reading.message import Envelope, Kind
from inbound.reading.parse import parse
from inbound.reading.quotes import split
from inbound.reading.quoting.quoted_text import split_text


def understand(raw: bytes, is_rfc822: bool) -> dict[str, Any]:
    if not is_rfc822:
        text = raw.decode("utf-8", "replace")
        return {"body_text": text, "reply_text": split_text(text)[0]}
    mail = parse(raw)
    verdict = classify(mail, Envelope(), ())
    found: dict[str, Any] = {
        "from_addr": mail.from_.address,
        "from_name": mail.from_.name,
        "subject": mail.subject,
        "message_id": mail.message_id,
        "body_text": mail.text,
        "reply_text": split(mail.text, mail.html).text,
        "attachments": [(a.name, len(a.data)) for a in mail.attachments],
        "is_auto": verdict.kind is not Kind.PERSON,
        "is_bounce": verdict.kind is Kind.BOUNCE,
    }
    if delivery := report(raw):
        found |= {
            "recipients": [r.address for r in delivery.recipients],
            "temporary": delivery.is_temporary,
            "hard": delivery.is_hard,
        }
    return found
