"""An outbox row → the message that goes over the wire."""

from email.utils import formataddr

from django.core.mail import EmailMultiAlternatives

from helpdesk.models import Attachment, OutboundMail
from inbound.addresses import bounce_address, reply_address
from inbound.classify import OUR_HEADER


class Message(EmailMultiAlternatives):
    """A mail with a return path of its own. "" is the null one, which Django's class takes for none."""

    envelope_sender: str = ""


def message(mail: OutboundMail) -> Message:
    """The same row gives the same mail, with the same Message-ID, however often it is sent."""
    mailbox = mail.mailbox
    headers = {
        "Message-ID": f"<{mail.message_id}>",
        "From": formataddr((mail.from_name, mailbox.address), charset="utf-8"),
        "To": formataddr((mail.to_name, mail.to_address), charset="utf-8"),
        OUR_HEADER: mail.kind,
    }
    if mail.in_reply_to:
        headers["In-Reply-To"] = f"<{mail.in_reply_to}>"
        headers["References"] = " ".join(f"<{parent}>" for parent in mail.references.split())
    if mail.is_automatic:
        headers["Auto-Submitted"] = "auto-replied" if mail.kind == "acknowledgement" else "auto-generated"
        headers["X-Auto-Response-Suppress"] = "All"
    reply_to = mailbox.address
    if mail.ticket_id and mailbox.plus_addressing:
        reply_to = reply_address(mailbox.address, mail.ticket_id, mail.person_id)
    if mail.null_return_path:
        sender = ""
    elif mailbox.plus_addressing:
        sender = bounce_address(mailbox.address, mail.pk)
    else:
        sender = mailbox.address
    composed = Message(
        subject=mail.subject, body=mail.text, from_email=mailbox.address, to=[mail.to_address], headers=headers,
        reply_to=[formataddr((mail.from_name, reply_to), charset="utf-8")],
    )  # fmt: skip
    composed.envelope_sender = sender
    if mail.html:
        composed.attach_alternative(mail.html, "text/html")
    if mail.kind == "reply" and mail.comment_id:
        for item in Attachment.objects.filter(comment=mail.comment_id):
            with item.file.open("rb") as file:
                composed.attach(item.name, file.read(), item.content_type)
    return composed
