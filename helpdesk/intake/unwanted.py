"""Mail that nobody asked for, or that comes from nobody: it lies in "To look at"."""

from helpdesk.facts import Several
from helpdesk.intake import threads
from helpdesk.intake.plan import Plan
from helpdesk.intake.understood import Understood
from helpdesk.models import BlockedSender
from inbound.models import InboundMail
from inbound.prepared import Prepared, padded

Look = InboundMail.Look


def quarantine(mail: Understood) -> Plan | None:
    if mail.row.force:
        return None
    address = mail.sender.address
    if not address and not (
        mail.answer and (mail.answer.people or threads.parent_ids(mail.parsed))
    ):
        return from_nobody(mail)
    senders = dict.fromkeys([address, mail.parsed.from_.address])
    patterns = [pattern for found in senders for pattern in patterns_of(found)]
    if blocked := sorted(found for rows in blocked_by.all(patterns).values() for found in rows):
        return Plan(
            "quarantine",
            "blocked-sender",
            reason="blocked sender",
            look=Look.BLOCKED,
            evidence={"blocked": blocked[0][1]},
        )
    name, _, value = mail.row.mailbox.spam_header.partition(":")
    if name and any(
        found.strip().lower().startswith(value.strip().lower())
        for found in mail.parsed.headers.get(name.strip().lower(), [])
    ):
        return Plan(
            "quarantine",
            "spam-header",
            reason="spam",
            look=Look.SPAM,
            evidence={"header": mail.row.mailbox.spam_header},
        )
    return None


def from_nobody(mail: Understood) -> Plan:
    reason = "from our own address" if mail.parsed.from_.address else "no sender"
    return Plan("quarantine", reason.replace(" ", "-"), reason=reason, look=Look.UNPLACED)


def patterns_of(address: str) -> tuple[str, str]:
    """What blocks an address."""
    return address, f"@{address.rpartition('@')[2]}"


def _blocked(patterns: list[str]) -> dict[str, list[tuple[int, str]]]:
    return {pattern: [(pk, pattern)] for pk, pattern in _rows(padded(patterns))}


_rows = Prepared(
    lambda patterns: BlockedSender.objects.filter(pattern__in=patterns).values_list("pk", "pattern")
)
blocked_by: Several[str, tuple[int, str]] = Several(_blocked)
