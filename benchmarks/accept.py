"""Durable accepts per second, beside a stock aiosmtpd that keeps nothing, in turns."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks import client, mails
from benchmarks.site import Site, cpu_seconds, free_port, median

CONNECTIONS = (1, 10, 100)
SIZES = (4_000, 100_000)


@dataclass(slots=True)
class _Server:
    port: int
    pid: int
    rates: list[float]
    accepted: int = 0
    cpu: float = 0.0

    def measure(self, bodies: list[bytes], connections: int, seconds: float) -> int:
        before = cpu_seconds(self.pid)
        load = client.run(self.port, bodies, connections=connections, seconds=seconds)
        self.cpu += cpu_seconds(self.pid) - before
        self.accepted += load.accepted
        self.rates.append(load.rate)
        return load.accepted

    def cpu_ms(self) -> float:
        return 1000 * self.cpu / max(1, self.accepted)


@dataclass(frozen=True, slots=True)
class Result:
    size: int
    connections: int
    ours: float
    stock: float
    ratio: float
    ours_cpu_ms: float
    stock_cpu_ms: float


def measure(site: Site, *, rounds: int, seconds: float) -> Iterator[dict[str, Any]]:
    ours, stock, answered = free_port(), free_port(), 0
    smtpd = site.process(
        "manage.py",
        "smtpd",
        port=ours,
        SMTP_ADDR=f"127.0.0.1:{ours}",
        HTTP_ADDR="off",
        SMTP_MAX_CONNECTIONS="200",
    )
    with (
        smtpd as ours_pid,
        site.process("-m", "benchmarks.stock", str(stock), port=stock) as stock_pid,
    ):
        for size in SIZES:
            bodies = [mails.plain(size, number) for number in range(20)]
            for connections in CONNECTIONS:
                pair = _Server(ours, ours_pid, []), _Server(stock, stock_pid, [])
                answered += client.run(ours, bodies, connections=connections, seconds=0.2).accepted
                client.run(stock, bodies, connections=connections, seconds=0.2)
                for _ in range(rounds):
                    answered += pair[0].measure(bodies, connections, seconds)
                    pair[1].measure(bodies, connections, seconds)
                yield asdict(_result(size, connections, *pair))
    if (stored := site.stored_mails()) != answered:
        raise RuntimeError(f"{answered} mails were answered 250, and {stored} are stored")


def _result(size: int, connections: int, ours: _Server, stock: _Server) -> Result:
    ratios = [mine / other for mine, other in zip(ours.rates, stock.rates, strict=True)]
    return Result(
        size,
        connections,
        median(ours.rates),
        median(stock.rates),
        median(ratios),
        ours.cpu_ms(),
        stock.cpu_ms(),
    )
