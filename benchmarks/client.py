"""A load generator: many SMTP connections, each sends one mail after the other and waits for every
answer."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.mails import SUPPORT


@dataclass(frozen=True, slots=True)
class Load:
    accepted: int
    seconds: float

    @property
    def rate(self) -> float:
        return self.accepted / self.seconds


def run(port: int, bodies: Sequence[bytes], *, connections: int, seconds: float) -> Load:
    """All connections are open before the clock starts, and finish the mail they are at when it
    stops."""
    return asyncio.run(_run(port, bodies, connections, seconds))


async def _run(port: int, bodies: Sequence[bytes], connections: int, seconds: float) -> Load:
    loop = asyncio.get_running_loop()
    clients = [
        _Client([*bodies[n % len(bodies) :], *bodies[: n % len(bodies)]])
        for n in range(connections)
    ]
    await asyncio.gather(
        *(loop.create_connection(lambda c=c: c, "127.0.0.1", port) for c in clients)
    )  # type: ignore[misc]
    await asyncio.gather(*(client.ready for client in clients))
    started = time.perf_counter()
    for client in clients:
        client.begin(started + seconds)
    await asyncio.gather(*(client.done for client in clients))
    elapsed = time.perf_counter() - started
    for client in clients:
        client.transport.close()
    return Load(sum(client.accepted for client in clients), elapsed)


class _Client(asyncio.Protocol):
    def __init__(self, bodies: Sequence[bytes]) -> None:
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = loop.create_future()
        self.done: asyncio.Future[None] = loop.create_future()
        self.accepted = 0
        self._bodies = bodies
        self._buffer = b""
        self._step = -2  # the greeting, EHLO's answer, then MAIL, RCPT, DATA and the content
        self._until = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        for future in (self.ready, self.done):
            if not future.done():
                future.set_exception(ConnectionError(f"the server hung up: {error}"))

    def begin(self, until: float) -> None:
        self._until = until
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        last = self._buffer.rstrip(b"\r\n").rpartition(b"\n")[2]
        if not self._buffer.endswith(b"\n") or last[3:4] == b"-":
            return
        answer, self._buffer = last, b""
        if answer[:1] not in b"23":
            self._fail(answer)
        elif self._step == -2:
            self._step = -1
            self.transport.write(b"EHLO benchmark.example.net\r\n")
        elif self._step == -1:
            self._step = 0
            self.ready.set_result(None)
        else:
            self._answered()

    def _answered(self) -> None:
        self._step += 1
        if self._step == 4:
            self._step = 0
            self.accepted += 1
            if time.perf_counter() >= self._until:
                self.done.set_result(None)
                return
        self._send()

    def _send(self) -> None:
        if self._step == 3:
            self.transport.write(self._bodies[self.accepted % len(self._bodies)] + b".\r\n")
        else:
            self.transport.write(_COMMANDS[self._step])

    def _fail(self, answer: bytes) -> None:
        future = self.done if self.ready.done() else self.ready
        if not future.done():
            future.set_exception(ConnectionError(answer.decode("ascii", "replace")))
        self.transport.close()


_COMMANDS = (
    b"MAIL FROM:<person@example.net>\r\n",
    b"RCPT TO:<%s>\r\n" % SUPPORT.encode(),
    b"DATA\r\n",
)
