"""By what a mail of an archive or a pipe is known when it comes again."""

import hashlib
import re

from django.db.models import Q

from inbound.glance import HEAD
from inbound.models import InboundMail, Mailbox
from inbound.reading.message import Envelope
from inbound.stored import same_as

_KEYS, _PIPE_KEYS = "ingest=", "pipe="
_TRACE = re.compile(rb"(?<![^\r\n])received:", re.IGNORECASE)


def archive_key(raw: bytes, mailbox: Mailbox) -> str:
    """The same bytes for the same mailbox are the same mail, whatever file they lie in, and however
    often."""
    return f"{_KEYS}{mailbox.pk}:{hashlib.sha256(raw).hexdigest()}"


def pipe_key(raw: bytes, mailbox: Mailbox, envelope: Envelope) -> str | None:
    """A server that did not hear our exit code hands the same mail over again: the same bytes, for
    the same recipient.

    That may be said of what bears a trace field (RFC 5321 4.4) alone: it has the time, and mostly
    the id, of one way through one server. Without it two of the same bytes may well be two mails,
    of a form or a script that says "Disk full" twice; each is taken, for to have one twice is
    better than to lose it.
    """
    head = re.split(rb"\r?\n\r?\n|\r\r", raw[:HEAD], maxsplit=1)[0]
    if not _TRACE.search(head):
        return None
    # Some servers write the time of this very delivery before the message, in mbox's way.
    text = raw.partition(b"\n")[2] if raw.startswith(b"From ") else raw
    whose = "\n".join([*envelope.rcpt_tos, envelope.mail_from or "", ""]).encode("utf-8", "replace")
    return f"{_PIPE_KEYS}{mailbox.pk}:{hashlib.sha256(whose + text).hexdigest()}"


class Former:
    """What the mailbox has from archives by keys of a former kind (a path and a time): it is known
    by what it is."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        rows = InboundMail.objects.filter(
            mailbox=mailbox, transport="ingest", transport_key__isnull=False
        )
        self._is_any = rows.exclude(
            Q(transport_key__startswith=_KEYS) | Q(transport_key__startswith=_PIPE_KEYS)
        ).exists()

    def has(self, raw: bytes) -> bool:
        # A message of an mbox with CRLF kept the blank line behind it.
        return self._is_any and any(map(self._has, (raw, raw + b"\r\n")))

    def _has(self, raw: bytes) -> bool:
        # By the mail alone: beside its mailbox, SQLite would look through all that the mailbox has.
        found = (
            InboundMail.objects.filter(same_as(raw))
            .order_by()
            .values_list("mailbox", "transport", "transport_key")
        )
        return any(
            mailbox == self._mailbox.pk
            and transport == "ingest"
            and key
            and not key.startswith((_KEYS, _PIPE_KEYS))
            for mailbox, transport, key in found
        )
