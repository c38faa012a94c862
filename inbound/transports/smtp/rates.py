"""How much one client or one sender may hand over in a minute. More is told to come back: never refused for good."""

import ipaddress
import time
from collections import defaultdict

from django.conf import settings


class Rates:
    """Counts of this process, by the minute. Trusted networks (the MTA before us) are not counted."""

    def __init__(self) -> None:
        self._minute = 0
        self._seen: dict[str, int] = defaultdict(int)
        self._trusted = [ipaddress.ip_network(network, strict=False) for network in settings.SMTP_TRUSTED]

    def over(self, client: str, sender: str) -> str:
        """The answer for one message too many, or "" while there is room. Counts the message."""
        if self._is_trusted(client):
            return ""
        minute = int(time.monotonic()) // 60
        if minute != self._minute:
            self._minute = minute
            self._seen.clear()
        for key, limit in (
            (f"client {client}", settings.SMTP_CLIENT_RATE),
            (f"from {sender}", settings.SMTP_SENDER_RATE),
        ):
            if key == "from ":
                continue  # reports have no sender
            self._seen[key] += 1
            if limit and self._seen[key] > limit:
                return "451 4.7.1 Too many messages in a minute, please try again later"
        return ""

    def _is_trusted(self, client: str) -> bool:
        try:
            found = ipaddress.ip_address(client)
        except ValueError:
            return True  # a socket of this machine
        return any(found in network for network in self._trusted)
