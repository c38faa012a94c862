"""Is everything alive? For a load balancer, a container's health check, and whoever is on call."""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.cache import caches
from django.db import DatabaseError, InterfaceError, connection
from django.http import HttpRequest, JsonResponse
from django.utils import timezone

from helpdesk import access, cached, ledger
from helpdesk.edge import proxies
from helpdesk.health import accounts, processes, waiting
from helpdesk.health.accounts import STARTED
from helpdesk.outbound import servers
from tasks import watchdog
from tasks.housekeeping import HEARTBEAT

SILENCE = timedelta(minutes=1)


def health(request: HttpRequest) -> JsonResponse:
    """200 when all is well, 503 with the same body when something is not."""
    checks: dict[str, object] = {}
    problems: list[str] = []
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        checks["database"] = "ok"
        for name, find in (*WRONG.items(), *KNOWN.items()):
            checks[name] = found = find()
            if found and name in WRONG and not _is_young(found):
                problems.append(name)
    except (DatabaseError, InterfaceError):
        checks["database"] = "down"  # what was found before stays
        problems.append("database")
    if not _sees_names(request):
        # Names and servers' words are for staff who see all mail; everybody else learns how many.
        checks = {
            name: len(value) if isinstance(value, list) else value for name, value in checks.items()
        }
    beat = caches[watchdog.SIGNS].get(HEARTBEAT)
    checks["heartbeat"] = beat.isoformat() if beat else None
    checks["cache"] = "down" if cached.is_away() else "ok"
    if cached.is_away():
        problems.append("cache")  # and nothing is known of workers and beat
    elif _hears_workers() and _silence(beat) > SILENCE:
        problems.append("workers_or_beat")
    checks["status"] = "problem" if problems else "ok"
    checks["problems"] = problems
    return JsonResponse(checks, status=503 if problems else 200)


def _sees_names(request: HttpRequest) -> bool:
    """Who has a session is not known while the database is away."""
    try:
        return access.sees_everything(getattr(request, "user", AnonymousUser()))
    except (DatabaseError, InterfaceError):
        return False


def _stuck() -> list[str]:
    return [*watchdog.seen(), *waiting.silent_ends()]


def _failing() -> list[str]:
    failing = [f"{server.name or 'default'}: {server.error[:300]}" for server in servers.failing()]
    return failing + waiting.put_off()


# What is a problem where there is something.
WRONG: dict[str, Callable[[], object]] = {
    "oldest_inbound_seconds": waiting.oldest_inbound,
    "oldest_outbound_seconds": waiting.oldest_outbound,
    "mailboxes_not_reached": accounts.silent,
    "tokens_expiring": accounts.expiring,
    "stuck": _stuck,
    "mail_servers_failing": _failing,
}
# To be known, and no problem: nothing would be better for a 503.
KNOWN: dict[str, Callable[[], object]] = {
    "to_look_at": ledger.to_read,
    "messages_passed_over": accounts.passed_over,
    "folders_numbered_anew": accounts.noted,
    "mail_refused": waiting.refused,
    "moved_mail_came_back": accounts.came_back,
    "files_not_scanned": waiting.not_scanned,
    "processes_ended": processes.ended,
    "proxies_not_trusted": proxies.not_trusted,
}


def _is_young(found: object) -> bool:
    return isinstance(found, float) and found <= waiting.OLDEST.total_seconds()


def _silence(beat: datetime | None) -> timedelta:
    return timezone.now() - max(beat or STARTED, STARTED, cached.answers_since())


def _hears_workers() -> bool:
    """Whether the heartbeat reaches this process: the workers are of the same `serve`, or Redis is
    shared."""
    inside = settings.CAN_RING and settings.CELERY_BROKER_URL.startswith("memory:")
    return inside or settings.CACHES["default"]["BACKEND"] == "helpdesk.cached.RedisCache"
