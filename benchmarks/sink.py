"""A mail server that takes everything and notes what answers which mail, and when; by itself:
`python -m benchmarks.sink PORT`."""

import asyncio
import re
import sys
import time

_ANSWERED = re.compile(rb"^In-Reply-To:\s*<([^>]+)>", re.MULTILINE | re.IGNORECASE)


class Sink:
    """`seen` has, by the id of the mail that was answered, when its first answer came."""

    def __init__(self) -> None:
        self.seen: dict[str, float] = {}
        self.port = 0

    async def start(self, port: int = 0) -> asyncio.Server:
        server = await asyncio.get_running_loop().create_server(
            lambda: _Conversation(self), "127.0.0.1", port
        )
        self.port = server.sockets[0].getsockname()[1]
        return server

    def take(self, mail: bytes) -> None:
        if found := _ANSWERED.search(mail):
            self.seen.setdefault(found[1].decode(), time.perf_counter())


class _Conversation(asyncio.Protocol):
    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._read = b""
        self._in_data = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        self._read += data
        while True:
            mail, end, rest = self._read.partition(b"\r\n.\r\n" if self._in_data else b"\r\n")
            if not end:
                return
            self._read = rest
            if self._in_data:
                self._sink.take(mail)
                self._in_data = False
                self._transport.write(b"250 OK\r\n")
            else:
                self._answer(mail[:4].upper())

    def _answer(self, command: bytes) -> None:
        if command == b"EHLO":
            self._transport.write(b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
        elif command == b"DATA":
            self._in_data = True
            self._transport.write(b"354 go\r\n")
        elif command == b"QUIT":
            self._transport.write(b"221 bye\r\n")
            self._transport.close()
        else:
            self._transport.write(b"250 OK\r\n")


async def _main(port: int) -> None:
    await (await Sink().start(port)).serve_forever()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1])))
