"""From the stored row to the committed ticket, in this process; `python -m benchmarks.pipeline` in
a Site's environment."""

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import django

from benchmarks import mails

if TYPE_CHECKING:
    from inbound.reading.message import ParsedMail

BLOCK = 50  # mails between two readings of the clock; processing and bare parsing take turns
WARM_UP = 50


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--mails", type=int, default=1000)
    arguments.add_argument("--profile", action="store_true")
    given = arguments.parse_args()
    django.setup()
    warm_up(WARM_UP)
    todo = mails.generate(given.mails)
    if given.profile:
        from benchmarks.profile import profile

        print(profile(store(todo)))
        return
    print(json.dumps(measure(todo)))


def store(todo: Sequence[mails.Mail]) -> list[int]:
    """The rows' ids, as the listener would have stored them."""
    from inbound.reading.message import Envelope
    from inbound.store import Arrival, accept_many

    arrivals = [
        Arrival(m.raw, Envelope(m.sender, (mails.SUPPORT,), "192.0.2.1 (mx.example.net)"), "smtp")
        for m in todo
    ]
    return [
        ids[0]
        for start in range(0, len(todo), BLOCK)
        for ids in accept_many(arrivals[start : start + BLOCK])
    ]


def warm_up(count: int) -> None:
    """Loads templates, code and caches; with mails of another seed, which meet none of the
    others."""
    from tasks.inbound import process

    for pk in store(mails.generate(count, seed=99)):
        process(pk)


def measure(todo: Sequence[mails.Mail]) -> dict[str, Any]:
    from inbound.reading.parse import parse
    from tasks.inbound import process

    pks = store(todo)
    ours: list[float] = []
    bare: list[float] = []
    ours_cpu = bare_cpu = 0.0
    for start in range(0, len(pks), BLOCK):
        clock = time.process_time()
        ours.append(_seconds(process, pks[start : start + BLOCK]))
        ours_cpu += time.process_time() - clock
        clock = time.process_time()
        bare.append(_seconds(parse, [mail.raw for mail in todo[start : start + BLOCK]]))
        bare_cpu += time.process_time() - clock
    _check(todo, pks)
    return {
        "mails": len(pks),
        "ours": len(pks) / sum(ours),
        "parse": len(pks) / sum(bare),
        "ratio": sum(bare) / sum(ours),
        "ours_cpu_ms": 1000 * ours_cpu / len(pks),
        "parse_cpu_ms": 1000 * bare_cpu / len(pks),
    }


def _seconds(
    work: "Callable[[int], None] | Callable[[bytes], ParsedMail]", items: Sequence[Any]
) -> float:
    started = time.perf_counter()
    for item in items:
        work(item)
    return time.perf_counter() - started


def _check(todo: Sequence[mails.Mail], pks: Sequence[int]) -> None:
    """A number is worth nothing where the work was not done: a ticket for each new mail, a comment
    for each reply."""
    from inbound.models import InboundMail

    rows = InboundMail.objects.filter(pk__gte=min(pks)).values_list("state", "reason")
    found = Counter(f"{state} {reason}" for state, reason in rows)
    replies = sum(bool(mail.parent) for mail in todo)
    expected = {"done open": len(todo) - replies, "done comment": replies}
    if found != expected:
        raise RuntimeError(f"expected {expected}, found {dict(found)}")


if __name__ == "__main__":
    main()
