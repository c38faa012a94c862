"""Domains as DMARC compares them (RFC 7489), and what one publishes about its mail. No I/O."""

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass

import idna
from publicsuffixlist import PublicSuffixList


@dataclass(frozen=True, slots=True)
class Policy:
    """A domain's DMARC record. `is_away`: it could not be looked up."""

    is_published: bool = False
    is_monitored: bool = False
    is_strict_dkim: bool = False
    is_strict_spf: bool = False
    is_away: bool = False


def read_policy(records: Iterable[bytes]) -> Policy | None:
    """The DMARC record among a name's TXT records (RFC 7489 6.6.3); None where there is none, or
    more than one."""
    found = [
        text
        for record in records
        if re.match(r"v\s*=\s*DMARC1\s*(?:;|$)", text := record.decode("ascii", "replace"))
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


def is_aligned(domain: str, other: str, *, strict: bool, policy: Policy) -> bool:
    """RFC 7489 3.1. Where the policy could not be looked up, the strict way holds for certain."""
    if not other:
        return False
    other = to_ascii(other)
    return domain == other or (
        not strict and not policy.is_away and owner(domain) == owner(other) != ""
    )


def is_of(domain: str, other: str) -> bool:
    """Whether it is that domain or one below it."""
    return domain == other or domain.endswith(f".{other}")


def owner(domain: str) -> str:
    """The organisational domain (RFC 7489 3.2): what one registers; "" for a public suffix such as
    co.uk."""
    return str(_suffixes().privatesuffix(domain) or "")


@functools.cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()


def to_ascii(domain: str) -> str:
    """As the DNS knows it (RFC 5890); what cannot be written so is left as it is, and found
    nowhere."""
    domain = domain.strip().strip(".").lower()
    if domain.isascii():
        return domain
    try:
        return idna.encode(domain, uts46=True).decode()
    except (idna.IDNAError, UnicodeError):
        return domain
