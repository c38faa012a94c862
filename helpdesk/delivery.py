"""What becomes of an outgoing mail: sent, tried again later, given up, or bounced.

One table says which errors are final. Whatever is ours to repair (a wrong password, a provider that is
down, a server that refuses our address) is temporary: the mail waits until it is too old.
"""

import smtplib
from dataclasses import dataclass
from datetime import timedelta

from anymail.exceptions import (
    AnymailAPIError,
    AnymailCancelSend,
    AnymailInvalidAddress,
    AnymailRecipientsRefused,
    AnymailSerializationError,
    AnymailUnsupportedFeature,
)
from django.conf import settings
from django.core.mail import get_connection
from django.db import transaction
from django.utils import timezone

from helpdesk import actions
from helpdesk.compose import message
from helpdesk.models import OutboundMail
from inbound.message import DeliveryReport


@dataclass(frozen=True, slots=True)
class Failure:
    permanent: bool
    reason: str
    detail: str


# Replies to RCPT and DATA that begin with 5 and are not about this mail or its recipient for good:
# they pass, or they are ours to repair (RFC 3463 classes in brackets).
NOT_FINAL = {
    421,  # the server shuts down
    432,  # Exchange: too many connections
    454,  # TLS or authentication not available just now
    530, 534, 535, 538,  # we must authenticate, or do it better
    552,  # mailbox full, as often as too large (RFC 5321 4.5.3.1.10 says: treat as 452)
}  # fmt: skip
# Anymail's answers by HTTP status: the provider refused this message, and would again.
FINAL_HTTP = {400, 413, 422}


def send(mail: OutboundMail) -> str:
    """Hands the mail to the server or provider; the provider's own Message-ID, or "". Raises its errors."""
    composed = message(mail)
    with get_connection() as connection:
        connection.send_messages([composed])
    status = getattr(composed, "anymail_status", None)
    if status is not None and status.status and status.status <= {"rejected", "invalid", "failed"}:
        raise AnymailRecipientsRefused(f"the provider says {', '.join(sorted(status.status))}", email_message=composed)
    found = getattr(status, "message_id", None)
    return str(found).strip("<>") if isinstance(found, str) else ""


def judge(error: Exception) -> Failure:
    """What an error of `send` means for the mail."""
    detail = f"{type(error).__name__}: {error}"[:2000]
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, words = next(iter(error.recipients.values()))
        detail = f"{code} {_decode(words)}"[:2000]
        return Failure(code >= 500 and code not in NOT_FINAL, "recipient refused", detail)
    if isinstance(error, smtplib.SMTPDataError):
        code, said = error.smtp_code, _decode(error.smtp_error)
        return Failure(code >= 500 and code not in NOT_FINAL, "message refused", f"{code} {said}"[:2000])
    if isinstance(error, smtplib.SMTPSenderRefused):
        # It is our return path that the server doesn't like: ours to repair.
        return Failure(False, "our sender refused", f"{error.smtp_code} {_decode(error.smtp_error)}"[:2000])
    if isinstance(error, AnymailRecipientsRefused | AnymailInvalidAddress):
        return Failure(True, "recipient refused", detail)
    if isinstance(error, AnymailUnsupportedFeature | AnymailSerializationError | AnymailCancelSend):
        return Failure(True, "message refused", detail)
    if isinstance(error, AnymailAPIError):
        return Failure(error.status_code in FINAL_HTTP, "provider's answer", detail)
    if isinstance(error, smtplib.SMTPException | OSError):
        return Failure(False, "cannot reach the mail server", detail)
    # What throws for its own sake would throw again; it is tried a few times all the same.
    return Failure(False, "error", detail)


def too_old(mail: OutboundMail) -> bool:
    return timezone.now() - mail.created_at > timedelta(seconds=settings.OUTBOUND_MAX_AGE)


def gave_up(mail: OutboundMail, why: str) -> None:
    """The ticket's history says that a customer did not get our mail."""
    if mail.ticket and mail.kind in {"reply", "acknowledgement"}:
        actions.record(
            mail.ticket, "mail-failed", None, to=mail.to_address, mail=mail.pk, why=why[:300], what=mail.kind
        )


def bounced(mail: OutboundMail, report: DeliveryReport | None) -> bool:
    """A report about a mail that we sent: the row says so, and the ticket's history. False for a repeat."""
    if report is not None and report.is_temporary:
        return False
    why = (
        "; ".join(f"{r.address}: {r.status} {r.diagnostic}".strip() for r in report.recipients)[:1000] if report else ""
    )
    with transaction.atomic():
        changed = OutboundMail.objects.filter(
            pk=mail.pk, state__in=[OutboundMail.State.SENT, OutboundMail.State.QUEUED]
        ).update(state=OutboundMail.State.BOUNCED, bounced_at=timezone.now(), error=why)  # fmt: skip
        if changed and mail.ticket:
            actions.record(
                mail.ticket, "mail-bounced", None, to=mail.to_address, mail=mail.pk, why=why[:300], what=mail.kind
            )
    return bool(changed)


def _decode(words: bytes | str) -> str:
    return words.decode("utf-8", "replace") if isinstance(words, bytes) else words
