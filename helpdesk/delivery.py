"""What becomes of an outgoing mail: sent, tried again later, given up, or bounced.

One table says which errors are final. Whatever is ours to repair (a wrong password, a provider that is
down, a server that refuses our address) is temporary: the mail waits until it is too old.
"""

import os
import smtplib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from anymail.exceptions import (
    AnymailAPIError,
    AnymailCancelSend,
    AnymailInvalidAddress,
    AnymailRecipientsRefused,
    AnymailSerializationError,
    AnymailUnsupportedFeature,
)
from django.conf import settings
from django.db import DatabaseError, InterfaceError, transaction
from django.utils import timezone

from helpdesk import actions, notify, routes
from helpdesk.actions import spending, suppression
from helpdesk.compose import message
from helpdesk.deadline import TooLate
from helpdesk.models import MessageRef, OutboundMail
from helpdesk.wire import Unwritable
from inbound.reading.message import DeliveryReport


@dataclass(frozen=True, slots=True)
class Failure:
    permanent: bool
    reason: str
    detail: str
    of_the_route: bool = False  # the way out fails, whatever the mail


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
    """Hands the mail to the server or provider; the provider's own Message-ID, or "". Raises their errors,
    and NotComposed where it never came to that."""
    try:
        composed = message(mail)
    except (DatabaseError, InterfaceError):
        raise
    except Exception as error:
        raise NotComposed(f"{type(error).__name__}: {error}") from error
    with routes.connection(mail.mailbox) as connection:
        connection.send_messages([composed])
    status = getattr(composed, "anymail_status", None)
    if status is not None and status.status and status.status <= {"rejected", "invalid", "failed"}:
        raise AnymailRecipientsRefused(f"the provider says {', '.join(sorted(status.status))}", email_message=composed)
    found = getattr(status, "message_id", None)
    return str(found).strip("<>") if isinstance(found, str) else ""


class NotComposed(Exception):
    """The row cannot be made into a mail: an attachment's file is gone, a key is missing."""


def sent(mail: OutboundMail, provider_id: str) -> dict[str, Any]:
    """The fields of a mail that was handed over, in the transaction that writes them. A secret one is wiped;
    an id that the provider puts in leads replies to the ticket."""
    fields: dict[str, Any] = {
        "state": OutboundMail.State.SENT, "sent_at": timezone.now(), "error": "", "reason": "", "sealed": "",
    }  # fmt: skip
    if provider_id and provider_id != mail.message_id:
        fields["provider_message_id"] = provider_id[:255]
        if mail.ticket_id:
            for found in provider_ids(provider_id):
                MessageRef.objects.create(ticket_id=mail.ticket_id, message_id=found, kind=MessageRef.Kind.SENT)
    return fields


def provider_ids(provider_id: str) -> list[str]:
    """The Message-IDs that a provider's answer may stand for. Amazon SES answers with the left side alone."""
    if "@" in provider_id:
        return [provider_id[:500]]
    region = settings.ANYMAIL.get("AMAZON_SES_REGION", "") or os.environ.get("AWS_DEFAULT_REGION", "")
    hosts = ["email.amazonses.com", *([f"{region}.amazonses.com"] if region else [])]
    return [f"{provider_id}@{host}"[:500] for host in hosts]


def judge(error: Exception) -> Failure:
    """What an error of `send` means for the mail."""
    detail = f"{type(error).__name__}: {error}"[:2000]
    if isinstance(error, NotComposed):
        return Failure(False, "error", str(error)[:2000])
    if isinstance(error, Unwritable):
        return Failure(True, "recipient refused", str(error)[:2000])
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
        final = error.status_code in FINAL_HTTP
        return Failure(final, "provider's answer", detail, of_the_route=not final)
    if isinstance(error, smtplib.SMTPException | OSError | TooLate):
        return Failure(False, "cannot reach the mail server", detail, of_the_route=True)
    # What throws for its own sake would throw again; it is tried a few times all the same.
    return Failure(False, "error", detail)


def too_old(mail: OutboundMail) -> bool:
    return timezone.now() - mail.created_at > timedelta(seconds=settings.OUTBOUND_MAX_AGE)


def gave_up(mail: OutboundMail, why: str) -> None:
    """The ticket's history says that a customer did not get our mail, and the agent who wrote it is told."""
    if mail.ticket and mail.kind in {"reply", "acknowledgement"}:
        actions.record(
            mail.ticket, "mail-failed", None, to=mail.to_address, mail=mail.pk, why=why[:300], what=mail.kind
        )
        notify.delivery_failed(mail, why[:1000])


def bounced(mail: OutboundMail, report: DeliveryReport | None, *, proven: bool) -> bool:
    """A report about a mail that we sent: the row says so, and the ticket's history. False for a repeat.

    `proven`: it came to the return path that only the mail's own receivers know, with a report's own fields. Then,
    and only then, an address that is itself reported not to exist gets no more mail: a list of people at one
    address is there though one of them is not.
    """
    if report is not None and report.is_temporary:
        return False
    why = (
        "; ".join(f"{r.address}: {r.status} {r.diagnostic}".strip() for r in report.recipients)[:1000] if report else ""
    )
    dead = report is not None and any(r.is_hard and r.address == mail.to_address for r in report.recipients)
    return _came_back(mail, why, suppress="bounce" if proven and dead else "", states=[OutboundMail.State.SENT])


def provider_event(mail: OutboundMail, kind: str, why: str, *, dead: bool) -> None:
    """What the provider reports about a mail, authenticated by its webhook: bounced, rejected, complained,
    deferred, delivered or opened. `dead`: the address itself is no good."""
    rows = OutboundMail.objects.filter(pk=mail.pk)
    if kind in {"bounced", "rejected", "failed"}:
        _came_back(mail, why, suppress="bounce" if dead else "")
    elif kind == "complained":
        _came_back(mail, why or "the reader reported it as spam", suppress="complaint")
    elif kind == "deferred":
        rows.filter(state=OutboundMail.State.SENT).update(error=why[:1000])
    elif kind == "delivered":
        rows.filter(state=OutboundMail.State.SENT).update(error="")
    elif kind == "opened" and settings.TRACK_OPENS:
        rows.filter(opened_at=None).update(opened_at=timezone.now())


def expired(mail: OutboundMail) -> bool:
    return mail.expires_at is not None and timezone.now() >= mail.expires_at


def _came_back(
    mail: OutboundMail, why: str, *, suppress: str,
    states: Sequence[str] = (OutboundMail.State.SENT, OutboundMail.State.QUEUED),
) -> bool:  # fmt: skip
    """A mail that still waits to be sent can't have come back, but for a provider's word: it may be quicker than we."""
    with transaction.atomic():
        changed = OutboundMail.objects.filter(pk=mail.pk, state__in=states).update(
            state=OutboundMail.State.BOUNCED, bounced_at=timezone.now(), error=why, sealed="",
        )  # fmt: skip
        if mail.is_secret:
            spending.spend(mail)
        if changed and mail.ticket:
            actions.record(
                mail.ticket, "mail-bounced", None, to=mail.to_address, mail=mail.pk, why=why[:300], what=mail.kind
            )
            notify.delivery_failed(mail, why)
        if suppress:
            suppression.suppress(mail, suppress, why)
    return bool(changed)


def _decode(words: bytes | str) -> str:
    return words.decode("utf-8", "replace") if isinstance(words, bytes) else words
