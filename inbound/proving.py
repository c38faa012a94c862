"""Finds out whether a stored mail is from whom it says: looks up what `inbound.reading.proof`
judges by.

The DNS is asked between reading and deciding, outside every transaction, for two seconds at the
most. SPF is about the server that hands a mail over: it is asked where we have seen that server
ourselves. Behind another mail server, its Authentication-Results are believed where the mailbox, or
the installation, names it; signatures are always checked.
"""

import contextvars
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from django.conf import settings
from django.utils import timezone

from inbound import readers, resolver
from inbound.believed import believed, client_of, network_of
from inbound.models import InboundMail
from inbound.reading.proof import Proof, Verdict, judge
from inbound.reading.proofs.dmarc import Policy, is_of, owner, to_ascii
from inbound.reading.proofs.findings import Spf
from inbound.reading.reading import Reading
from inbound.reading.signatures import Checked, Signature
from inbound.sender_records import key_of, policy_of, spf_of

log = logging.getLogger(__name__)
T = TypeVar("T")

SECONDS = 2.0  # for all look-ups of a mail together
HURRIED = 0.3  # and on the queue where others wait; one that needs more goes to the slow ones
BESIDE = 0.2  # for what decides nothing
TOO_OLD_DAYS = 3  # keys are changed and servers move: what came longer ago can't be proven any more


class NeedsTime(Exception):
    """The DNS did not answer at once."""


def prove(row: InboundMail, raw: bytes, reading: Reading, *, hurried: bool = False) -> Proof:
    """What is known about the mail's sender: what was seen when it came, if it was looked at then.
    Raises NeedsTime where it is `hurried` and the DNS is slow, and OSError where no reader can be
    started."""
    if row.proof is not None:
        return unpack(row.proof)
    domain = to_ascii(reading.parsed.from_.address.rpartition("@")[2])
    if row.is_history:
        return Proof(Verdict.UNKNOWN, domain, why="it is from an archive")
    if (timezone.now() - row.received_at).days >= TOO_OLD_DAYS:
        return Proof(Verdict.UNKNOWN, domain, why="nobody looked when it came")
    servers = believed(row, reading)
    client = client_of(row)
    if not (domain and (reading.claims.keys or client or servers)):
        # Mail of our own servers without a signature costs no look-up.
        return judge(domain, reading.claims, Checked(), None, Policy())
    found = _deciding(row, reading, domain, client, HURRIED if hurried else SECONDS)
    if hurried and found.is_late:
        raise NeedsTime
    found = _with_what_is_beside(found, row, reading, client)
    return judge(
        domain,
        reading.claims,
        _checked(raw, found.keys),
        found.spf,
        found.policy,
        servers=servers,
        sealers=settings.TRUSTED_ARC_SEALERS,
        network=network_of(client),
    )


@dataclass(frozen=True, slots=True)
class _Found:
    """In the DNS. `spf` is None where SPF says nothing; a key that could not be looked up is."""

    policy: Policy
    spf: Spf | None
    keys: dict[str, bytes | None]

    @property
    def is_late(self) -> bool:
        is_spf_late = self.spf is not None and self.spf.result == "temperror"
        return None in self.keys.values() or self.policy.is_away or is_spf_late


def _deciding(
    row: InboundMail, reading: Reading, domain: str, client: str, seconds: float
) -> _Found:
    """First what decides: nobody gains by naming ten servers that never answer."""
    names = [name for name in reading.claims.keys if _decides(name, domain)]
    with resolver.within(seconds), ThreadPoolExecutor(8, "dns") as threads:
        policy = _start(threads, policy_of, domain)
        spf = _start(threads, spf_of, client, row, domain) if client else None
        keys = {name: _start(threads, key_of, name) for name in names}
    return _Found(policy.result(), spf.result() if spf else None, _results(keys))


def _decides(key: str, domain: str) -> bool:
    """Whether a signature with that key could prove the domain: its own, or a trusted
    forwarder's."""
    signer = key.partition("._domainkey.")[2]
    return owner(signer) == owner(domain) or any(
        is_of(signer, sealer) for sealer in settings.TRUSTED_ARC_SEALERS
    )


def _with_what_is_beside(found: _Found, row: InboundMail, reading: Reading, client: str) -> _Found:
    """And what an agent might trust instead, while that costs next to nothing."""
    others = [name for name in reading.claims.keys if name not in found.keys]
    is_others = found.spf is not None and found.spf.result == "none"
    with resolver.within(BESIDE), ThreadPoolExecutor(8, "dns") as threads:
        keys = {name: _start(threads, key_of, name) for name in others}
        beside = _start(threads, spf_of, client, row, "") if is_others else None
    spf = found.spf
    if beside is not None and beside.result().result == "pass":
        spf = beside.result()
    return _Found(found.policy, spf, found.keys | _results(keys))


def _start(threads: ThreadPoolExecutor, call: Callable[..., T], *args: object) -> "Future[T]":
    return threads.submit(contextvars.copy_context().run, call, *args)


def _results(keys: dict[str, "Future[bytes | None]"]) -> dict[str, bytes | None]:
    return {name: future.result() for name, future in keys.items()}


def _checked(raw: bytes, keys: dict[str, bytes | None]) -> Checked:
    if not keys:
        return Checked()
    try:
        return readers.check(raw, keys)
    except readers.Unreadable as error:
        log.info("signatures that cannot be checked: %s", error)
        # A fault of ours: who they are of says nothing yet.
        unchecked = (name.partition("._domainkey.") for name in keys)
        return Checked(
            tuple(
                Signature(domain, selector, "temperror", "it took too long")
                for selector, _, domain in unchecked
            )
        )


def pack(proof: Proof) -> dict[str, Any]:
    """As the mail's row keeps it."""
    return asdict(proof) | {"verdict": proof.verdict.value}


def unpack(packed: dict[str, Any]) -> Proof:
    return Proof(
        **packed
        | {
            "verdict": Verdict(packed["verdict"]),
            "ways": tuple(packed["ways"]),
            "covers": tuple(packed.get("covers", ())),
        }
    )
