"""The ways out: the installation's mail server and those of mailboxes that have their own.

A connection is kept for the next mail of the same thread. A way that fails several times in a row is
left alone for a while (the circuit is open): its mail waits without dialling, then one mail tries.
"""

import smtplib
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.core.mail import get_connection
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from helpdesk import deadline
from helpdesk.mailurl import read_mail_url
from helpdesk.models import OutboundMail, Route
from inbound import hosts
from inbound.models import Mailbox
from inbound.secrets import opened

FAULTS = 3  # in a row, before the circuit opens
SHORTEST, LONGEST = timedelta(seconds=15), timedelta(minutes=5)
# For all of one mail: connecting, TLS, signing in, the mail itself and the good-byes. Well below the lease of its row
# (tasks.outbound.LEASE), in which another worker would send it as well; a mail of the largest size over a slow line
# still gets through.
SEND_SECONDS = 120.0
IDLE_SECONDS = 10.0  # servers hang up on those who stay silent; a connection older than this is not used again
_kept = threading.local()


@contextmanager
def connection(mailbox: Mailbox) -> Iterator[Any]:
    """An open mail backend for that mailbox, for SEND_SECONDS. After an error it is closed and never used again.

    Raises what connecting and the caller raise, and TooLate where the time was up before the server had answered. Where a
    mailbox has a server of its own, the caller connects to nothing else.
    """
    identity = getattr(mailbox, "identity", None)
    url = opened(identity.email_url) if identity else ""
    # Settings that tests or a reload change make a connection of their own.
    key = (url, settings.EMAIL_BACKEND, getattr(settings, "EMAIL_HOST", ""), getattr(settings, "EMAIL_PORT", 0))
    backend: Any = None
    # EMAIL_URL is the operator's, and may well name a server of their own network.
    with deadline.within(SEND_SECONDS) as limit, hosts.named_by_an_admin() if url else nullcontext():
        try:
            backend = _kept_one(key)
            if backend is None:
                backend = _new(url)
                backend.open()
                _watch_provider(backend)
            yield backend
        except BaseException as error:
            late = limit.has_passed  # asked before the good-byes, which may take what is left
            _close(backend)
            if late and not _is_answer(error):
                raise deadline.TooLate(f"it took longer than {SEND_SECONDS:g} s") from error
            raise
        if isinstance(getattr(backend, "connection", None), smtplib.SMTP) and not limit.has_passed:
            if not hasattr(_kept, "backends"):
                _kept.backends = {}
            _kept.backends[key] = (backend, time.monotonic())
        else:
            _close(backend)


def check_url(url: str) -> None:
    """Raises ValueError with what is wrong with a mailbox's own mail server."""
    read_mail_url(url)
    if url.startswith("file:"):
        raise ValueError("must begin with smtp://, smtp+tls://, smtps:// or anymail://")
    try:
        _new(url)
    except Exception as error:  # anymail says here which option is missing, in an error of its own
        raise ValueError(f"{error}") from error


def check_dkim_key(pem: str) -> None:
    """Raises ValueError where that is no private key."""
    import dkim  # slow to import, and a pipe starts a process for each mail

    try:
        dkim.sign(b"From: a@b\r\n\r\n", b"s", b"b", pem.encode(), include_headers=[b"From"])
    except Exception as error:  # dkimpy's parsers raise what they like
        raise ValueError("This is not a private key in PEM form.") from error


def wait_until(mail: OutboundMail) -> datetime | None:
    """When the mail may be tried, if its way out is known to fail; None where it may be now.

    Of those who ask once the time has come, one is let through; the others wait for what it finds.
    """
    now = timezone.now()
    route = Route.objects.filter(name=mail.route).first()
    if route is None or route.open_until is None:
        return None
    if route.open_until <= now:
        probing = Route.objects.filter(pk=route.pk, open_until=route.open_until).update(open_until=now + SHORTEST)
        return None if probing else now + SHORTEST
    return route.open_until


def failed(name: str, error: str) -> None:
    """A fault of the way out, not of one mail."""
    now = timezone.now()
    Route.objects.get_or_create(name=name)
    Route.objects.filter(name=name).update(
        faults=F("faults") + 1, error=error[:2000], failing_since=Coalesce(F("failing_since"), now)
    )
    route = Route.objects.get(name=name)
    if route.faults >= FAULTS:
        wait = min(LONGEST, SHORTEST * 2 ** min(10, route.faults - FAULTS))
        Route.objects.filter(pk=route.pk).update(open_until=now + wait)


def works(name: str) -> None:
    """A mail went through: what waited for it is due."""
    closed = Route.objects.filter(Q(faults__gt=0) | Q(open_until__isnull=False), name=name).update(
        faults=0, open_until=None, failing_since=None, error=""
    )
    if closed:
        waiting = OutboundMail.objects.filter(state=OutboundMail.State.QUEUED, reason=WAITS)
        waiting.update(next_attempt_at=timezone.now(), reason="")


WAITS = "the mail server fails"


def failing() -> list[Route]:
    """The ways out that are known not to work, for health and the staff pages."""
    return list(Route.objects.filter(open_until__isnull=False).order_by("name"))


def _new(url: str) -> Any:
    if not url:
        return get_connection()
    found = read_mail_url(url)
    return get_connection(found.backend, **found.options)


def _kept_one(key: Hashable) -> Any:
    """The connection that this thread used last on that way, if the server still answers on it."""
    backend, used_at = getattr(_kept, "backends", {}).pop(key, (None, 0.0))
    if backend is None or _still_there(backend, used_at):
        return backend
    _close(backend)
    return None


def _still_there(backend: Any, used_at: float) -> bool:
    if backend.connection.sock is None:
        return False
    deadline.watch(backend.connection.sock)
    if time.monotonic() - used_at > IDLE_SECONDS:
        return False
    try:
        return bool(backend.connection.noop()[0] == 250)
    except (smtplib.SMTPException, OSError):
        return False


def _watch_provider(backend: Any) -> None:
    """Anymail's backends talk by requests, and to Amazon SES by botocore."""
    if (session := getattr(backend, "session", None)) is not None:
        for adapter in session.adapters.values():
            _watch_manager(adapter.poolmanager)
            adapter.proxy_manager_for = partial(_proxy_manager, adapter.proxy_manager_for)
    if (client := getattr(backend, "client", None)) is not None:
        classes = client._endpoint.http_session._pool_classes_by_scheme  # of this client, and of its proxies
        classes.update(deadline.watched(classes))


def _proxy_manager(make: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return _watch_manager(make(*args, **kwargs))


def _watch_manager(manager: Any) -> Any:
    manager.pool_classes_by_scheme = deadline.watched(manager.pool_classes_by_scheme)  # a new one: all share theirs
    return manager


def _is_answer(error: BaseException) -> bool:
    """Whether the server has said it, and not the end of the connection in the middle of a line."""
    if isinstance(error, smtplib.SMTPResponseException):
        return 200 <= error.smtp_code < 600
    return isinstance(error, smtplib.SMTPRecipientsRefused) or bool(getattr(error, "status_code", None))


def _close(backend: Any) -> None:
    try:
        if backend is not None:
            backend.close()
    except Exception:  # noqa: S110  # it is being thrown away
        pass
