"""What is configured on the staff site, and the two mail queues. Tickets have pages of their own.

Django looks here for what is registered.
"""

from helpdesk.admin import (
    addresses,
    imap_accounts,
    incoming,
    mail_texts,
    mailboxes,
    outgoing,
    people,
    sla,
    teams,
)

__all__ = [
    "addresses",
    "imap_accounts",
    "incoming",
    "mail_texts",
    "mailboxes",
    "outgoing",
    "people",
    "sla",
    "teams",
]
