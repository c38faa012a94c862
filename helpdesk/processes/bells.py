"""How the processes of `serve` ring for one another: a datagram says which task is due for which
row.

Nobody waits for a bell. Where it is full, whoever hears it has hundreds of rows to look at, and
the sweep finds the one that could not be said.
"""

import errno
import functools
import socket
from collections.abc import Mapping, Sequence

from celery import Celery

from helpdesk.processes import broker
from tasks import ring


class Bell:
    """Rung by any process, heard by one. It outlives both: what was rung while nobody heard is
    heard by who comes next."""

    def __init__(self) -> None:
        self._far, self._near = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._far.setblocking(False)

    def ring(self, task: str, pk: int) -> None:
        try:
            self._far.send(f"{task} {pk}".encode())
        except OSError as error:
            if error.errno not in {errno.EAGAIN, errno.ENOBUFS}:
                raise

    def hear(self) -> tuple[str, int]:
        """The next one; waits for it."""
        task, _, pk = self._near.recv(500).decode().partition(" ")
        return task, int(pk)


class Bells:
    """A bell for each process of workers, by its name; and which queues it works on. To be made
    before the first of them is forked."""

    def __init__(self, app: Celery, queues: Mapping[str, Sequence[str]]) -> None:
        self.queues = queues
        self._app = app
        self._bells = {name: Bell() for name in queues}
        self.process_of = functools.cache(self._process_of)

    def install(self, name: str = "") -> None:
        """From now on the process with that name rings for its own queues in its broker, and for
        all others by their bells."""
        ring.by(functools.partial(self._ring, name))

    def hear(self, name: str) -> None:
        """Rings in this process whenever its bell does, for ever."""
        while True:
            self._ring(name, *self._bells[name].hear())

    def _ring(self, mine: str, task: str, pk: int) -> None:
        process = self.process_of(task)
        if process != mine:
            self._bells[process].ring(task, pk)
        elif not broker.is_waiting(task, pk):
            ring.by_broker(task, pk)

    def _process_of(self, task: str) -> str:
        queue = self._app.amqp.router.route({}, task)["queue"].name
        return next(name for name, queues in self.queues.items() if queue in queues)
