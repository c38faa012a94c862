"""Which accounts there are to watch: those of the staff site's rows, and those of IMAP_URLS."""

from django.conf import settings

from inbound.imap_folders import as_known
from inbound.models import ImapAccount
from inbound.transports.imap.account import Account


def accounts() -> list[Account]:
    """Those of the staff site that are watched, and those of IMAP_URLS; of two for one folder the
    first."""
    rows = (
        ImapAccount.objects.filter(is_active=True, mailbox__is_active=True)
        .select_related("mailbox")
        .defer("secret", "client_secret")
    )
    found: dict[str, Account] = {}
    for account in [*(of_row(row) for row in rows.order_by("pk")), *settings.IMAP_ACCOUNTS]:
        found.setdefault(account.name, account)
    return list(found.values())


def of_row(row: ImapAccount) -> Account:
    return Account(
        row.host.lower(),
        row.port,
        row.username,
        as_known(row.folder or "INBOX"),
        row.mailbox.address,
        row.security,
        auth=row.auth,
        move_to=row.move_to,
        first_contact=row.first_contact,
        row=row.pk,
        edited_at=row.edited_at,
    )
