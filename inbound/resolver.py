"""Asks the DNS, for what proves a sender: with a deadline, a cache, and no more patience than mail
has.

An answer is what is there, NOTHING where the DNS says that nothing is, or Away where it could not
be asked: a fault of the network is never taken for an answer.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver
from django.conf import settings

from inbound.reading.proofs.dmarc import owner

log = logging.getLogger(__name__)

MAX_RECORD = 4096  # bytes; a longer one is cut off, and then is no policy and no key
LONGEST, NOTHING_FOR = (
    3600.0,
    300.0,
)  # seconds for which an answer, and that there is none, are kept
MOST = 20_000
AWAY_AFTER, AWAY_FOR = (
    5,
    15.0,
)  # so many names in a row without an answer: nobody asks it for so many seconds
ROOT_SECONDS = 0.5
SILENT_AFTER, SILENT_FOR = 3, 60.0  # as much for one owner's names

Answer = list[object]  # of TXT: bytes; of A, AAAA, PTR: text; of MX: (preference, text)


class Away(Exception):
    """The DNS could not be asked, or did not answer in time."""


@dataclass(slots=True)
class _Health:
    in_a_row: int = 0
    until: float = 0.0
    answered_at: float = -LONGEST


_kept: dict[tuple[str, str], tuple[float, Answer]] = {}
_silent: dict[
    str, tuple[int, float]
] = {}  # by owner: how often in a row, and until when nobody asks
_answered: dict[str, float] = {}
_lock = threading.Lock()
_health = _Health()
_deadline: ContextVar[float] = ContextVar("_deadline", default=0.0)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Everything that is asked inside is answered by then, or Away. Threads take it along with
    their context."""
    before = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(before)


def ask(name: str, kind: str) -> Answer:
    """The records of that kind; [] where there are none. Raises Away. Ask it inside `within`."""
    key = (name.lower().rstrip("."), kind)
    now = time.monotonic()
    found = _kept.get(key)
    if found is not None and found[0] > now:
        return found[1]
    patience, whose = _deadline.get() - now, owner(key[0])
    if patience <= 0 or _health.until > now or _silent.get(whose, (0, 0.0))[1] > now:
        raise Away(f"no time to look up {key[0]}")
    try:
        answer, seconds = source(key[0], kind, patience)
    except Away:
        _count_away(whose)
        raise
    with _lock:
        _health.in_a_row = 0
        _answered[whose] = _health.answered_at = now
        _silent.pop(whose, None)
        if len(_kept) >= MOST:
            _kept.clear()
        _kept[key] = (now + min(seconds, LONGEST), answer)
    return answer


def _count_away(whose: str) -> None:
    """An owner whose names never answer is not waited for again for a while; one of whom another
    name has answered is. Several in a row may be one stranger's broken domains: the root tells
    whether it is the DNS that is away."""
    with _lock:
        if len(_silent) + len(_answered) >= MOST:
            _silent.clear()
            _answered.clear()
        if time.monotonic() - _answered.get(whose, -LONGEST) >= LONGEST:
            times = _silent.get(whose, (0, 0.0))[0] + 1
            _silent[whose] = times, time.monotonic() + SILENT_FOR if times >= SILENT_AFTER else 0.0
        _health.in_a_row += 1
        if _health.in_a_row < AWAY_AFTER or time.monotonic() - _health.answered_at < AWAY_FOR:
            return
        _health.in_a_row = 0
    try:
        source(".", "NS", ROOT_SECONDS)
    except Away:
        log.warning("the DNS does not answer: senders can't be proven for %d seconds", AWAY_FOR)
        _health.until = time.monotonic() + AWAY_FOR


def forget() -> None:
    """Empties the cache."""
    with _lock:
        for kept in (_kept, _silent, _answered):
            kept.clear()  # type: ignore[attr-defined]
        _health.in_a_row, _health.until, _health.answered_at = 0, 0.0, -LONGEST


def ask_dns(name: str, kind: str, seconds: float) -> tuple[Answer, float]:
    """The real one: the answer, and for how many seconds it holds. Raises Away."""
    try:
        found = _resolver().resolve(
            dns.name.from_text(name or "."), kind, lifetime=seconds, raise_on_no_answer=False
        )
    except (
        dns.resolver.NXDOMAIN,
        dns.name.LabelTooLong,
        dns.name.EmptyLabel,
        dns.name.NameTooLong,
        UnicodeError,
    ):
        return [], NOTHING_FOR
    except (dns.exception.DNSException, OSError) as error:
        raise Away(f"{name}: {type(error).__name__}") from None
    if found.rrset is None:
        return [], NOTHING_FOR
    return [_value(record, kind) for record in found.rrset], float(found.rrset.ttl)


# What answers. Tests put a zone of their own in its place.
source: Callable[[str, str, float], tuple[Answer, float]] = ask_dns


def _resolver() -> dns.resolver.Resolver:
    resolver = dns.resolver.Resolver(configure=not settings.DNS_SERVERS)
    if settings.DNS_SERVERS:
        resolver.nameservers = list(settings.DNS_SERVERS)
    return resolver


def _value(record: object, kind: str) -> object:
    if kind == "TXT":
        return b"".join(record.strings)[:MAX_RECORD]  # type: ignore[attr-defined]
    if kind == "MX":
        return record.preference, record.exchange.to_text(omit_final_dot=True)  # type: ignore[attr-defined]
    if kind in {"PTR", "NS"}:
        return record.target.to_text(omit_final_dot=True)  # type: ignore[attr-defined]
    return record.address  # type: ignore[attr-defined]
