"""Which of our mailboxes an address leads to."""

from collections.abc import Iterable

from inbound.addresses import mailbox_candidates
from inbound.models import Mailbox


def mailbox_for(recipient: str) -> Mailbox | None:
    """The active mailbox that mail to `recipient` belongs to; `postmaster` is always somebody's."""
    return mailbox_among(recipient, mailboxes([recipient]))


def mailbox_among(recipient: str, ours: dict[str, Mailbox]) -> Mailbox | None:
    """The same, of mailboxes that were fetched for it and others."""
    candidates = mailbox_candidates(recipient)
    return next((ours[candidate] for candidate in candidates if candidate in ours), None)


def mailboxes(recipients: Iterable[str]) -> dict[str, Mailbox]:
    """The active mailboxes that mail to any of these may belong to, by address, and the first of
    each domain under postmaster@domain."""
    wanted = {each for recipient in recipients for each in mailbox_candidates(recipient)}
    found = {
        mailbox.address: mailbox
        for mailbox in Mailbox.objects.filter(address__in=wanted, is_active=True)
    }
    for candidate in wanted:
        local, _, domain = candidate.rpartition("@")
        # RFC 5321 4.5.1: postmaster is accepted, with a domain of ours or with none.
        if (local or domain) == "postmaster" and candidate not in found:
            suffix = f"@{domain}" if local else ""
            first = (
                Mailbox.objects.filter(address__endswith=suffix, is_active=True)
                .order_by("pk")
                .first()
            )
            if first:
                found[candidate] = first
    return found
