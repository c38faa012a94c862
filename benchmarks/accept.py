"""Durable accepts per second, beside a stock aiosmtpd that keeps nothing and a Postfix that keeps
everything, in turns."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from benchmarks import peer, source
from benchmarks.site import Site, family_seconds, free_port, median

CONNECTIONS = (1, 10, 100)
SIZES = (4_096, 102_400)


@dataclass(slots=True)
class _Server:
    name: str
    port: int
    pid: int
    rates: list[float] = field(default_factory=list)
    mails: int = 0
    cpu: float = 0.0
    client: float = 0.0

    def measure(self, program: str, *, size: int, count: int, connections: int) -> None:
        before = family_seconds(self.pid)
        load = source.run(program, self.port, size=size, count=count, connections=connections)
        self.cpu += family_seconds(self.pid) - before
        self.client += load.client_seconds
        self.mails += count
        self.rates.append(load.rate)


def measure(
    site: Site, *, rounds: int, mails: int, with_postfix: bool | None
) -> Iterator[dict[str, Any]]:
    """A row for each size and number of connections. `with_postfix`: None, where it can be."""
    program = source.found()
    if program is None:
        print("  skipped: Postfix's smtp-source is not installed")
        return
    with ExitStack() as running:
        servers = _servers(site, running, with_postfix=with_postfix)
        sent = 0
        for size in SIZES:
            for connections in CONNECTIONS:
                count = max(connections, mails // (4 if size > 10_000 else 1))
                if connections == 1:
                    count //= 4  # it waits for the disk at each mail
                for number in range(rounds + 1):
                    for server in servers:
                        if number == 1:  # what came before was to warm up
                            _forget(server)
                        server.measure(program, size=size, count=count, connections=connections)
                    sent += count
                yield _row(size, connections, servers)
    if (stored := site.stored_mails()) != sent:
        raise RuntimeError(f"{sent} mails were answered 250, and {stored} are stored")


def _servers(site: Site, running: ExitStack, *, with_postfix: bool | None) -> list[_Server]:
    ours, stock = free_port(), free_port()
    smtpd = site.process(
        "manage.py",
        "smtpd",
        port=ours,
        SMTP_ADDR=f"127.0.0.1:{ours}",
        SMTP_MAX_CONNECTIONS="200",
    )
    keeps_nothing = site.process("-m", "benchmarks.stock", str(stock), port=stock)
    servers = [
        _Server("ours", ours, running.enter_context(smtpd)),
        _Server("stock", stock, running.enter_context(keeps_nothing)),
    ]
    why = peer.why_not()
    if why and with_postfix is not False:
        print(f"  without Postfix: {why}")
    elif with_postfix is not False:
        port, pid = running.enter_context(peer.postfix(str(site.folder.parent)))
        servers.append(_Server("postfix", port, pid))
    return servers


def _forget(server: _Server) -> None:
    server.rates, server.mails, server.cpu, server.client = [], 0, 0.0, 0.0


def _row(size: int, connections: int, servers: Sequence[_Server]) -> dict[str, Any]:
    ours, *others = servers
    row: dict[str, Any] = {"size": size, "connections": connections, "load": os.getloadavg()[0]}
    for server in servers:
        row[server.name] = median(server.rates)
        row[f"{server.name}_cpu_ms"] = 1000 * server.cpu / server.mails
    for other in others:
        row[f"ratio_{other.name}"] = median(
            [mine / its for mine, its in zip(ours.rates, other.rates, strict=True)]
        )
    row["client_cpu_ms"] = 1000 * ours.client / ours.mails
    return row
