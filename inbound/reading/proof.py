"""Whether a mail is from whom it says: what was found out about it, judged (DMARC, RFC 7489). No
I/O.

authenticated   its From domain is proven: a DKIM signature or an SPF pass that is aligned with it,
                or a server that is believed says so
failed          the domain publishes DMARC, everything could be looked at, and nothing proves it
unknown         neither: the domain publishes nothing, or something could not be looked at
"""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from inbound.reading.proofs.claims import Claims
from inbound.reading.proofs.dmarc import Policy
from inbound.reading.proofs.findings import Findings, Spf
from inbound.reading.proofs.proven import not_looked_up, proven
from inbound.reading.results import Results
from inbound.reading.signatures import Checked


class Verdict(StrEnum):
    AUTHENTICATED = "authenticated"
    UNKNOWN = "unknown"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Proof:
    """`domain` is the From domain, `by` what proves it (dkim, spf, server, arc), `why` a sentence's
    end for people.

    `ways` name how the mail came, as far as that is proven although it is not aligned: somebody may
    trust an address's mail that comes that way. `is_fault`: something could not be looked up.
    `is_replayable`: only signatures prove it, and a signature holds wherever the mail is sent to
    again; `covers` is what they sign of proofs.signed_fields.COVERED.
    """

    verdict: Verdict
    domain: str = ""
    by: str = ""
    why: str = ""
    ways: tuple[str, ...] = ()
    is_fault: bool = False
    is_replayable: bool = False
    # the domain's policy is p=none: it watches, and asks nobody to refuse anything
    is_monitored: bool = False
    covers: tuple[str, ...] = ()
    parts: dict[str, Any] = field(default_factory=dict)


def judge(
    domain: str,
    claims: Claims,
    checked: Checked,
    spf: Spf | None,
    policy: Policy,
    *,
    servers: Collection[Results] = (),
    sealers: Collection[str] = (),
    network: str = "",
) -> Proof:
    """The parameters are the fields of `Findings`."""
    found = Findings(domain, claims, checked, spf, policy, servers, sealers, network)
    told = Proof(
        Verdict.UNKNOWN,
        found.domain,
        ways=found.ways(),
        is_monitored=found.policy.is_monitored,
        covers=max((one.covers for one in found.holding()), key=len, default=()),
        parts=found.parts(),
    )
    if not found.domain:
        return replace(told, why="it names no sender")
    by = proven(found) if found.claims.froms == 1 else None
    if by is None:
        return _unproven(found, told)
    return replace(
        told,
        verdict=Verdict.AUTHENTICATED,
        by=by.by,
        why=_BY[by.by],
        is_replayable=by.is_replayable,
        covers=by.covers,
    )


_BY = {
    "dkim": "it bears the domain's signature",
    "spf": "the domain lets that server send for it",
    "server": "the mail server that took it in has checked it",
    "arc": "a server that forwarded it, and is trusted, had checked it",
}


def _unproven(found: Findings, told: Proof) -> Proof:
    """`told`, with why it is not proven: because it is forged, as far as its domain says, or
    because nobody can tell."""
    domain = found.domain
    dmarc = next((result for server in found.servers for result in server.of("dmarc")), None)
    if dmarc is not None and dmarc.value == "fail":
        why = "the mail server that took it in says that DMARC fails"
        return replace(told, verdict=Verdict.FAILED, why=why)
    if away := not_looked_up(found):
        return replace(told, why=f"{away} could not be looked up", is_fault=True)
    if found.spf is None and not any(server.of("spf") for server in found.servers):
        return replace(told, why="no signature of its domain, and nobody told us who sent it")
    if dmarc is not None or not found.policy.is_published:
        return replace(told, why=f"{domain} does not say who may write in its name")
    if found.claims.froms != 1:
        return replace(told, verdict=Verdict.FAILED, why="it has more than one From")
    why = f"{domain} says how its mail is proven, and this mail is not"
    return replace(told, verdict=Verdict.FAILED, why=why)
