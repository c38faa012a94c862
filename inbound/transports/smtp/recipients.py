"""Asking the database for recipients, beside the loop that serves the connections."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from inbound import store
from inbound.connections import rest_connection
from inbound.recipients import mailbox_for

REMEMBER_SECONDS = 2.0


class Recipients:
    """Which addresses are ours, remembered for a moment: a busy sender asks a hundred times a
    second."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[bool, float]] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="recipients")

    def knows(self, address: str) -> bool | None:
        """None: it has to be asked for."""
        remembered = self._known.get(address.lower())
        return remembered[0] if remembered and remembered[1] > time.monotonic() else None

    async def ask(self, address: str) -> bool:
        """Raises the database's errors where it cannot be asked and the address was never seen."""
        key = address.lower()
        remembered = self._known.get(key)
        loop = asyncio.get_running_loop()
        try:
            known = await loop.run_in_executor(self._thread, _is_ours, address)
        except store.TEMPORARY:
            if remembered and remembered[0]:
                return True  # DATA will answer 451 if the database stays away
            raise
        if len(self._known) > 10_000:
            self._known.clear()
        self._known[key] = (known, time.monotonic() + REMEMBER_SECONDS)
        return known


def _is_ours(address: str) -> bool:
    try:
        return mailbox_for(address) is not None
    finally:
        rest_connection()
