"""Who is told what: each function writes outbox rows, in the caller's transaction, and sends
nothing.

All the mails the product sends are here, a function a kind; their words are in templates/mail/, the
kinds themselves in helpdesk.models.mail_kinds.
"""

from helpdesk.outbound.notify.accounts import (
    code,
    password_reset,
    pin_issued,
    pin_used,
    registration,
)
from helpdesk.outbound.notify.customers import acknowledgement, agent_reply, status_changed
from helpdesk.outbound.notify.staff import (
    assigned,
    customer_replied,
    delivery_failed,
    digest,
    held,
    mentioned,
    sla_breach,
    sla_breach_of_team,
    sla_warning,
    test_mail,
)

__all__ = [
    "acknowledgement",
    "agent_reply",
    "assigned",
    "code",
    "customer_replied",
    "delivery_failed",
    "digest",
    "held",
    "mentioned",
    "password_reset",
    "pin_issued",
    "pin_used",
    "registration",
    "sla_breach",
    "sla_breach_of_team",
    "sla_warning",
    "status_changed",
    "test_mail",
]
