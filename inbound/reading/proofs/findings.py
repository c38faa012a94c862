"""What was found out about a mail that bears on who has sent it, before it is judged."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from inbound.reading.proofs.claims import Claims
from inbound.reading.proofs.dmarc import Policy, is_aligned
from inbound.reading.results import Results
from inbound.reading.signatures import Checked, Signature


@dataclass(frozen=True, slots=True)
class Spf:
    """What SPF (RFC 7208) says about the envelope: pass, fail, softfail, neutral, none, permerror
    or temperror."""

    result: str
    domain: str  # of the envelope sender; of HELO where that is null


@dataclass(frozen=True, slots=True)
class Findings:
    """`domain` is the From domain in ASCII; `spf` None where nobody can tell who sent it. `servers`
    are the results that are believed, `sealers` the domains whose ARC seals are; `network` is where
    it came from."""

    domain: str
    claims: Claims
    checked: Checked
    spf: Spf | None
    policy: Policy
    servers: Collection[Results] = ()
    sealers: Collection[str] = ()
    network: str = ""

    def holding(self) -> list[Signature]:
        """The signatures that hold; none where it cannot be told what they sign."""
        if self.claims.is_doubled:
            return []
        return [found for found in self.checked.signatures if found.result == "pass"]

    def is_signed_by(self, other: str) -> bool:
        """Whether a signature of that domain speaks for From."""
        strict = self.policy.is_strict_dkim
        return is_aligned(self.domain, other, strict=strict, policy=self.policy)

    def is_sent_by(self, other: str) -> bool:
        """Whether an envelope of that domain speaks for From."""
        strict = self.policy.is_strict_spf
        return is_aligned(self.domain, other, strict=strict, policy=self.policy)

    def ways(self) -> tuple[str, ...]:
        """How it came, as far as that is proven although it may not be aligned."""
        ways = [f"signed by {signature.domain}" for signature in self.holding()]
        if self.spf is not None and self.spf.result == "pass" and self.spf.domain:
            ways.append(f"sent for {self.spf.domain}")
        if self.network:
            ways.append(f"from {self.network}")
        return tuple(dict.fromkeys(ways))[:5]

    def parts(self) -> dict[str, Any]:
        """As JSON, for people who ask why it was judged so."""
        policy = self.policy
        return {
            "dkim": [
                {
                    "domain": found.domain,
                    "selector": found.selector,
                    "result": found.result,
                    "why": found.why,
                }
                for found in self.checked.signatures
            ],
            "spf": {"result": self.spf.result, "domain": self.spf.domain} if self.spf else None,
            "dmarc": "away" if policy.is_away else "published" if policy.is_published else "none",
            "arc": {
                "result": self.checked.chain,
                "sealers": [seal.domain for seal in self.checked.seals],
            },
            "server": self._said_by_servers()[:20],
        }

    def _said_by_servers(self) -> list[str]:
        return [
            " ".join(
                [f"{found.method}={found.value}"]
                + [f"{name}={told}" for name, told in list(found.said.items())[:4]]
            )
            for server in self.servers
            for found in server.found
            if found.method in {"dkim", "spf", "dmarc", "arc"}
        ]
