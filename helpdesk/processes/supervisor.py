"""Processes that are forked from this one: started again where they die, ended in order, and never
left behind.

Between this process and each of its own there is a line, a pair of sockets. A process says on it
that it is ready; its end tells that the other is gone. This process starts no thread and opens no
connection, so that whatever is forked later begins as the first ones did.
"""

import logging
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NoReturn

log = logging.getLogger(__name__)

PAUSE, LONGEST_PAUSE = 0.2, 30.0  # before one that died is started again; doubled each time
SETTLED_SECONDS = 60.0  # who has lived so long begins with the short pause again
STOP_SECONDS = 50.0  # for one to end in order; it is killed afterwards


@dataclass(slots=True)
class Part:
    """A process. `body` calls what it is given once it is ready, runs until SIGTERM, and returns
    the exit status."""

    name: str
    body: Callable[[Callable[[], None]], int]
    pid: int = 0  # 0: it does not run
    line: socket.socket | None = None
    is_ready: bool = False
    started_at: float = 0.0
    again_at: float = 0.0
    deaths: int = 0  # since it last settled
    died: str = ""  # what became of the last one


@dataclass(slots=True)
class Supervisor:
    """Runs the parts until it is told to end (SIGTERM, SIGINT), or one of them cannot be started.

    `up` is called when all are ready for the first time. `ended` is called in the process that
    takes the place of one that died, with what became of it.
    """

    parts: Sequence[Part]
    up: Callable[[], None]
    ended: Callable[[str], None]
    _told: int = 0  # how often it was told to end
    _status: int = 0
    _is_up: bool = False
    _wake: tuple[socket.socket, ...] = field(default_factory=socket.socketpair)

    def run(self) -> int:
        """The exit status: 0 where it was told to end and all ended well."""
        for end in self._wake:
            end.setblocking(False)
        signal.set_wakeup_fd(self._wake[1].fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._tell)
        while not self._told and not self._status:
            self._start_those_due()
            self._listen(self._until_the_next())
        for part in self.parts:  # those that take things in end first
            self._end(part)
        return self._status

    def _tell(self, *_: Any) -> None:
        self._told += 1

    def _start_those_due(self) -> None:
        for part in self.parts:
            if not part.pid and time.monotonic() >= part.again_at:
                others = [other.line for other in self.parts if other.line]
                part.pid, part.line = forked(partial(self._be, part), (*others, *self._wake))
                part.started_at = time.monotonic()

    def _be(self, part: Part, line: socket.socket) -> int:
        if part.died:
            self.ended(part.died)
        return part.body(lambda: line.sendall(b"."))

    def _until_the_next(self) -> float | None:
        due = [part.again_at for part in self.parts if not part.pid]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _listen(self, seconds: float | None) -> None:
        lines = {part.line: part for part in self.parts if part.line}
        for end in select.select([self._wake[0], *lines], [], [], seconds)[0]:
            said = end.recv(100)
            if end is self._wake[0]:
                continue
            if said:
                self._is_ready(lines[end])
            else:
                self._is_gone(lines[end])

    def _is_ready(self, part: Part) -> None:
        part.is_ready = True
        if not self._is_up and all(each.is_ready for each in self.parts):
            self._is_up = True
            self.up()

    def _is_gone(self, part: Part) -> None:
        how, pid = _reaped(part)
        if self._told or self._status:
            ends_well = how in {"ended with status 0", "was ended by SIGTERM"}
            self._status = self._status or int(not ends_well)
            return
        part.died = words = f"{part.name} (process {pid}) {how}"
        if not part.is_ready:
            # What it has never been able to do: who runs us learns it from our own end.
            log.error("%s before it was ready", words)
            self._status = 1
            return
        if time.monotonic() - part.started_at > SETTLED_SECONDS:
            part.deaths = 0
        pause = min(LONGEST_PAUSE, PAUSE * 2**part.deaths)
        part.deaths += 1
        part.again_at = time.monotonic() + pause
        log.error("%s; it is started again in %.1f s", words, pause)

    def _end(self, part: Part) -> None:
        if part.pid:
            os.kill(part.pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        # Told twice, it waits for nobody.
        while part.pid and self._told < 2 and time.monotonic() < deadline:
            self._listen(deadline - time.monotonic())
        if part.pid:
            log.error("%s is killed: it did not end", part.name)
            os.kill(part.pid, signal.SIGKILL)
            self._status = 1
            _reaped(part)


def _reaped(part: Part) -> tuple[str, int]:
    """How it ended, and its id; it does not run any more."""
    assert part.line is not None
    status, pid = os.waitstatus_to_exitcode(os.waitpid(part.pid, 0)[1]), part.pid
    part.line.close()
    part.pid, part.line = 0, None
    how = f"was ended by {signal.Signals(-status).name}" if status < 0 else ""
    return how or f"ended with status {status}", pid


def in_a_child(work: Callable[[], str]) -> str:
    """What `work` returns, done in a child: what it imports, opens and starts is gone with it.
    SystemExit where it failed."""

    def tell(line: socket.socket) -> int:
        line.sendall(work().encode())
        return 0

    pid, line = forked(tell)
    with line, line.makefile("rb") as said:
        text = said.read().decode()
    if os.waitpid(pid, 0)[1]:
        raise SystemExit(1)
    return text


def forked(
    body: Callable[[socket.socket], int], not_its: Iterable[socket.socket] = ()
) -> tuple[int, socket.socket]:
    """A child that does `body` with its end of a line, and our end of it. The child lets go of the
    sockets of `not_its`, and ends at once when this process does."""
    assert threading.active_count() == 1, threading.enumerate()
    ours, theirs = socket.socketpair()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if not pid:
        for end in (ours, *not_its):
            end.close()
        _be(body, theirs)
    theirs.close()
    return pid, ours


def _be(body: Callable[[socket.socket], int], line: socket.socket) -> NoReturn:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for whoever ends us in order
    threading.Thread(target=_end_with_it, args=(line,), name="line", daemon=True).start()
    status = 1
    try:
        status = body(line)
    except Exception:
        log.exception("it died")
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _end_with_it(line: socket.socket) -> None:
    with suppress(OSError):  # also where it went without having heard that we are ready
        line.recv(1)
    os._exit(1)  # nothing is lost: the rows are the queue
