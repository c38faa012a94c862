"""Postfix's smtp-source as the load: a client in C that costs next to nothing."""

import resource
import shutil
import subprocess
import time
from dataclasses import dataclass

from benchmarks.mails import SUPPORT


@dataclass(frozen=True, slots=True)
class Load:
    rate: float  # mails a second
    client_seconds: float  # of the processor


def found() -> str | None:
    return shutil.which("smtp-source", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")


def run(program: str, port: int, *, size: int, count: int, connections: int) -> Load:
    """Sends `count` mails of `size` bytes, many on each connection, and waits for every answer."""
    before, started = _used(), time.perf_counter()
    subprocess.run(
        [
            *(program, "-d", "-M", "load.example", "-f", "person@example.net", "-t", SUPPORT),
            *("-s", str(connections), "-l", str(size), "-m", str(count), f"127.0.0.1:{port}"),
        ],
        check=True,
        capture_output=True,
        timeout=300,
    )
    return Load(count / (time.perf_counter() - started), _used() - before)


def _used() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
