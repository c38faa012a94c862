"""What is to be known of the IMAP accounts."""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from inbound.models import ImapAccount, ImapCursor, Mailbox
from inbound.transports.imap import known
from inbound.transports.imap import passed_over as not_taken
from inbound.transports.imap.accounts import accounts

TOKEN_NOTICE = timedelta(days=7)
NOTICE = timedelta(days=7)
STARTED = timezone.now()


def silent() -> list[str]:
    """The IMAP accounts that have not been reached for MAILBOX_SILENCE seconds, or have got nowhere
    for as long, with what is known of it: the server's words mostly."""
    since = timezone.now() - timedelta(seconds=settings.MAILBOX_SILENCE)
    reached = {cursor.account: cursor for cursor in ImapCursor.objects.all()}
    rows = {row.pk: row for row in ImapAccount.objects.defer("secret", "client_secret")}
    found = []
    boxes = set(Mailbox.objects.filter(is_active=True).values_list("address", flat=True))
    for account in accounts():
        if account.mailbox and account.mailbox not in boxes:
            found.append(f"{account.name}: there is no mailbox {account.mailbox}")
            continue
        cursor, row = reached.get(account.name), rows.get(account.row)
        last = (cursor.contacted_at if cursor else None) or (row.created_at if row else STARTED)
        failing_since = cursor.failing_since if cursor else None
        if last < since or (failing_since and failing_since < since):
            found.append(
                f"{row or account.name}: {(cursor.error if cursor else '') or 'never reached'}"[
                    :300
                ]
            )
    return found


def expiring() -> list[str]:
    soon = timezone.now() + TOKEN_NOTICE
    rows = ImapAccount.objects.filter(
        is_active=True, auth=ImapAccount.Auth.XOAUTH2, token_expires_at__lt=soon
    )
    return [f"{row}: {row.token_expires_at:%Y-%m-%d %H:%M} UTC" for row in rows]


def passed_over() -> list[str]:
    """The messages that an IMAP account could not take in: they lie unread where they are until
    somebody has looked."""
    found = not_taken.named(account.name for account in accounts())
    return [f"{account}: {line}" for account, line in found]


def noted() -> list[str]:
    """What the IMAP accounts tell of themselves, for a while."""
    cursors = ImapCursor.objects.filter(noted_at__gt=timezone.now() - NOTICE)
    return [
        f"{cursor.account}: {cursor.noted_at:%Y-%m-%d %H:%M} UTC: {cursor.note}"
        for cursor in cursors
    ]


def came_back() -> list[str]:
    """The IMAP accounts whose mail lately came back from the folder that it was moved to."""
    return [
        ": ".join(line)
        for line in known.says_of_come_back(accounts(), since=timezone.now() - NOTICE)
    ]
