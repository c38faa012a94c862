"""Delivery reports about mail that we sent."""

from helpdesk import participants, people
from helpdesk.intake import threads
from helpdesk.intake.plan import SIGNED_PATH, Plan
from helpdesk.intake.understood import Understood
from helpdesk.models import OutboundMail
from inbound.models import InboundMail
from inbound.reading.message import Evidence, Kind

Look = InboundMail.Look
BY_ITS_PARTS = {"delivery-status-report", "delivery-status-part"}


def bounce(mail: Understood) -> Plan | None:
    if mail.verdict.kind is not Kind.BOUNCE or mail.row.force:
        return None
    by = SIGNED_PATH
    sent = next(iter(threads.returned_to(mail.named)), None)
    original = mail.report.original_message_id if mail.report else ""
    ids = [original] if original else [*threads.parent_ids(mail.parsed)]
    if sent is None and ids:
        found = OutboundMail.objects.select_related("mailbox").filter(message_id__in=ids)
        sent, by = found.first(), "Message-ID of the returned mail"
    looked: Evidence = {
        "report": [
            {
                "address": r.address,
                "action": r.action,
                "status": r.status,
                "diagnostic": r.diagnostic[:300],
            }
            for r in (mail.report.recipients if mail.report else ())
        ],
        "original_message_id": original,
    }
    if not _is_report(mail, sent):
        return None  # its words alone speak of a failure: whoever wrote it is heard
    if sent is None:
        return Plan(
            "quarantine",
            "report-on-nothing-we-sent",
            reason="unknown report",
            look=Look.BACKSCATTER,
            evidence=looked,
        )
    if by != SIGNED_PATH and sent.mailbox.plus_addressing and not sent.null_return_path:
        # Whoever has seen the mail knows its id; its reports come to its return path.
        return Plan(
            "quarantine",
            "report-not-on-its-return-path",
            reason="unproven report",
            look=Look.UNPLACED,
            ticket=sent.ticket_id,
            evidence={**looked, "outbound": sent.pk},
        )
    return Plan(
        "bounce",
        "bounce",
        ticket=sent.ticket_id,
        outbound=sent.pk,
        evidence={**looked, "by": by, "outbound": sent.pk},
    )


def _is_report(mail: Understood, sent: OutboundMail | None) -> bool:
    """Whether it is a delivery report, and not somebody who writes about one. A participant's mail
    into their own ticket is a report only if it has a report's parts."""
    if mail.verdict.reason in BY_ITS_PARTS:
        return True
    if sent is None:
        return mail.verdict.is_sure
    person = people.find(mail.sender.address) if mail.sender.address else None
    if person is not None and sent.ticket_id and participants.takes_part(sent.ticket_id, person):
        return False
    returned = mail.report.original_message_id if mail.report else ""
    return mail.verdict.is_sure or returned in {
        sent.message_id,
        sent.provider_message_id or sent.message_id,
    }
