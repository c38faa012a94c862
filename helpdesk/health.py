"""Is everything alive? For a load balancer, a container's health check, and whoever is on call."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.cache import cache
from django.db import DatabaseError, InterfaceError, connection
from django.http import HttpRequest, JsonResponse
from django.utils import timezone

from helpdesk import access, ledger, proxies, routes, scanner
from helpdesk.models import Attachment, OutboundMail
from inbound.models import ImapAccount, ImapCursor, InboundMail
from inbound.transports.imap import passed_over
from inbound.transports.imap.watchers import accounts
from tasks import watchdog

OLDEST = timedelta(minutes=1)
SILENCE = timedelta(minutes=1)
HEARTBEAT = "heartbeat"
TOKEN_NOTICE = timedelta(days=7)
NOTICE = timedelta(days=7)
SILENT_ENDS = 2  # one may be a kill of ours
STARTED = timezone.now()


def health(request: HttpRequest) -> JsonResponse:
    """200 when all is well, 503 with the same body when something is not."""
    checks: dict[str, object] = {}
    problems: list[str] = []
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        checks["database"] = "ok"
        for name, age in (
            ("oldest_inbound_seconds", _oldest_inbound()),
            ("oldest_outbound_seconds", _oldest_outbound()),
        ):
            checks[name] = age
            if age > OLDEST.total_seconds():
                problems.append(name)
        for name, found in (("mailboxes_not_reached", _silent()), ("tokens_expiring", _expiring())):
            checks[name] = found
            if found:
                problems.append(name)
        # To be known, and no problem: nothing would be better for a 503.
        checks["to_look_at"] = ledger.to_read()
        checks["messages_passed_over"] = _passed_over()
        checks["folders_numbered_anew"] = _noted()
        checks["files_not_scanned"] = _not_scanned()
        checks["proxies_not_trusted"] = proxies.not_trusted()
        checks["stuck"] = [*watchdog.seen(), *_silent_ends()]
        if checks["stuck"]:
            problems.append("stuck")
        checks["mail_servers_failing"] = [route.name or "default" for route in routes.failing()]
        if checks["mail_servers_failing"]:
            problems.append("mail_servers_failing")
    except (DatabaseError, InterfaceError):
        checks["database"] = "down"
        problems.append("database")
    if not access.sees_everything(getattr(request, "user", AnonymousUser())):
        # Names and servers' words are for staff who see all mail; everybody else learns how many.
        checks = {name: len(value) if isinstance(value, list) else value for name, value in checks.items()}
    beat = cache.get(HEARTBEAT)
    checks["heartbeat"] = beat.isoformat() if beat else None
    if _hears_workers() and timezone.now() - max(beat or STARTED, STARTED) > SILENCE:
        problems.append("workers_or_beat")
    checks["status"] = "problem" if problems else "ok"
    checks["problems"] = problems
    return JsonResponse(checks, status=503 if problems else 200)


def _hears_workers() -> bool:
    """Whether the heartbeat reaches this process: the workers are in it, or the cache is shared."""
    inside = settings.CAN_RING and settings.CELERY_BROKER_URL.startswith("memory:")
    return inside or "redis" in settings.CACHES["default"]["BACKEND"]


def _oldest_inbound() -> float:
    oldest = InboundMail.objects.filter(state=InboundMail.State.RECEIVED).order_by("next_attempt_at").first()
    return max(0.0, (timezone.now() - oldest.received_at).total_seconds()) if oldest else 0.0


def _oldest_outbound() -> float:
    oldest = OutboundMail.objects.filter(state=OutboundMail.State.QUEUED).order_by("next_attempt_at").first()
    return max(0.0, (timezone.now() - oldest.next_attempt_at).total_seconds()) if oldest else 0.0


def _silent_ends() -> list[str]:
    """The rows whose workers died or were ended at them again and again: such attempts leave no word."""
    tried: dict[str, Any] = {"error": "", "attempts__gt": SILENT_ENDS}
    return [
        f"{what} {pk}: {attempts - 1} workers did not come back from it"
        for what, rows in (
            ("inbound mail", InboundMail.objects.filter(state=InboundMail.State.RECEIVED, **tried)),
            ("outgoing mail", OutboundMail.objects.filter(state=OutboundMail.State.QUEUED, **tried)),
        )
        for pk, attempts in rows.order_by("pk").values_list("pk", "attempts")[:20]
    ]


def _silent() -> list[str]:
    """The IMAP accounts that have not been reached for MAILBOX_SILENCE seconds, with the server's words."""
    since = timezone.now() - timedelta(seconds=settings.MAILBOX_SILENCE)
    reached = {cursor.account: cursor for cursor in ImapCursor.objects.all()}
    rows = {row.pk: row for row in ImapAccount.objects.defer("secret", "client_secret")}
    silent = []
    for account in accounts():
        cursor, row = reached.get(account.name), rows.get(account.row)
        last = (cursor.contacted_at if cursor else None) or (row.created_at if row else STARTED)
        if last < since:
            silent.append(f"{row or account.name}: {(cursor.error if cursor else '') or 'never reached'}"[:300])
    return silent


def _passed_over() -> list[str]:
    """The messages that an IMAP account could not take in: they lie unread where they are until somebody has looked."""
    found = passed_over.named(account.name for account in accounts())
    return [f"{account}: {line}" for account, line in found]


def _not_scanned() -> int:
    """Files that have waited for the virus scanner for longer than a moment: mail goes on without it."""
    waiting = Attachment.objects.filter(scan=Attachment.Scan.WAITING, created_at__lt=timezone.now() - OLDEST)
    return waiting.count() if scanner.is_on() else 0


def _noted() -> list[str]:
    """What the IMAP accounts tell of themselves, for a while."""
    cursors = ImapCursor.objects.filter(noted_at__gt=timezone.now() - NOTICE)
    return [f"{cursor.account}: {cursor.noted_at:%Y-%m-%d %H:%M} UTC: {cursor.note}" for cursor in cursors]


def _expiring() -> list[str]:
    soon = timezone.now() + TOKEN_NOTICE
    rows = ImapAccount.objects.filter(is_active=True, auth=ImapAccount.Auth.XOAUTH2, token_expires_at__lt=soon)
    return [f"{row}: {row.token_expires_at:%Y-%m-%d %H:%M} UTC" for row in rows]
