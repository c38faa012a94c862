"""An open connection to a mailbox's mail server: the installation's, or its own.

A connection is kept for the next mail of the same thread.
"""

import smtplib
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

from django.conf import settings
from django.core.mail import get_connection

from helpdesk import deadline
from helpdesk.env.server_url import read_mail_url
from helpdesk.models.mailing import identity_of
from helpdesk.outbound.to_smtp import MayBeSent
from inbound import hosts
from inbound.models import Mailbox
from inbound.secrets import Unreadable, unsealed

# For all of one mail: connecting, TLS, signing in, the mail itself and the good-byes. A mail of the
# largest size over a slow line still gets through.
SEND_SECONDS = 120.0
# Servers hang up on those who stay silent; a connection older than this is not used again.
IDLE_SECONDS = 10.0
_kept = threading.local()


@contextmanager
def connection(mailbox: Mailbox) -> Iterator[Any]:
    """An open mail backend for that mailbox, for SEND_SECONDS. After an error it is closed and
    never used again.

    Raises what connecting and the caller raise, and TooLate where the time was up before the server
    had answered. Where a mailbox has a server of its own, the caller connects to nothing else.
    """
    try:
        url = unsealed(identity_of(mailbox).email_url)
    except Unreadable as error:
        raise Misconfigured(f"the mailbox's own mail server: {error}") from error
    # Settings that tests or a reload change make a connection of their own.
    key = (
        url,
        settings.EMAIL_BACKEND,
        getattr(settings, "EMAIL_HOST", ""),
        getattr(settings, "EMAIL_PORT", 0),
    )
    backend: Any = None
    # EMAIL_URL is the operator's, and may well name a server of their own network.
    with (
        deadline.within(SEND_SECONDS) as limit,
        hosts.named_by_an_admin() if url else nullcontext(),
    ):
        try:
            backend = _kept_one(key)
            if backend is None:
                backend = _opened(url)
                _watch_provider(backend)
            yield backend
        except BaseException as error:
            late = limit.has_passed  # asked before the good-byes, which may take what is left
            _close(backend)
            if late and not _is_answer(error):
                why = MayBeSent if isinstance(error, MayBeSent) else deadline.TooLate
                raise why(f"it took longer than {SEND_SECONDS:g} s") from error
            raise
        if isinstance(getattr(backend, "connection", None), smtplib.SMTP) and not limit.has_passed:
            if not hasattr(_kept, "backends"):
                _kept.backends = {}
            _kept.backends[key] = (backend, time.monotonic())
        else:
            _close(backend)


class Misconfigured(Exception):
    """The backend cannot even be built: a setting is missing, or wrong."""


def _opened(url: str) -> Any:
    try:
        backend = _new(url)
        backend.open()
    except (smtplib.SMTPException, OSError, deadline.TooLate):
        raise
    except Exception as error:  # anymail's, botocore's or requests', each of its own kind
        raise Misconfigured(f"{type(error).__name__}: {error}") from error
    return backend


def _new(url: str) -> Any:
    if not url:
        return get_connection()
    found = read_mail_url(url)
    return get_connection(found.backend, **found.options)


def _kept_one(key: Hashable) -> Any:
    """The connection to that server that this thread used last, unless that is long ago. Whether
    the server has ended it meanwhile shows when it is used (to_smtp)."""
    backend, used_at = getattr(_kept, "backends", {}).pop(key, (None, 0.0))
    if backend is None or _still_there(backend, used_at):
        return backend
    _close(backend)
    return None


def _still_there(backend: Any, used_at: float) -> bool:
    if backend.connection.sock is None:
        return False
    deadline.watch(backend.connection.sock)
    return time.monotonic() - used_at <= IDLE_SECONDS


def _watch_provider(backend: Any) -> None:
    """Anymail's backends talk by requests, and to Amazon SES by botocore."""
    if (session := getattr(backend, "session", None)) is not None:
        for adapter in session.adapters.values():
            _watch_manager(adapter.poolmanager)
            adapter.proxy_manager_for = partial(_proxy_manager, adapter.proxy_manager_for)
    if (client := getattr(backend, "client", None)) is not None:
        classes = (
            client._endpoint.http_session._pool_classes_by_scheme
        )  # of this client, and of its proxies
        classes.update(deadline.watched(classes))


def _proxy_manager(make: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return _watch_manager(make(*args, **kwargs))


def _watch_manager(manager: Any) -> Any:
    manager.pool_classes_by_scheme = deadline.watched(
        manager.pool_classes_by_scheme
    )  # a new one: all share theirs
    return manager


def _is_answer(error: BaseException) -> bool:
    """Whether the server has said it, and not the end of the connection in the middle of a line."""
    if isinstance(error, smtplib.SMTPResponseException):
        return 200 <= error.smtp_code < 600
    return isinstance(error, smtplib.SMTPRecipientsRefused) or bool(
        getattr(error, "status_code", None)
    )


def _close(backend: Any) -> None:
    try:
        if backend is not None:
            backend.close()
    except Exception:  # noqa: S110  # it is being thrown away
        pass
