"""An outbox row → the message that goes over the wire."""

import json
from functools import partial

from django.conf import settings
from django.core import signing
from django.urls import reverse

from helpdesk.models import OutboundMail
from helpdesk.models.mail_kinds import KINDS
from helpdesk.models.mailing import identity_of
from helpdesk.outbound.attached_files import attach_files
from helpdesk.outbound.dkim_signing import signed
from helpdesk.outbound.message import Message
from helpdesk.outbound.wire import needs_utf8, shown
from inbound.addresses import KIND_HEADER, bounce_address, own_mark, reply_address
from inbound.reading.ours import MARK_HEADER
from inbound.secrets import decrypt, unsealed

UNSUBSCRIBE_SALT = "unsubscribe"
SHOWN_AT_MOST = 50  # in To and Cc; of more each reader sees their own address alone


def message(mail: OutboundMail) -> Message:
    """The same row gives the same mail, with the same Message-ID, however often it is sent.

    Raises FileNotFoundError for an attachment that is gone, and inbound.secrets.Unreadable.
    """
    mailbox, kind = mail.mailbox, KINDS.get(mail.kind)
    text, html = json.loads(decrypt(mail.sealed)) if mail.sealed else (mail.text, mail.html)
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
        headers["Auto-Submitted"] = (
            "auto-replied" if mail.kind == "acknowledgement" else "auto-generated"
        )
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
        subject=mail.subject,
        body=text,
        from_email=shown(mail.from_name, mailbox.address, utf8=True),
        to=[shown(mail.to_name, mail.to_address, utf8=True)],
        headers=headers,
        reply_to=[shown(mail.from_name, reply_to, utf8=True)],
    )
    composed.return_path, composed.envelope_to = _return_path(mail), mail.to_address
    composed.needs_utf8 = utf8
    composed.sign = partial(signed, mail)
    if html:
        composed.attach_alternative(html, "text/html")
    if mail.kind == "reply" and mail.comment_id:
        attach_files(composed, mail.comment_id, html)
    return composed


def unsubscribe_url(person: int, kind: str) -> str:
    """Signed: it turns one kind of mail off for one person, without signing in."""
    token = signing.dumps([person, kind], salt=UNSUBSCRIBE_SALT)
    return settings.PUBLIC_URL + reverse("unsubscribe", args=[token])


def _shown_recipients(mail: OutboundMail, utf8: bool) -> dict[str, str]:
    """To and Cc as the reader sees them: the mail goes to one of them, and the others get their
    own. Empty where it is the reader alone.

    Providers with an API send to everyone named there, so through them a mail names its reader
    alone.
    """
    through = unsealed(identity_of(mail.mailbox).email_url) or settings.EMAIL_BACKEND
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
