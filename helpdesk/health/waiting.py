"""What waits for longer than it should, or was refused."""

from datetime import timedelta

from django.db.models import Count, F, Max, Min
from django.utils import timezone

from helpdesk.files import scanner
from helpdesk.models import Attachment, OutboundMail
from helpdesk.outbound.whose_fault import Whose
from inbound import store
from inbound.models import InboundMail

OLDEST = timedelta(minutes=1)
NOTICE = timedelta(days=7)
PUT_OFF = timedelta(minutes=10)
SILENT_ENDS = 2  # one may be a kill of ours


def oldest_inbound() -> float:
    oldest = (
        InboundMail.objects.filter(state=InboundMail.State.RECEIVED)
        .order_by("next_attempt_at")
        .first()
    )
    return max(0.0, (timezone.now() - oldest.received_at).total_seconds()) if oldest else 0.0


def oldest_outbound() -> float:
    """Since when the mail that has waited longest is due. Not counted is what its recipient's
    server has put off: a full mailbox is nothing that anybody here could mend."""
    waiting = OutboundMail.objects.filter(state=OutboundMail.State.QUEUED).exclude(
        reason=Whose.PASSES.value
    )
    oldest = waiting.order_by("due_at").values_list("due_at", flat=True).first()
    return max(0.0, (timezone.now() - oldest).total_seconds()) if oldest else 0.0


def put_off() -> list[str]:
    """The mailboxes of which several mails have been put off for a while, and none was taken since:
    that is the server's doing, not the recipients'."""
    since = timezone.now() - PUT_OFF
    rows = OutboundMail.objects.filter(
        state=OutboundMail.State.QUEUED, reason=Whose.PASSES.value, due_at__lt=since
    )
    found = rows.values("mailbox", "mailbox__address").annotate(
        mails=Count("pk"), first=Min("pk"), words=Max("error")
    )
    return [
        f"{row['mailbox__address']}: {row['mails']} mails put off: {row['words'][:200]}"
        for row in found.filter(mails__gte=3).order_by("mailbox")
        if not OutboundMail.objects.filter(
            mailbox=row["mailbox"], pk__gt=row["first"], state=OutboundMail.State.SENT
        ).exists()
    ]


def silent_ends() -> list[str]:
    """The rows whose workers died or were ended at them again and again: such attempts leave no
    word."""
    received = InboundMail.objects.filter(
        state=InboundMail.State.RECEIVED, error="", attempts__gt=SILENT_ENDS
    )
    queued = OutboundMail.objects.filter(state=OutboundMail.State.QUEUED, deaths__gte=SILENT_ENDS)
    return [
        f"{what} {pk}: {deaths} workers did not come back from it"
        for what, rows in (
            # By when they are due: the index of what waits is short, that of the keys is not.
            (
                "inbound mail",
                received.order_by("next_attempt_at").values_list("pk", F("attempts") - 1),
            ),
            ("outgoing mail", queued.order_by("next_attempt_at").values_list("pk", "deaths")),
        )
        for pk, deaths in rows[:20]
    ]


def refused() -> list[str]:
    """The mails of the last days that a provider posted and we refused for their size; they lie in
    “To look at”."""
    rows = InboundMail.objects.filter(
        state=InboundMail.State.QUARANTINED,
        reason=store.TOO_LARGE,
        received_at__gt=timezone.now() - NOTICE,
    )
    return [
        f"{row.received_at:%Y-%m-%d %H:%M} UTC: {row.size / 10**6:.1f} MB from "
        f"{row.from_address or row.mail_from or 'nobody'}"
        f" to {row.mailbox} by {row.client}"
        for row in rows.select_related("mailbox").defer("evidence").order_by("-received_at")[:20]
    ]


def not_scanned() -> int:
    """Files that have waited for the virus scanner for longer than a moment: mail goes on without
    it."""
    waiting = Attachment.objects.filter(
        scan=Attachment.Scan.WAITING, created_at__lt=timezone.now() - OLDEST
    )
    return waiting.count() if scanner.is_on() else 0
