"""Sending a mail, and what an error of that means: tried again later, or given up."""

import os
import smtplib
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
from django.db import DatabaseError, InterfaceError
from django.utils import timezone

from helpdesk import history
from helpdesk.deadline import TooLate
from helpdesk.models import MessageRef, OutboundMail
from helpdesk.outbound import notify, refusals, server_connections
from helpdesk.outbound.attached_files import NotScanned
from helpdesk.outbound.compose import message
from helpdesk.outbound.to_smtp import MayBeSent
from helpdesk.outbound.whose_fault import Whose
from helpdesk.outbound.wire import Unwritable
from inbound.faults import in_words
from inbound.secrets import Unreadable


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a mail was not taken. `whose` is empty where the fault is our own program's."""

    whose: Whose | None
    detail: str
    reason: str = ""
    pause: float = 5.0  # seconds until it is tried again, the first time

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "reason", self.reason or (self.whose.value if self.whose else "error")
        )


def send(mail: OutboundMail) -> str:
    """Hands the mail to the server or provider; the provider's own Message-ID, or "". Raises their
    errors, and NotComposed where it never came to that."""
    try:
        composed = message(mail)
    except (DatabaseError, InterfaceError):
        raise
    except Exception as error:
        raise NotComposed(f"{type(error).__name__}: {error}") from error
    with server_connections.connection(mail.mailbox) as connection:
        connection.send_messages([composed])
    status = getattr(composed, "anymail_status", None)
    if status is not None and status.status and status.status <= {"rejected", "invalid"}:
        raise AnymailRecipientsRefused(
            f"the provider says {', '.join(sorted(status.status))}", email_message=composed
        )
    if status is not None and status.status == {"failed"}:
        said = getattr(status.esp_response, "text", status.esp_response)
        raise NotTaken(f"the provider says failed: {said}"[:2000])
    found = getattr(status, "message_id", None)
    return str(found).strip("<>") if isinstance(found, str | int) else ""  # Postal's is a number


class NotComposed(Exception):
    """The row cannot be made into a mail: an attachment's file is gone, a key is missing."""


class NotTaken(Exception):
    """The provider has not sent it, for a reason that is not the recipient's."""


def sent(mail: OutboundMail, provider_id: str) -> dict[str, Any]:
    """The fields of a mail that was handed over, in the transaction that writes them. A secret one
    is wiped; an id that the provider puts in leads replies to the ticket."""
    fields: dict[str, Any] = {
        "state": OutboundMail.State.SENT,
        "sent_at": timezone.now(),
        "error": "",
        "reason": "",
        "sealed": "",
    }
    if provider_id and provider_id != mail.message_id:
        fields["provider_message_id"] = provider_id[:255]
        if mail.ticket_id:
            for found in provider_ids(provider_id):
                MessageRef.objects.create(
                    ticket_id=mail.ticket_id, message_id=found, kind=MessageRef.Kind.SENT
                )
    return fields


def provider_ids(provider_id: str) -> list[str]:
    """The Message-IDs that a provider's answer may stand for. Amazon SES answers with the left side
    alone."""
    if "@" in provider_id:
        return [provider_id[:500]]
    region = settings.ANYMAIL.get("AMAZON_SES_REGION", "") or os.environ.get(
        "AWS_DEFAULT_REGION", ""
    )
    hosts = ["email.amazonses.com", *([f"{region}.amazonses.com"] if region else [])]
    return [f"{provider_id}@{host}"[:500] for host in hosts]


def judge(error: Exception) -> Failure:
    """What an error of `send` means for the mail."""
    detail = f"{type(error).__name__}: {error}"[:2000]
    if isinstance(error, NotComposed):
        if isinstance(error.__cause__, Unreadable):
            return Failure(
                Whose.SERVER, str(error)[:2000]
            )  # the key of what the mailbox is set up with is missing
        waits = isinstance(error.__cause__, NotScanned)
        return Failure(None, str(error)[:2000], "waits for the virus scanner" if waits else "error")
    if isinstance(error, Unwritable):
        return Failure(Whose.ADDRESS, str(error)[:2000])
    if isinstance(error, MayBeSent):
        # Tried again all the same, for as often it is not; but each time may be one mail more for
        # its reader.
        return Failure(Whose.SERVER, detail, pause=300.0)
    if isinstance(error, smtplib.SMTPException):
        whose, said = refusals.of_smtp(error)
        return Failure(whose, said[:2000])
    if isinstance(error, AnymailRecipientsRefused | AnymailInvalidAddress):
        return Failure(Whose.ADDRESS, detail)
    if isinstance(error, AnymailSerializationError | AnymailCancelSend):
        return Failure(Whose.MAIL, detail)
    if isinstance(error, AnymailAPIError):
        return Failure(refusals.of_provider(error), detail)
    if isinstance(error, AnymailUnsupportedFeature | NotTaken):
        return Failure(Whose.POLICY, detail)  # what its settings ask for, as likely as not
    if isinstance(error, OSError):
        return Failure(Whose.SERVER, in_words(error))
    if isinstance(error, TooLate | server_connections.Misconfigured):
        return Failure(Whose.SERVER, detail)
    # A library's own: of this mail, or of what it was set up with.
    return Failure(Whose.UNCLEAR, detail)


def too_old(mail: OutboundMail) -> bool:
    return timezone.now() - mail.created_at > timedelta(seconds=settings.OUTBOUND_MAX_AGE)


def gave_up(mail: OutboundMail, why: str) -> None:
    """The ticket's history says that a customer did not get our mail, and the agent who wrote it is
    told."""
    if mail.ticket and mail.kind in {"reply", "acknowledgement"}:
        history.record(
            mail.ticket,
            "mail-failed",
            None,
            to=mail.to_address,
            mail=mail.pk,
            why=why[:300],
            what=mail.kind,
        )
        notify.delivery_failed(mail, why[:1000])


def expired(mail: OutboundMail) -> bool:
    return mail.expires_at is not None and timezone.now() >= mail.expires_at
