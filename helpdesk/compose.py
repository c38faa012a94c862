"""An outbox row → the message that goes over the wire."""

import json
import re
from collections.abc import Callable
from email.message import Message as PlainMessage
from email.mime.image import MIMEImage
from functools import partial
from typing import Any

from django.conf import settings
from django.core import signing
from django.core.mail import EmailMultiAlternatives
from django.core.mail.message import SafeMIMEMultipart
from django.urls import reverse

from helpdesk import scanner
from helpdesk.kinds import KINDS
from helpdesk.models import Attachment, OutboundMail
from helpdesk.wire import ascii_domain, needs_utf8, shown
from inbound.addresses import KIND_HEADER, bounce_address, own_mark, reply_address
from inbound.reading.ours import MARK_HEADER
from inbound.secrets import opened, unseal

UNSUBSCRIBE_SALT = "unsubscribe"
SHOWN_AT_MOST = 50  # in To and Cc; of more each reader sees their own address alone
SIGNED = [b"From", b"To", b"Cc", b"Subject", b"Date", b"Message-ID", b"In-Reply-To", b"References", b"Reply-To",
          b"MIME-Version", b"Content-Type", b"Content-Transfer-Encoding", b"Auto-Submitted"]  # fmt: skip


class Message(EmailMultiAlternatives):
    """A mail with an envelope of its own (the return path "" is the null one, which Django's class takes for none),
    and pictures that its HTML shows in their place.

    Providers know no envelope: what django-anymail reads (`to`, `from_email`) is what the reader sees.
    """

    return_path: str = ""
    envelope_to: str = ""
    needs_utf8: bool = False  # only a server with SMTPUTF8 can take it (RFC 6531)
    sign: Callable[[bytes], bytes] | None = None  # what plain SMTP does to the bytes last

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.pictures: list[MIMEImage] = []

    def recipients(self) -> list[str]:
        return [self.envelope_to]

    def message(self, *, policy: Any = None) -> Any:
        whole = super().message()
        if self.needs_utf8:
            # RFC 6532: addresses stand there as they are. Django would encode a local part, which makes it another.
            addresses = {
                "From": self.from_email, "To": self.extra_headers.get("To", self.to[0]),
                "Cc": self.extra_headers.get("Cc", ""), "Reply-To": ", ".join(self.reply_to),
            }  # fmt: skip
            for name, value in addresses.items():
                del whole[name]
                if value:
                    PlainMessage.__setitem__(whole, name, _Utf8(value))
        return whole

    def _create_alternatives(self, msg: Any) -> Any:
        # RFC 2387: the HTML and its pictures are one multipart/related among the alternatives.
        whole = super()._create_alternatives(msg)  # type: ignore[misc]
        if self.pictures and whole.is_multipart():
            parts = whole.get_payload()
            related = SafeMIMEMultipart(_subtype="related", encoding=self.encoding or "utf-8")
            related.attach(parts.pop())
            for picture in self.pictures:
                related.attach(picture)
            whole.attach(related)
        return whole


class NotScanned(Exception):
    """A file of the mail waits for the virus scanner. Temporary."""


class _Utf8:
    """A header's value that goes out as it is."""

    def __init__(self, value: str) -> None:
        self.value = value

    def encode(self, **kwargs: object) -> str:
        """As the email package asks its Header: text whose surrogates become bytes again."""
        return self.value.encode().decode("ascii", "surrogateescape")


def message(mail: OutboundMail) -> Message:
    """The same row gives the same mail, with the same Message-ID, however often it is sent.

    Raises FileNotFoundError for an attachment that is gone, and inbound.secrets.Unreadable.
    """
    mailbox, kind = mail.mailbox, KINDS.get(mail.kind)
    text, html = json.loads(unseal(mail.sealed)) if mail.sealed else (mail.text, mail.html)
    utf8 = needs_utf8(mail.to_address) or needs_utf8(mailbox.address)
    headers = {
        "Message-ID": f"<{mail.message_id}>",
        **_shown_recipients(mail, utf8),
        KIND_HEADER: mail.kind,
        MARK_HEADER: own_mark(mail.pk, is_secret=mail.is_secret),
    }
    if mail.in_reply_to:
        headers["In-Reply-To"] = f"<{mail.in_reply_to}>"
        headers["References"] = " ".join(f"<{parent}>" for parent in mail.references.split())
    if mail.is_automatic:
        headers["Auto-Submitted"] = "auto-replied" if mail.kind == "acknowledgement" else "auto-generated"
        headers["X-Auto-Response-Suppress"] = "All"
    if kind and kind.is_bulk and mail.person_id:
        # RFC 2369 and 8058. On mail that comes by itself again and again, and on nothing else.
        headers["List-Unsubscribe"] = f"<{unsubscribe_url(mail.person_id, mail.kind)}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        headers["Precedence"] = "bulk"
    reply_to = mailbox.address
    if mail.ticket_id and mail.person_id and mailbox.plus_addressing:
        reply_to = reply_address(mailbox.address, mail.ticket_id, mail.person_id)
    composed = Message(
        subject=mail.subject, body=text, from_email=shown(mail.from_name, mailbox.address, utf8=True),
        to=[shown(mail.to_name, mail.to_address, utf8=True)], headers=headers,
        reply_to=[shown(mail.from_name, reply_to, utf8=True)],
    )  # fmt: skip
    composed.return_path, composed.envelope_to = _return_path(mail), mail.to_address
    composed.needs_utf8 = utf8
    composed.sign = partial(signed, mail)
    if html:
        composed.attach_alternative(html, "text/html")
    if mail.kind == "reply" and mail.comment_id:
        _attach_files(composed, mail.comment_id, html)
    return composed


def signed(mail: OutboundMail, raw: bytes) -> bytes:
    """The message's bytes with a DKIM signature before them, where the mailbox has a key (RFC 6376)."""
    identity = getattr(mail.mailbox, "identity", None)
    if identity is None or not identity.dkim_key:
        return raw
    import dkim  # slow to import, and few have a key

    domain = ascii_domain(mail.mailbox.address.rpartition("@")[2]).encode()
    signature: bytes = dkim.sign(
        raw, identity.dkim_selector.encode(), domain, opened(identity.dkim_key).encode(), canonicalize=(b"relaxed", b"relaxed"),
        include_headers=[name for name in SIGNED if re.search(rb"(?im)^" + name + rb":", raw.partition(b"\r\n\r\n")[0])],
    )  # fmt: skip
    return bytes(signature) + raw


def unsubscribe_url(person: int, kind: str) -> str:
    """Signed: it turns one kind of mail off for one person, without signing in."""
    token = signing.dumps([person, kind], salt=UNSUBSCRIBE_SALT)
    return settings.PUBLIC_URL + reverse("unsubscribe", args=[token])


def _shown_recipients(mail: OutboundMail, utf8: bool) -> dict[str, str]:
    """To and Cc as the reader sees them: the mail goes to one of them, and the others get their own. Empty where it
    is the reader alone.

    Providers with an API send to everyone named there, so through them a mail names its reader alone.
    """
    identity = getattr(mail.mailbox, "identity", None)
    through = opened(identity.email_url) if identity and identity.email_url else settings.EMAIL_BACKEND
    others = mail.comment.shown_to if mail.kind == "reply" and mail.comment else []
    if (
        "anymail" in through
        or len(others) > SHOWN_AT_MOST
        or not any(address != mail.to_address for _, address in others)
    ):
        return {}
    first, *rest = [shown(name, address, utf8=utf8) for name, address in others]
    return {"To": first} | ({"Cc": ", ".join(rest)} if rest else {})


def _return_path(mail: OutboundMail) -> str:
    if mail.null_return_path:
        return ""
    if mail.mailbox.plus_addressing:
        return bounce_address(mail.mailbox.address, mail.pk, is_secret=mail.is_secret)
    return str(mail.mailbox.address)


def _attach_files(composed: Message, comment: int, html: str) -> None:
    for item in Attachment.objects.filter(comment=comment).exclude(scan=Attachment.Scan.INFECTED):
        if item.scan == Attachment.Scan.WAITING and scanner.is_on():
            raise NotScanned(f"{item.name} waits for the virus scanner")
        with item.file.open("rb") as file:
            data = file.read()
        if item.content_id and f"cid:{item.content_id}" in html and item.content_type.startswith("image/"):
            picture = MIMEImage(data, _subtype=item.content_type.partition("/")[2])
            picture["Content-ID"] = f"<{item.content_id}>"
            picture.add_header("Content-Disposition", "inline", filename=item.name)
            composed.pictures.append(picture)
        else:
            composed.attach(item.name, data, item.content_type)
