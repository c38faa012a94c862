"""`make bench`: what the helpdesk does in a second, on this machine, beside what the parts it
stands on do."""

import argparse
import json
import os
import platform
import signal
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import accept, large, latency, serve
from benchmarks.site import fsyncs_per_second, last_line, reachable, site

PARTS = ("accept", "pipeline", "outbound", "latency", "serve", "large", "pages")
DATABASES = ("sqlite", "postgres")
POSTGRES = "postgres://postgres@127.0.0.1:5432/postgres"

Row = dict[str, Any]


def main() -> int:
    given = _arguments()
    databases = list(dict.fromkeys(given.databases))
    if "postgres" in databases and not reachable(given.postgres):
        print("PostgreSQL: skipped, there is no server at the --postgres URL\n")
        databases.remove("postgres")
    result: Row = {"machine": _machine(given.folder), "quick": given.quick}
    print("  ".join(f"{name}: {value}" for name, value in result["machine"].items()), flush=True)
    if given.profile:
        for database in databases:
            _profile(given, database)
        return 0
    measures: dict[str, Callable[[argparse.Namespace, str], Iterator[Row]]] = {
        "accept": _accept,
        "pipeline": _pipeline,
        "outbound": _outbound,
        "latency": _latency,
        "pages": _pages,
        "serve": _serve,
        "large": _large,
    }
    name = Path(f"bench-{datetime.now(UTC):%Y-%m-%d}.json")
    for part in dict.fromkeys(given.parts):
        _head(part)
        result[part] = []
        for database in databases:
            for row in measures[part](given, database):
                result[part].append({"database": database, **row})
                _line(part, result[part][-1])
                name.write_text(json.dumps(result, indent=1) + "\n")
    print(f"\nWritten to {name}")
    return 0


def _arguments() -> argparse.Namespace:
    arguments = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="a fraction of the work")
    arguments.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    arguments.add_argument("--databases", nargs="+", choices=DATABASES, default=DATABASES)
    arguments.add_argument(
        "--postgres", default=os.environ.get("BENCH_POSTGRES", POSTGRES), metavar="URL"
    )
    arguments.add_argument(
        "--postfix",
        action=argparse.BooleanOptionalAction,
        help="accept: beside a private Postfix; unless told, where one is installed",
    )
    arguments.add_argument("--folder", help="where temporary files go: the disk that is measured")
    arguments.add_argument(
        "--profile", action="store_true", help="instead: where the pipeline's time goes"
    )
    return arguments.parse_args()


def _machine(folder: str | None) -> Row:
    return {
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "fsyncs/s": round(fsyncs_per_second(folder)),
    }


def _accept(given: argparse.Namespace, database: str) -> Iterator[Row]:
    rounds, mails = (3, 1000) if given.quick else (5, 3000)
    with site(database, given.postgres, given.folder) as own:
        yield from accept.measure(own, rounds=rounds, mails=mails, with_postfix=given.postfix)


def _pipeline(given: argparse.Namespace, database: str) -> Iterator[Row]:
    mails, full = (200, 10_000) if given.quick else (1000, 100_000)
    for preload in (0, full):
        with site(database, given.postgres, given.folder) as own:
            seconds = own.fill(preload) if preload else 0.0
            printed = own.run("-m", "benchmarks.pipeline", f"--mails={mails}")
            yield {
                "tickets_before": preload,
                "preload_seconds": seconds,
                **json.loads(last_line(printed)),
            }


def _outbound(given: argparse.Namespace, database: str) -> Iterator[Row]:
    with site(database, given.postgres, given.folder) as own:
        mails = 300 if given.quick else 2000
        yield json.loads(last_line(own.run("-m", "benchmarks.outbound", f"--mails={mails}")))


def _latency(given: argparse.Namespace, database: str) -> Iterator[Row]:
    with site(database, given.postgres, given.folder) as own:
        yield latency.measure(own, count=30 if given.quick else 100)


def _pages(given: argparse.Namespace, database: str) -> Iterator[Row]:
    for tickets in dict.fromkeys((10_000, int(os.environ.get("SCALE", "10000")))):
        with site(database, given.postgres, given.folder) as own:
            own.fill(tickets)
            printed = own.run("-m", "benchmarks.pages", f"--repeats={10 if given.quick else 40}")
            for line in printed.splitlines():
                yield {"tickets": tickets, **json.loads(line)}


def _serve(given: argparse.Namespace, database: str) -> Iterator[Row]:
    quiet, busy, flood = (30, 150, 300) if given.quick else (100, 1000, 2000)
    with site(database, given.postgres, given.folder) as own:
        yield serve.measure(own, quiet=quiet, busy=busy, flood=flood)


def _large(given: argparse.Namespace, database: str) -> Iterator[Row]:
    with site(database, given.postgres, given.folder) as own:
        yield large.measure(own, count=20 if given.quick else 120)


def _profile(given: argparse.Namespace, database: str) -> None:
    with site(database, given.postgres, given.folder) as own:
        print(
            f"\n{database}\n{own.run('-m', 'benchmarks.pipeline', '--profile', f'--mails={200 if given.quick else 1000}')}"
        )


# --- The table: for each part its columns, as heading, key and format

_COLUMNS: dict[str, list[tuple[str, str, str]]] = {
    "accept": [
        ("database", "database", "s"),
        ("bytes", "size", ",d"),
        ("connections", "connections", "d"),
        ("ours/s", "ours", ",.0f"),
        ("stock/s", "stock", ",.0f"),
        ("ours:stock", "ratio_stock", ".2f"),
        ("Postfix/s", "postfix", ",.0f"),
        ("ours:Postfix", "ratio_postfix", ".2f"),
        ("our CPU ms", "ours_cpu_ms", ".2f"),
        ("stock's", "stock_cpu_ms", ".2f"),
        ("Postfix's", "postfix_cpu_ms", ".2f"),
        ("client's", "client_cpu_ms", ".2f"),
        ("load", "load", ".1f"),
    ],
    "pipeline": [
        ("database", "database", "s"),
        ("tickets before", "tickets_before", ",d"),
        ("mails", "mails", ",d"),
        ("ours/s", "ours", ",.0f"),
        ("parse/s", "parse", ",.0f"),
        ("ours:parse", "ratio", ".2f"),
        ("our CPU ms", "ours_cpu_ms", ".1f"),
        ("parse CPU ms", "parse_cpu_ms", ".1f"),
        ("preload s", "preload_seconds", ".0f"),
    ],
    "outbound": [
        ("database", "database", "s"),
        ("mails", "mails", ",d"),
        ("sent/s", "sent", ",.0f"),
        ("CPU ms", "cpu_ms", ".1f"),
        ("load", "load", ".1f"),
    ],
    "latency": [
        ("database", "database", "s"),
        ("mails", "mails", "d"),
        ("p50 ms", "p50_ms", ".0f"),
        ("p99 ms", "p99_ms", ".0f"),
        ("max ms", "max_ms", ".0f"),
    ],
    "pages": [
        ("database", "database", "s"),
        ("tickets", "tickets", ",d"),
        ("p50 ms", "p50_ms", ".1f"),
        ("p95 ms", "p95_ms", ".1f"),
        ("CPU ms", "cpu_ms", ".1f"),
        ("allowed ms", "allowed_ms", "d"),
        ("queries", "queries", "d"),
        ("page", "page", "s"),
    ],
    "serve": [
        ("database", "database", "s"),
        ("start s", "start_seconds", ".1f"),
        ("idle MB", "idle_mb", ".0f"),
        ("after MB", "after_mb", ".0f"),
        ("p50 ms", "quiet_p50_ms", ".0f"),
        ("p99 ms", "quiet_p99_ms", ".0f"),
        ("p99 at 50/s", "busy_p99_ms", ".0f"),
        ("mails", "mails", "d"),
        ("mails/s", "rate", ".0f"),
        ("page p95 ms", "page_p95_ms", ".0f"),
    ],
    "large": [
        ("database", "database", "s"),
        ("mails", "mails", "d"),
        ("idle MB", "idle_mb", ".0f"),
        ("peak MB", "peak_mb", ".0f"),
        ("after MB", "after_mb", ".0f"),
        ("a minute later MB", "later_mb", ".0f"),
    ],
}
_TITLES = {
    "accept": "Durable accepts, beside a stock aiosmtpd that throws mail away",
    "pipeline": "Stored row to committed ticket in one process, beside bare parsing",
    "outbound": "Outbox rows to a mail server that keeps nothing, by one worker",
    "pages": "Each page and each search, with as many tickets; SCALE=1000000 for a million besides",
    "serve": "`serve` with SMTP to a sink: its 250 to the acknowledgement there, and all the way",
    "large": "Memory of all processes of `serve`, beside mails of 10 MB",
    "latency": "From 250 to the acknowledgement handed over, ten mails a second",
}


def _head(part: str) -> None:
    print(
        f"\n{_TITLES[part]}\n  "
        + "  ".join(f"{heading:>{_width(heading)}}" for heading, _, _ in _COLUMNS[part])
    )


def _line(part: str, row: Row) -> None:
    cells = [
        f"{format(row[key], shown) if key in row else '-':>{_width(heading)}}"
        for heading, key, shown in _COLUMNS[part]
    ]
    print("  " + "  ".join(cells), flush=True)


def _width(heading: str) -> int:
    return max(9, len(heading))


if __name__ == "__main__":
    started = time.monotonic()
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit(143)
    )  # so that its databases and processes end with it
    code = main()
    print(f"{time.monotonic() - started:.0f} s")
    sys.exit(code)
