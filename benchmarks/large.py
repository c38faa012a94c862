"""The memory of `serve` and all its processes while mails of 10 MB come in, and a while later."""

import asyncio
import base64
import random
from collections.abc import Iterator
from typing import Any

from benchmarks import mails, serve
from benchmarks.sink import Sink
from benchmarks.site import Site

AT_ONCE = 4
FILE_BYTES = 7_300_000  # 10 MB in base64
LOOK_SECONDS = 0.3
LATER_SECONDS = 60.0


def measure(site: Site, *, count: int) -> dict[str, Any]:
    return asyncio.run(_measure(site, count))


async def _measure(site: Site, count: int) -> dict[str, Any]:
    sink = Sink()
    async with await sink.start():
        with serve.served(site, sink) as running:
            await asyncio.sleep(serve.SETTLE_SECONDS)
            idle = running.memory_mb()
            peak = asyncio.create_task(_peak(running))
            todo = _large(count)
            for _ in range(0, count, AT_ONCE):
                some = [mail for _, mail in zip(range(AT_ONCE), todo)]
                await serve.waits(some, running.smtp, sink, None, connections=AT_ONCE)
            after, _ = running.memory_mb(), peak.cancel()
            await asyncio.sleep(LATER_SECONDS)
            return {
                "mails": count,
                "idle_mb": idle,
                "peak_mb": max(running.seen),
                "after_mb": after,
                "later_mb": running.memory_mb(),
            }


async def _peak(running: serve.Running) -> None:
    while True:
        await asyncio.to_thread(running.memory_mb)
        await asyncio.sleep(LOOK_SECONDS)


def _large(count: int) -> Iterator[mails.Mail]:
    """One at a time: they are as large here."""
    body = base64.encodebytes(random.Random(1).randbytes(FILE_BYTES)).replace(b"\n", b"\r\n")
    for number in range(count):
        sender, key = f"person{number}@example.net", f"large{number}@example.net"
        head = (
            f"From: {sender}\r\nTo: {mails.SUPPORT}\r\nSubject: Large\r\nMessage-ID: <{key}>\r\n"
            "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n"
            "Content-Type: text/plain\r\n\r\nSee the file.\r\n--x\r\nContent-Type: application/pdf\r\n"
            "Content-Disposition: attachment; filename=a.pdf\r\n"
            "Content-Transfer-Encoding: base64\r\n\r\n"
        )
        yield mails.Mail(sender, key, "", "attachment", head.encode() + body + b"--x--\r\n")
