"""By what a mail's From domain is proven, and what could not be looked up that might have proven
it."""

from dataclasses import dataclass

from inbound.reading.proofs.dmarc import Policy, is_aligned, is_of, owner, to_ascii
from inbound.reading.proofs.findings import Findings
from inbound.reading.results import Result, Results


@dataclass(frozen=True, slots=True)
class Proven:
    """`by` is dkim, spf, server or arc; the others as in `proof.Proof`."""

    by: str
    is_replayable: bool = False
    covers: tuple[str, ...] = ()


def proven(found: Findings) -> Proven | None:
    """What can't be sent again by somebody else comes first."""
    spf = found.spf
    if spf is not None and spf.result == "pass" and found.is_sent_by(spf.domain):
        return Proven("spf")
    if any(_sent_it(server, found) for server in found.servers):
        return Proven("server")
    # The others are proven by signatures alone, whoever has checked them: these hold wherever the
    # mail is sent to again.
    return None if found.claims.is_doubled else _by_signatures(found)


def _by_signatures(found: Findings) -> Proven | None:
    aligned = [one for one in found.checked.signatures if found.is_signed_by(one.domain)]
    if holding := [one.covers for one in aligned if one.result == "pass"]:
        return Proven("dkim", True, max(holding, key=len))
    if any(_says_proven(server, found) for server in found.servers):
        if any(one.result == "policy" for one in aligned):
            return None  # the server may not have minded that the end of the body is unsigned
        return Proven("server", True, max((one.covers for one in aligned), key=len, default=()))
    for seal in found.checked.seals:
        # The latest hop first: what an earlier one says is worth what those after it are.
        is_trusted = any(is_of(seal.domain, sealer) for sealer in found.sealers)
        if found.checked.chain != "pass" or not is_trusted:
            break
        if _says_proven(seal.results, found):
            return Proven("arc", True, found.checked.covers)
    return None


def _sent_it(server: Results, found: Findings) -> bool:
    """Whether the server says that the domain's own server has handed the mail over."""
    if any(result.value not in {"pass", "none"} for result in server.of("dmarc")):
        return False
    return _is_sent_for(server, found) and _says_proven(server, found)


def _says_proven(server: Results, found: Findings) -> bool:
    # "none": there is no policy. Microsoft's "bestguesspass" is no pass, and of two that disagree
    # one is made up.
    dmarc = [result for result in server.of("dmarc") if result.value != "none"]
    if dmarc:
        return all(result.value == "pass" and _is_about(result, found) for result in dmarc)
    for result in server.of("dkim"):
        if result.value == "pass" and _signs_for(result, found.domain, found.policy):
            return True
    return _is_sent_for(server, found)


def _is_sent_for(server: Results, found: Findings) -> bool:
    """Whether the server's SPF result speaks for From."""
    return any(
        result.value == "pass" and found.is_sent_by(_envelope_domain(result))
        for result in server.of("spf")
    )


def _signs_for(result: Result, domain: str, policy: Policy) -> bool:
    signer = result.said.get("header.d") or result.said.get("header.i", "").rpartition("@")[2]
    return is_aligned(domain, signer, strict=policy.is_strict_dkim, policy=policy)


def _is_about(result: Result, found: Findings) -> bool:
    """Whether a DMARC result is about that From. One that does not say so is about the only address
    that is there."""
    said = result.said.get("header.from", "")
    return to_ascii(said.rpartition("@")[2]) == found.domain if said else found.claims.is_plain


def _envelope_domain(result: Result) -> str:
    """The domain that an SPF result is about."""
    named = result.said.get("smtp.mailfrom") or result.said.get("smtp.helo", "")
    return to_ascii(named.strip("<>").rpartition("@")[2])


def not_looked_up(found: Findings) -> str:
    """What could not be looked up, of all that might have proven the mail; "" where all could. A
    sender can name any domain whose server never answers: that is no fault."""
    away = [one for server in found.servers for one in server.found if one.value == "temperror"]
    missing = []
    if found.policy.is_away or any(result.method == "dmarc" for result in away):
        missing.append("the domain's policy")
    if _misses_a_key(found, away):
        missing.append("a signature's key")
    envelopes = [_envelope_domain(result) for result in away if result.method == "spf"]
    if found.spf is not None and found.spf.result == "temperror":
        envelopes.append(found.spf.domain)
    if any(owner(sent) == owner(found.domain) for sent in envelopes if sent):
        missing.append("who may send for it")
    return " and ".join(missing)


def _misses_a_key(found: Findings, away: list[Result]) -> bool:
    """Whether a key of the domain's owner or of a trusted sealer is among what did not answer."""
    signatures, seals = found.checked.signatures, found.checked.seals
    keys = [signature.domain for signature in signatures if signature.result == "temperror"]
    if any(owner(key) == owner(found.domain) for key in keys):
        return True
    if any(one.method == "dkim" and _signs_for(one, found.domain, Policy()) for one in away):
        return True
    return found.checked.chain == "temperror" and any(
        is_of(seal.domain, sealer) for seal in seals[:1] for sealer in found.sealers
    )
