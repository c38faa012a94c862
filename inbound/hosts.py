"""To what the helpdesk connects where an admin has said so on the staff site: mail servers, token
endpoints, alerts.

With OUTGOING_HOSTS=public these reach public addresses alone. Looked at is the address that is
connected to, after the name was looked up: a name that leads elsewhere the next time, or a
redirect, gains nothing. Libraries make their connections in their own ways, and all of these raise
Python's audit event for them (PEP 578). What settings name, the operator's own, is not looked at.
"""

import ipaddress
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.conf import settings

_SENDS = {"socket.connect", "socket.sendto", "socket.sendmsg"}
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: an IPv4 address is in its last 32 bits
# A context, for Apprise hands its own on to the threads in which it sends.
_refused: ContextVar["list[NotPublic] | None"] = ContextVar("refused", default=None)
_lock = threading.Lock()
_is_watching = False


class NotPublic(OSError):
    """OUTGOING_HOSTS forbids it."""


@contextmanager
def named_by_an_admin() -> Iterator[list[NotPublic]]:
    """What is connected to within it is limited by OUTGOING_HOSTS: sockets raise NotPublic. What
    was refused, for callers whose library keeps it to itself. A thread that is started within it is
    not limited unless it takes over its context."""
    refused: list[NotPublic] = []
    if settings.OUTGOING_HOSTS == "any":
        yield refused
        return
    _watch()
    outer = _refused.set(refused)
    try:
        yield refused
    finally:
        _refused.reset(outer)


def is_public(address: str) -> bool:
    """Whether that IP address is one of the internet's: not this machine's, a private network's
    (RFC 1918, 4193), a carrier's (RFC 6598), a link's (where clouds keep their metadata), a
    group's, or one of these in IPv6's clothes."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if ip.is_site_local:
            return False
    return ip.is_global and not (
        ip.is_multicast or ip.is_reserved or ip.is_unspecified or ip.is_loopback
    )


def _watch() -> None:
    global _is_watching
    with _lock:
        if not _is_watching:
            sys.addaudithook(_hear)  # for as long as the process lives
            _is_watching = True


def _hear(event: str, args: tuple[Any, ...]) -> None:
    if event not in _SENDS or (refused := _refused.get()) is None:
        return
    address = args[1]
    # Names, and paths of this machine's sockets, are no addresses: what they lead to cannot be told
    # here.
    host = str(address[0] if isinstance(address, tuple) and address else address)
    if address is None or is_public(host):
        return
    error = NotPublic(f"OUTGOING_HOSTS=public: {host[:100]} is no public address")
    refused.append(error)
    raise error
