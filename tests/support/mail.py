"""Mail for tests: written in one line, received as a transport would hand it over, delivered to a
folder."""

from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from helpdesk.models import OutboundMail, Person, Ticket
from inbound import store
from inbound.models import InboundMail, Mailbox
from inbound.reading.message import Envelope
from tasks import outbound
from tasks.inbound import process, process_slow
from tasks.outbound import deliver

SUPPORT = "support@example.com"


def mailbox(address: str = SUPPORT) -> Mailbox:
    return Mailbox.objects.get_or_create(address=address, defaults={"name": "Example Support"})[0]


def eml(
    text: str = "Hello",
    *,
    sender: str = "Cleo <cleo@example.net>",
    to: str = SUPPORT,
    subject: str = "Help",
    message_id: str = "",
    html: str = "",
    **headers: str,
) -> bytes:
    """A mail's bytes; further headers as keywords: in_reply_to="<a@b>"."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, to, subject
    if message_id:
        mail["Message-ID"] = f"<{message_id}>"
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(text)
    if html:
        mail.add_alternative(html, subtype="html")
    return mail.as_bytes()


def arrive(
    raw: bytes,
    *,
    rcpt: str = SUPPORT,
    mail_from: str = "cleo@example.net",
    client: str = "127.0.0.1 (test)",
) -> InboundMail:
    """Stored, and not yet processed. `client` is the server that hands it over; the default is our
    own."""
    mailbox()
    (pk,) = store.accept(raw, Envelope(mail_from, (rcpt,), client), "smtp")
    return InboundMail.objects.get(pk=pk)


def receive(
    raw: bytes,
    *,
    rcpt: str = SUPPORT,
    mail_from: str = "cleo@example.net",
    client: str = "127.0.0.1 (test)",
) -> InboundMail:
    """Stored and processed; the row as it is afterwards."""
    row = arrive(raw, rcpt=rcpt, mail_from=mail_from, client=client)
    process(row.pk)
    row.refresh_from_db()
    if (
        row.is_slow and row.state == InboundMail.State.RECEIVED
    ):  # so it is on a machine that is busy with other things
        process_slow(row.pk)
        row.refresh_from_db()
    return row


def another_worker_has(row: InboundMail) -> None:
    """It is leased, for a while."""
    soon = timezone.now() + timedelta(minutes=10)
    InboundMail.objects.filter(pk=row.pk).update(next_attempt_at=soon)


def ticket_of(row: InboundMail) -> Ticket:
    return Ticket.objects.get(pk=row.ticket_number or 0)


def agent(name: str = "Ada") -> Person:
    address = f"{name.lower()}@example.com"
    found = Person.objects.filter(email=address).first()
    return found or Person.objects.create_user(
        address, "correct horse battery", name=name, role=Person.Role.AGENT
    )


def customer(address: str = "cleo@example.net", name: str = "Cleo") -> Person:
    return Person.objects.filter(email=address).first() or Person.objects.create_user(
        address, name=name
    )


def delivered(mail: OutboundMail) -> bytes:
    """Sends that one; the mail as it left, with its headers alone before it."""
    deliver_alone(mail.pk)
    raw = max(Path(settings.EMAIL_FILE_PATH).glob("*.eml")).read_bytes()
    return raw.split(b"\r\n", 2)[2]


def deliver_alone(pk: int) -> None:
    """Sends that one, and nothing that is due beside it."""
    outbound.deliver_row(outbound.queued(), pk)


def deliver_all() -> list[bytes]:
    """Sends what is queued; every mail that was sent to files so far, in order."""
    for pk in (
        OutboundMail.objects.filter(state="queued").order_by("pk").values_list("pk", flat=True)
    ):
        deliver(pk)
    folder = Path(settings.EMAIL_FILE_PATH)
    return [path.read_bytes() for path in sorted(folder.glob("*.eml"))] if folder.is_dir() else []
