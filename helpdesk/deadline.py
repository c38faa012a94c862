"""The one moment at which a mail's conversation with a server ends, whatever the server does.

smtplib, requests and botocore give each step a time-out of its own, which every byte that arrives
begins anew. So the TCP connections themselves are cut: each is known by a second handle, to which
it is the same whether TLS or a proxy came on top of it. One thread of the process shuts them down.
"""

import functools
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

IDLE_SECONDS = 3600.0
_current = threading.local()
_changed = threading.Condition()
_running: set["Deadline"] = set()
_cutter: threading.Thread | None = None
_wakes_at = 0.0


class TooLate(Exception):
    """The time is up. No OSError: what catches those would try again."""


class Deadline:
    """Cuts every connection that it knows once its time is up."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.has_passed = False
        self.at = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._handles: list[socket.socket] = []

    def left(self) -> float:
        """Seconds, more than none. Raises TooLate."""
        if self.has_passed or (left := self.at - time.monotonic()) <= 0:
            raise TooLate(f"it took longer than {self.seconds:g} s")
        return left

    def watch(self, connection: socket.socket) -> None:
        handle = socket.fromfd(connection.fileno(), connection.family, connection.type)
        with self._lock:
            self._handles.append(handle)
            if self.has_passed:
                _shut(handle)

    def cut(self) -> None:
        with self._lock:
            self.has_passed = True
            for handle in self._handles:
                _shut(handle)

    def forget(self) -> None:
        with self._lock:
            for handle in self._handles:
                handle.close()
            self._handles.clear()


@contextmanager
def within(seconds: float) -> Iterator[Deadline]:
    """Whatever this thread connects to, by `connect` or a pool of `watched` classes, is cut after
    so many seconds."""
    deadline, outer = Deadline(seconds), getattr(_current, "deadline", None)
    _begin(deadline)
    _current.deadline = deadline
    try:
        yield deadline
    finally:
        _current.deadline = outer
        _end(deadline)
        deadline.forget()


def connect(host: str, port: int, timeout: float | None) -> socket.socket:
    """A connection to the first of the host's addresses that answers. They share what is left of
    the time; names are looked up in the resolver's own (resolv.conf), which is not cut. Raises
    OSError and TooLate."""
    deadline: Deadline | None = getattr(_current, "deadline", None)
    failed: OSError | None = None
    for family, kind, protocol, _, address in socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM
    ):
        left = deadline.left() if deadline else None
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(
                min((limit for limit in (timeout, left) if limit is not None), default=None)
            )
            connection.connect(address)
            connection.settimeout(timeout)
            if deadline:
                deadline.watch(connection)
        except OSError as error:
            connection.close()
            failed = error
        else:
            return connection
    raise failed or OSError(f"{host} has no address")


def watch(connection: socket.socket) -> None:
    """One that was made earlier is cut as well."""
    if deadline := getattr(_current, "deadline", None):
        deadline.watch(connection)


def watched(classes: Mapping[str, Any]) -> dict[str, Any]:
    """The classes of a urllib3 manager's pools (`pool_classes_by_scheme`), connecting by
    `connect`."""
    return {scheme: _watched(pool) for scheme, pool in classes.items()}


def _begin(deadline: Deadline) -> None:
    global _cutter, _wakes_at
    with _changed:
        _running.add(deadline)
        if _cutter is None or not _cutter.is_alive():  # the first, or the first after a fork
            _wakes_at = 0.0
            _cutter = threading.Thread(target=_cut_in_time, name="deadlines", daemon=True)
            _cutter.start()
        elif deadline.at < _wakes_at:
            _changed.notify()


def _end(deadline: Deadline) -> None:
    with _changed:
        _running.discard(deadline)


def _cut_in_time() -> None:
    global _wakes_at
    while True:
        with _changed:
            now = time.monotonic()
            late = {deadline for deadline in _running if deadline.at <= now}
            _running.difference_update(late)
            if not late:
                # Woken by a mail that is over: seldom enough, for most end long before their time.
                _wakes_at = min((deadline.at for deadline in _running), default=now + IDLE_SECONDS)
                _changed.wait(_wakes_at - now)
        for deadline in late:
            deadline.cut()


@functools.cache
def _watched(pool: Any) -> Any:
    if getattr(pool.ConnectionCls, "is_watched", False):
        return pool

    def _new_conn(self: Any) -> socket.socket:
        timeout = self.timeout if isinstance(self.timeout, int | float) else None
        connection = connect(self.host, self.port, timeout)
        for option in self.socket_options or ():
            connection.setsockopt(*option)
        return connection

    base = pool.ConnectionCls
    made = type(base.__name__, (base,), {"_new_conn": _new_conn, "is_watched": True})
    return type(pool.__name__, (pool,), {"ConnectionCls": made})


def _shut(handle: socket.socket) -> None:
    with suppress(OSError):  # the other side was faster
        handle.shutdown(socket.SHUT_RDWR)
