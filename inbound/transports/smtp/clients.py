"""Whom a connection and its messages count for. Who is trusted counts for nobody."""

import ipaddress
from functools import lru_cache

from django.conf import settings

from inbound.network import client_key


class Clients:
    """Trusted are the networks of SMTP_TRUSTED (the MTA before us is one address) and sockets of
    this machine."""

    def __init__(self) -> None:
        self._trusted = [
            ipaddress.ip_network(network, strict=False) for network in settings.SMTP_TRUSTED
        ]
        self.of = lru_cache(4096)(self._of)

    def _of(self, host: str) -> str:
        """The address, or of IPv6 its /64, which is one customer's (RFC 6177); "" for who is
        trusted."""
        try:
            found = ipaddress.ip_address(host)
        except ValueError:
            return ""  # a socket of this machine
        if any(found in network for network in self._trusted):
            return ""
        return client_key(host)
