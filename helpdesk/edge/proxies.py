"""Who asks, where a proxy stands in between: the one place that believes X-Forwarded-For and
X-Forwarded-Proto.

They are believed from a peer in TRUSTED_PROXIES alone, and as far as trusted hops have written
them. Whatever comes behind this has the client as the connection's peer, and sees none of these
headers. `Forwarded` (RFC 7239) is not read: a proxy that writes the one hands the other on as the
client sent it, and of two that disagree one is a lie.
"""

import logging
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope

log = logging.getLogger(__name__)

Address = IPv4Address | IPv6Address
Networks = list[IPv4Network | IPv6Network]
HEADERS = {
    b"x-forwarded-for",
    b"x-forwarded-proto",
    b"x-forwarded-host",
    b"x-forwarded-port",
    b"x-real-ip",
    b"forwarded",
}
REMEMBERED = 20  # peers
# Those that named a client and are not trusted, the latest last. A proxy that is missing in
# TRUSTED_PROXIES shows here; so does anybody who plays with the header where the port is open to
# all, and therefore it is no problem by itself.
_untrusted: dict[str, str] = {}
_told: set[str] = set()


def behind_proxies(app: ASGI3Application, trusted: Iterable[str]) -> ASGI3Application:
    """`app` with each request's client and scheme as the trusted proxies tell them."""
    networks: Networks = [ip_network(network, strict=False) for network in trusted]

    async def asked(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        await app(_as_told(scope, networks) if scope["type"] == "http" else scope, receive, send)

    return asked


def not_trusted() -> list[str]:
    """The peers outside of TRUSTED_PROXIES that said whose request they bring, with their words."""
    return [f"{peer} says {said!r}" for peer, said in list(_untrusted.items())]


def _as_told(scope: HTTPScope, networks: Networks) -> HTTPScope:
    told = [(name, value) for name, value in scope["headers"] if name in HEADERS]
    if not told:
        return scope
    bare: HTTPScope = {
        **scope,
        "headers": [pair for pair in scope["headers"] if pair[0] not in HEADERS],
    }
    peer = read_hop(scope["client"][0]) if scope["client"] else None
    hops = _words(told, b"x-forwarded-for")
    if peer is None or not _is_trusted(peer, networks):
        said = "; ".join(f"{name.decode()}: {value.decode('latin-1')}" for name, value in told)
        _remember(str(peer or "a peer without an address"), said[:200])
        return bare
    client, passed = peer, 0
    # The last was written by the peer, the one before by whoever that names, if it is trusted as
    # well.
    for hop in reversed(hops):
        found = read_hop(hop)
        if found is None:
            break  # nobody can tell who came before
        client, passed = found, passed + 1
        if not _is_trusted(found, networks):
            break
    bare["client"] = (str(client), 0)
    schemes = _words(told, b"x-forwarded-proto")
    if schemes:
        # By the same hop, where each has added its own; most write one in the place of what was
        # there.
        scheme = schemes[-min(max(passed, 1), len(schemes))].lower()
        if scheme in {"http", "https"}:
            bare["scheme"] = scheme
    return bare


def read_hop(written: str) -> Address | None:
    """The address that a proxy wrote, with or without a port: 192.0.2.1:80, [2001:db8::1]:80; None
    for anything else."""
    text = written.strip()
    if text.startswith("["):
        text, bracket, port = text[1:].partition("]")
        if not bracket or (port and not (port[0] == ":" and _is_port(port[1:]))):
            return None
    elif text.count(":") == 1:
        text, _, port = text.partition(":")
        if not _is_port(port):
            return None
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5


def _is_trusted(address: Address, networks: Networks) -> bool:
    return any(address in network for network in networks)


def _words(headers: list[tuple[bytes, bytes]], wanted: bytes) -> list[str]:
    """The parts of a header, in the order of its lines (RFC 9110 5.3)."""
    lines = [value.decode("latin-1") for name, value in headers if name == wanted]
    return [word.strip() for word in ",".join(lines).split(",")] if lines else []


def _remember(peer: str, said: str) -> None:
    _untrusted.pop(peer, None)
    _untrusted[peer] = said
    if len(_untrusted) > REMEMBERED:
        del _untrusted[next(iter(_untrusted))]
    if peer not in _told and len(_told) < REMEMBERED:
        _told.add(peer)
        log.warning(
            "%s is not in TRUSTED_PROXIES: it counts as the client itself, though it says %r",
            peer,
            said,
        )
