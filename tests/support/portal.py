"""A customer of the portal: their ticket, and the code that was mailed to them."""

import json
import re

from helpdesk import actions
from helpdesk.actions import Content
from helpdesk.models import OutboundMail, Ticket
from inbound.secrets import decrypt
from tests.support.mail import customer, mailbox

WITH_FILE = (
    b"From: cleo@example.net\nSubject: x\nContent-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: text/html\n\n"
    b"<p>hi</p>\n--o\nContent-Type: text/plain\nContent-Disposition: attachment; filename=a.txt\n\nmine\n--o--\n"
)
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 100


def a_ticket(**fields: object) -> Ticket:
    ticket, _ = actions.open_ticket(
        actions.NewTicket(
            requester=customer(),
            mailbox=mailbox(),
            subject="Printer",
            content=Content(text="It smokes"),
            via="portal",
            actor=None,
            **fields,
        )
    )
    return ticket


def the_code() -> str:
    return the_code_in(OutboundMail.objects.filter(kind="code").order_by("-pk")[0])


def the_code_in(mail: OutboundMail) -> str:
    found = re.search(r"\b(\d{6})\b", json.loads(decrypt(mail.sealed))[0])
    assert found is not None
    return found[1]
