"""What becomes of a mail that was handed over: a report or its provider says so."""

from collections.abc import Sequence

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from helpdesk import history
from helpdesk.models import OutboundMail
from helpdesk.outbound import notify, spending, suppression
from inbound.reading.message import DeliveryReport


def bounced(mail: OutboundMail, report: DeliveryReport | None, *, proven: bool) -> bool:
    """A report about a mail that we sent: the row says so, and the ticket's history. False for a
    repeat.

    `proven`: it came to the return path that only the mail's own receivers know, with a report's
    own fields. Then, and only then, an address that is itself reported not to exist gets no more
    mail: a list of people at one address is there though one of them is not.
    """
    if report is not None and report.is_temporary:
        return False
    why = (
        "; ".join(f"{r.address}: {r.status} {r.diagnostic}".strip() for r in report.recipients)[
            :1000
        ]
        if report
        else ""
    )
    dead = report is not None and any(
        r.is_hard and r.address == mail.to_address for r in report.recipients
    )
    return _came_back(
        mail, why, suppress="bounce" if proven and dead else "", states=[OutboundMail.State.SENT]
    )


def provider_event(mail: OutboundMail, kind: str, why: str, *, suppress: str) -> None:
    """What the provider reports about a mail, authenticated by its webhook: bounced, rejected,
    complained, deferred, delivered or opened. `suppress`: "bounce" or "complaint" where its address
    gets no more mail."""
    rows = OutboundMail.objects.filter(pk=mail.pk)
    if kind in {"bounced", "rejected", "failed"}:
        _came_back(mail, why, suppress=suppress)
    elif kind == "complained":
        _came_back(mail, why or "the reader reported it as spam", suppress=suppress)
    elif kind == "deferred":
        rows.filter(state=OutboundMail.State.SENT).update(error=why[:1000])
    elif kind == "delivered":
        rows.filter(state=OutboundMail.State.SENT).update(error="")
    elif kind == "opened" and settings.TRACK_OPENS:
        rows.filter(opened_at=None).update(opened_at=timezone.now())


def _came_back(
    mail: OutboundMail,
    why: str,
    *,
    suppress: str,
    states: Sequence[str] = (OutboundMail.State.SENT, OutboundMail.State.QUEUED),
) -> bool:
    """A mail that still waits to be sent can't have come back, but for a provider's word: it may be
    quicker than we."""
    with transaction.atomic():
        changed = OutboundMail.objects.filter(pk=mail.pk, state__in=states).update(
            state=OutboundMail.State.BOUNCED,
            bounced_at=timezone.now(),
            error=why,
            sealed="",
        )
        if mail.is_secret:
            spending.spend(mail)
        if changed and mail.ticket:
            history.record(
                mail.ticket,
                "mail-bounced",
                None,
                to=mail.to_address,
                mail=mail.pk,
                why=why[:300],
                what=mail.kind,
            )
            notify.delivery_failed(mail, why)
        if suppress and not suppression.was_lifted(mail):
            suppression.suppress(mail, suppress, why)
    return bool(changed)
