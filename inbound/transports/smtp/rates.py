"""How much one client or one sender may hand over in a minute. More is told to come back: never
refused for good."""

import time
from collections import defaultdict

from django.conf import settings

from inbound.transports.smtp.clients import Clients


class Rates:
    """Counts of this process, by the minute. Trusted clients are not counted."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._minute = 0
        self._seen: dict[str, int] = defaultdict(int)

    def over(self, host: str, sender: str) -> str:
        """The answer for one message too many, or "" while there is room. Counts the message."""
        client = self._clients.of(host)
        if not client:
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
