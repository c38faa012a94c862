"""Whether a mail is from whom it says: what was found out about it, judged (DMARC, RFC 7489). No I/O.

authenticated   its From domain is proven: a DKIM signature or an SPF pass that is aligned with it, or a server
                that is believed says so
failed          the domain publishes DMARC, everything could be looked at, and nothing proves it
unknown         neither: the domain publishes nothing, or something could not be looked at
"""

import functools
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import idna
from publicsuffixlist import PublicSuffixList

from inbound.reading.results import Result, Results
from inbound.reading.signatures import Checked, Claims, Signature


class Verdict(StrEnum):
    AUTHENTICATED = "authenticated"
    UNKNOWN = "unknown"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Spf:
    """What SPF (RFC 7208) says about the envelope: pass, fail, softfail, neutral, none, permerror or temperror."""

    result: str
    domain: str  # of the envelope sender; of HELO where that is null


@dataclass(frozen=True, slots=True)
class Policy:
    """A domain's DMARC record. `is_away`: it could not be looked up."""

    is_published: bool = False
    is_monitored: bool = False
    is_strict_dkim: bool = False
    is_strict_spf: bool = False
    is_away: bool = False


@dataclass(frozen=True, slots=True)
class Proof:
    """`domain` is the From domain, `by` what proves it (dkim, spf, server, arc), `why` a sentence's end for people.

    `ways` name how the mail came, as far as that is proven although it is not aligned: somebody may trust an address's
    mail that comes that way. `is_fault`: something could not be looked up. `is_replayable`: only signatures prove it,
    and a signature holds wherever the mail is sent to again; `covers` is what they sign of signatures.COVERED.
    """

    verdict: Verdict
    domain: str = ""
    by: str = ""
    why: str = ""
    ways: tuple[str, ...] = ()
    is_fault: bool = False
    is_replayable: bool = False
    is_monitored: bool = False  # the domain's policy is p=none: it watches, and asks nobody to refuse anything
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
    """`domain` is the From domain in ASCII; `spf` None where nobody can tell who sent it. `servers` are the results that
    are believed, `sealers` the domains whose ARC seals are; `network` is where it came from."""
    parts = _parts(checked, spf, policy, servers)
    signed = [] if claims.is_doubled else [found for found in checked.signatures if found.result == "pass"]
    ways, covers = _ways(signed, spf, network), max((found.covers for found in signed), key=len, default=())
    told = functools.partial(Proof, domain=domain, ways=ways, parts=parts, is_monitored=policy.is_monitored)
    if not domain:
        return told(Verdict.UNKNOWN, covers=covers, why="it names no sender")
    if proven := _proven(domain, claims, checked, spf, policy, servers, sealers) if claims.froms == 1 else None:
        return told(
            Verdict.AUTHENTICATED,
            by=proven.by,
            why=_BY[proven.by],
            is_replayable=proven.is_replayable,
            covers=proven.covers,
        )
    dmarc = next((found for server in servers for found in server.of("dmarc")), None)
    if dmarc is not None and dmarc.value == "fail":
        return told(Verdict.FAILED, covers=covers, why="the mail server that took it in says that DMARC fails")
    faults = _faults(domain, checked, spf, policy, servers, sealers)
    if faults:
        return told(Verdict.UNKNOWN, covers=covers, why=f"{faults} could not be looked up", is_fault=True)
    if spf is None and not any(server.of("spf") for server in servers):
        return told(Verdict.UNKNOWN, covers=covers, why="no signature of its domain, and nobody told us who sent it")
    if dmarc is not None or not policy.is_published:
        return told(Verdict.UNKNOWN, covers=covers, why=f"{domain} does not say who may write in its name")
    if claims.froms != 1:
        return told(Verdict.FAILED, covers=covers, why="it has more than one From")
    return told(Verdict.FAILED, covers=covers, why=f"{domain} says how its mail is proven, and this mail is not")


_BY = {
    "dkim": "it bears the domain's signature",
    "spf": "the domain lets that server send for it",
    "server": "the mail server that took it in has checked it",
    "arc": "a server that forwarded it, and is trusted, had checked it",
}


@dataclass(frozen=True, slots=True)
class _Proven:
    by: str
    is_replayable: bool = False
    covers: tuple[str, ...] = ()


def _proven(
    domain: str, claims: Claims, checked: Checked, spf: Spf | None, policy: Policy, servers: Collection[Results],
    sealers: Collection[str],
) -> _Proven | None:  # fmt: skip
    """By what the domain is proven. What can't be sent again by somebody else comes first."""
    if (
        spf is not None
        and spf.result == "pass"
        and is_aligned(domain, spf.domain, strict=policy.is_strict_spf, policy=policy)
    ):
        return _Proven("spf")
    if any(_sent_it(server, domain, policy, is_plain=claims.is_plain) for server in servers):
        return _Proven("server")
    # The others are proven by signatures alone, whoever has checked them: these hold wherever the mail is sent to again.
    if claims.is_doubled:
        return None
    aligned = [
        found for found in checked.signatures
        if is_aligned(domain, found.domain, strict=policy.is_strict_dkim, policy=policy)
    ]  # fmt: skip
    if holding := [found for found in aligned if found.result == "pass"]:
        return _Proven("dkim", True, max((found.covers for found in holding), key=len))
    if any(_says_proven(server, domain, policy, is_plain=claims.is_plain) for server in servers):
        if any(found.result == "policy" for found in aligned):
            return None  # the server may not have minded that the end of the body is unsigned
        return _Proven("server", True, max((found.covers for found in aligned), key=len, default=()))
    for seal in checked.seals:
        # The latest hop first: what an earlier one says is worth what those after it are.
        if checked.chain != "pass" or not any(is_of(seal.domain, sealer) for sealer in sealers):
            break
        if _says_proven(seal.results, domain, policy, is_plain=claims.is_plain):
            return _Proven("arc", True, checked.covers)
    return None


def _sent_it(server: Results, domain: str, policy: Policy, *, is_plain: bool) -> bool:
    """Whether the server says that the domain's own server has handed the mail over."""
    if any(found.value not in {"pass", "none"} for found in server.of("dmarc")):
        return False
    passed = any(
        found.value == "pass"
        and is_aligned(domain, _envelope_domain(found), strict=policy.is_strict_spf, policy=policy)
        for found in server.of("spf")
    )
    return passed and (_says_proven(server, domain, policy, is_plain=is_plain))


def _says_proven(server: Results, domain: str, policy: Policy, *, is_plain: bool) -> bool:
    # "none": there is no policy. Microsoft's "bestguesspass" is no pass, and of two that disagree one is made up.
    dmarc = [found for found in server.of("dmarc") if found.value != "none"]
    if dmarc:
        return all(found.value == "pass" and _is_about(found, domain, is_plain=is_plain) for found in dmarc)
    for found in server.of("dkim"):
        if found.value == "pass" and _signs_for(found, domain, policy):
            return True
    return any(
        found.value == "pass"
        and is_aligned(domain, _envelope_domain(found), strict=policy.is_strict_spf, policy=policy)
        for found in server.of("spf")
    )


def _signs_for(found: Result, domain: str, policy: Policy) -> bool:
    signer = found.said.get("header.d") or found.said.get("header.i", "").rpartition("@")[2]
    return is_aligned(domain, signer, strict=policy.is_strict_dkim, policy=policy)


def _is_about(found: Result, domain: str, *, is_plain: bool) -> bool:
    """Whether a DMARC result is about that From. One that does not say so is about the only address that is there."""
    said = found.said.get("header.from", "")
    return to_ascii(said.rpartition("@")[2]) == domain if said else is_plain


def _envelope_domain(found: Result) -> str:
    """The domain that an SPF result is about."""
    return to_ascii((found.said.get("smtp.mailfrom") or found.said.get("smtp.helo", "")).strip("<>").rpartition("@")[2])


def _faults(
    domain: str, checked: Checked, spf: Spf | None, policy: Policy, servers: Iterable[Results], sealers: Collection[str]
) -> str:  # fmt: skip
    """What could not be looked up, of all that might have proven the mail. A sender can name any domain whose server never
    answers: that is no fault."""
    found = []
    results = [result for server in servers for result in server.found if result.value == "temperror"]
    if policy.is_away or any(result.method == "dmarc" for result in results):
        found.append("the domain's policy")
    keys = [signature.domain for signature in checked.signatures if signature.result == "temperror"]
    if (
        any(owner(key) == owner(domain) for key in keys)
        or any(result.method == "dkim" and _signs_for(result, domain, Policy()) for result in results)
        or (
            checked.chain == "temperror"
            and any(is_of(seal.domain, sealer) for seal in checked.seals[:1] for sealer in sealers)
        )
    ):
        found.append("a signature's key")
    envelopes = [_envelope_domain(result) for result in results if result.method == "spf"]
    if spf is not None and spf.result == "temperror":
        envelopes.append(spf.domain)
    if any(owner(sent) == owner(domain) for sent in envelopes if sent):
        found.append("who may send for it")
    return " and ".join(found)


def _ways(signatures: Iterable[Signature], spf: Spf | None, network: str) -> tuple[str, ...]:
    signed = [f"signed by {signature.domain}" for signature in signatures]
    sent = [f"sent for {spf.domain}"] if spf is not None and spf.result == "pass" and spf.domain else []
    return tuple(dict.fromkeys(signed + sent + ([f"from {network}"] if network else [])))[:5]


def _parts(checked: Checked, spf: Spf | None, policy: Policy, servers: Iterable[Results]) -> dict[str, Any]:
    said = [
        f"{found.method}={found.value}" + "".join(f" {name}={told}" for name, told in list(found.said.items())[:4])
        for server in servers
        for found in server.found
        if found.method in {"dkim", "spf", "dmarc", "arc"}
    ]
    return {
        "dkim": [
            {"domain": found.domain, "selector": found.selector, "result": found.result, "why": found.why}
            for found in checked.signatures
        ],
        "spf": {"result": spf.result, "domain": spf.domain} if spf else None,
        "dmarc": "away" if policy.is_away else "published" if policy.is_published else "none",
        "arc": {"result": checked.chain, "sealers": [seal.domain for seal in checked.seals]},
        "server": said[:20],
    }


def is_aligned(domain: str, other: str, *, strict: bool, policy: Policy) -> bool:
    """RFC 7489 3.1. Where the policy could not be looked up, the strict way holds for certain."""
    if not other:
        return False
    other = to_ascii(other)
    return domain == other or (not strict and not policy.is_away and owner(domain) == owner(other) != "")


def is_of(domain: str, other: str) -> bool:
    """Whether it is that domain or one below it."""
    return domain == other or domain.endswith(f".{other}")


def owner(domain: str) -> str:
    """The organisational domain (RFC 7489 3.2): what one registers; "" for a public suffix such as co.uk."""
    return str(_suffixes().privatesuffix(domain) or "")


@functools.cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()


def to_ascii(domain: str) -> str:
    """As the DNS knows it (RFC 5890); what cannot be written so is left as it is, and found nowhere."""
    domain = domain.strip().strip(".").lower()
    if domain.isascii():
        return domain
    try:
        return idna.encode(domain, uts46=True).decode()
    except (idna.IDNAError, UnicodeError):
        return domain


def read_policy(records: Iterable[bytes]) -> Policy | None:
    """The DMARC record among a name's TXT records (RFC 7489 6.6.3); None where there is none, or more than one."""
    found = [
        text for record in records if re.match(r"v\s*=\s*DMARC1\s*(?:;|$)", text := record.decode("ascii", "replace"))
    ]
    if len(found) != 1:
        return None
    tags = {
        name.strip().lower(): value.strip().lower()
        for name, _, value in (part.partition("=") for part in found[0].split(";"))
    }
    if tags.get("p") not in {"none", "quarantine", "reject"} and "rua" not in tags:
        return None
    is_monitored = tags.get("p") not in {"quarantine", "reject"}
    return Policy(True, is_monitored, tags.get("adkim") == "s", tags.get("aspf") == "s")
