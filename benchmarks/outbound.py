"""Acknowledgements that wait in the outbox, handed over by one worker to a mail server that keeps
nothing; `python -m benchmarks.outbound` in a Site's environment."""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import django

from benchmarks import mails, pipeline
from benchmarks.site import free_port

WARM_UP = 50


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--mails", type=int, default=1000)
    given = arguments.parse_args()
    with _sink() as port:
        os.environ["EMAIL_URL"] = f"smtp://127.0.0.1:{port}"
        django.setup()
        _deliver(_waiting(WARM_UP, seed=98))
        print(json.dumps(measure(_waiting(given.mails, seed=1))))


def measure(pks: list[int]) -> dict[str, Any]:
    """A ring for each, as they come in production."""
    from helpdesk.models import OutboundMail

    clock, cpu = time.perf_counter(), time.process_time()
    _deliver(pks)
    seconds, used = time.perf_counter() - clock, time.process_time() - cpu
    sent = OutboundMail.objects.filter(pk__in=pks, state="sent").count()
    if sent != len(pks):
        raise RuntimeError(f"of {len(pks)} mails {sent} are sent")
    return {
        "mails": len(pks),
        "sent": len(pks) / seconds,
        "cpu_ms": 1000 * used / len(pks),
        "load": os.getloadavg()[0],
    }


def _waiting(count: int, *, seed: int) -> list[int]:
    """The ids of what that many new mails have left in the outbox."""
    from helpdesk.models import OutboundMail
    from tasks.inbound import process

    for pk in pipeline.store(mails.generate(count, seed=seed)):
        process(pk)
    return list(
        OutboundMail.objects.filter(state="queued").order_by("pk").values_list("pk", flat=True)
    )


def _deliver(pks: list[int]) -> None:
    from tasks.outbound import deliver

    for pk in pks:
        deliver(pk)


@contextmanager
def _sink() -> Iterator[int]:
    port = free_port()
    server = subprocess.Popen([sys.executable, "-m", "benchmarks.sink", str(port)])
    try:
        yield port
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
