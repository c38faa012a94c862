"""What today's rules do with a mail: each says what, or None to ask the next one."""

from dataclasses import replace

from helpdesk.intake import copies, placing, reports, unwanted
from helpdesk.intake.plan import Plan
from helpdesk.intake.understood import Understood
from inbound.reading.message import Evidence
from inbound.reading.sender import FROM


def decide(mail: Understood) -> Plan:
    """What today's rules do with the mail. Reads only."""
    found = (
        copies.loop(mail)
        or copies.duplicate(mail)
        or reports.bounce(mail)
        or unwanted.quarantine(mail)
        or placing.into_a_ticket(mail)
    )
    return replace(found, evidence={**_seen(mail), "rule": found.rule, **found.evidence})


def _seen(mail: Understood) -> Evidence:
    """What every mail's page shows, whichever rule decided."""
    evidence: Evidence = {
        "kind": mail.verdict.kind.value,
        "kind_reason": mail.verdict.reason,
        "kind_evidence": mail.verdict.evidence,
        "from": mail.parsed.from_.address,
        "recipients": mail.recipients,
    }
    if mail.reading.sender.by != FROM:
        evidence |= {"requester": mail.sender.address, "requester_by": mail.reading.sender.by}
    if mail.parsed.defects:
        evidence["defects"] = list(mail.parsed.defects)[:20]
    return evidence
