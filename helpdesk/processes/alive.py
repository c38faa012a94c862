"""Ends a process one of whose threads has died, or does not come back from a row; and keeps it
small."""

import faulthandler
import logging
import threading
import time
from collections.abc import Callable, Mapping
from itertools import count

from helpdesk.processes import memory
from tasks import watchdog

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
LOOKS_TO_TRIM = 40
# A pattern that never ends keeps the interpreter's lock, and no other thread runs. A thread that
# needs none then says where each is, and ends the process. Who stops it with Ctrl-Z for longer
# finds it ended as well.
FROZEN_SECONDS = 120.0
END_SECONDS = 45.0  # for the stopping itself, where something hangs


class Watch:
    """Looks twice a second whether each part is alive, and calls `end` once one is not. `died`
    says which; `hanging` are the threads that come back no more."""

    def __init__(self, parts: Mapping[str, Callable[[], bool]], end: Callable[[], None]) -> None:
        self.died = ""
        self.hanging: set[threading.Thread] = set()
        self._parts = parts
        self._end = end
        self._stop = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._main, name="watch", daemon=True).start()

    def stop(self) -> None:
        """The process ends in order, for which it has END_SECONDS."""
        self._stop.set()
        _end_unless_called_again(END_SECONDS)

    def _main(self) -> None:
        for look in count(1):
            if self._stop.is_set() or self.died:
                return
            _end_unless_called_again(FROZEN_SECONDS)
            self._look()
            if not look % LOOKS_TO_TRIM:
                memory.give_back_what_is_free()
            time.sleep(LOOK_SECONDS)

    def _look(self) -> None:
        if dead := next((name for name, alive in self._parts.items() if not alive()), ""):
            self.died = f"{dead} died"
        elif held := watchdog.overdue(watchdog.MARGIN):
            self.hanging = {one.thread for one in held}
            self.died = f"a worker does not come back from {', '.join(map(str, held))}"
        if self.died:
            log.error("%s", self.died)
            self._end()


def _end_unless_called_again(seconds: float) -> None:
    # To standard error, whatever sys.stderr is by then.
    faulthandler.dump_traceback_later(seconds, exit=True, file=2)
