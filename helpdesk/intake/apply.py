"""A plan, carried out: everything that a mail does, in one transaction with its outcome."""

from django.utils import timezone

from helpdesk import actions, facts, history
from helpdesk.actions.common import by_number
from helpdesk.intake import reports, senders, threads
from helpdesk.intake.plan import SAME_BYTES, SIGNED_PATH, Plan
from helpdesk.intake.understood import Understood
from helpdesk.intake.write import write
from helpdesk.models import OutboundMail
from helpdesk.outbound import came_back, spending
from inbound import proving
from inbound.addresses import read_secret_mark
from inbound.models import InboundMail
from inbound.reading.message import Kind

State = InboundMail.State


def apply(mail: Understood, decided: Plan, stored: dict[int, str]) -> dict[str, object]:
    """Carries the plan out, inside the caller's transaction; the fields of the mail's outcome.

    `stored` names the attachments' files by part.
    """
    if decided.do == "wait":
        raise ValueError("a plan to wait is not carried out")
    mail.row.proof = proving.pack(
        mail.proof
    )  # for what is written about it, before the row itself is
    _spend_what_it_shows(mail)
    outcome: dict[str, object] = {
        "evidence": decided.evidence,
        "reason": decided.reason,
        "ticket_number": decided.ticket,
        "proof": mail.row.proof,
        "would_hold": decided.would_hold[:200] or None,
    }
    senders.remember(mail.says(None))
    if decided.do == "ignore":
        outcome["state"] = State.IGNORED
        _count_again(mail, decided)
    elif decided.do == "also":
        outcome["state"] = State.DONE
        _note_other_mailbox(mail, decided)
    elif decided.do == "quarantine":
        outcome |= {"state": State.QUARANTINED, "to_look_at": decided.look}
    elif decided.do == "bounce":
        outbound = OutboundMail.objects.select_related("ticket", "comment__author").get(
            pk=decided.outbound or 0
        )
        proven = (
            decided.evidence.get("by") == SIGNED_PATH
            and mail.verdict.reason in reports.BY_ITS_PARTS
        )
        fresh = came_back.bounced(outbound, mail.report, proven=proven)
        outcome |= {"state": State.DONE, "reason": "bounce" if fresh else "bounce, nothing new"}
    else:
        comment = write(mail, decided, stored)
        outcome |= {"state": State.DONE, "reason": decided.do, "ticket_number": comment.ticket_id}
    return outcome | {"finished_at": timezone.now(), "error": "", "waiting_for": ""}


def _note_other_mailbox(mail: Understood, decided: Plan) -> None:
    """The same mail to several mailboxes is one ticket, which knows them all."""
    if (ticket := by_number(decided.ticket or 0)) is not None:
        history.record(ticket, "also-at", None, mailbox=mail.row.mailbox.address)


def _spend_what_it_shows(mail: Understood) -> None:
    """Whoever reads this mail could use what it shows of ours: it is used up before. A report that
    a mail is late, or has arrived, shows nothing by itself: inbound.returned has seen to that."""
    reading = mail.reading
    if reading.links:
        spending.spend_links(reading.links)
        facts.forget()
    is_late = mail.report is not None and mail.report.is_temporary
    marked = (
        []
        if is_late
        else [pk for mark in reading.marks if (pk := read_secret_mark(mark)) is not None]
    )
    about = [sent.pk for sent in threads.returned_to(mail.named)]
    ids = threads.parent_ids(mail.parsed) + (
        [mail.report.original_message_id] if mail.report else []
    )
    about += [sent.pk for sent in threads.sent_under(ids) if sent.is_secret]
    if not marked and not about:
        return
    facts.forget()
    for sent in OutboundMail.objects.filter(pk__in=[*marked, *about], is_secret=True):
        if sent.pk in marked or (
            mail.verdict.kind is Kind.BOUNCE and not is_late
        ):  # however sure that is
            spending.spend(sent)
        else:
            spending.spend_code(sent.to_address, f"{reading.text}\n{reading.quoted_text}")


def _count_again(mail: Understood, decided: Plan) -> None:
    """The same mail without a Message-ID again is no drop: its comment says how often it came, and
    when last."""
    if (
        decided.evidence.get("by") == SAME_BYTES
        and decided.evidence.get("at") == mail.row.mailbox_id
    ):
        actions.came_again(decided.evidence["duplicate_of"], mail.row.received_at)
