"""What arrived: the addresses we answer for, every mail accepted for them, and its bytes."""

from inbound.models.imap_account import ImapAccount, ImapCursor
from inbound.models.imap_lease import ImapLease
from inbound.models.imap_messages import ImapCameBack, ImapPassedOver
from inbound.models.mail import InboundMail
from inbound.models.mailbox import Mailbox
from inbound.models.raw_mail import RawMail

__all__ = [
    "ImapAccount",
    "ImapCameBack",
    "ImapCursor",
    "ImapLease",
    "ImapPassedOver",
    "InboundMail",
    "Mailbox",
    "RawMail",
]
