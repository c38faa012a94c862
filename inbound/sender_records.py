"""What the DNS says about a sender: a domain's policy, its SPF, and the keys of signatures. Each is
asked within `resolver.within`."""

import logging

import spf as pyspf

from inbound import resolver
from inbound.models import InboundMail
from inbound.reading.proofs.dmarc import Policy, owner, read_policy, to_ascii
from inbound.reading.proofs.findings import Spf

log = logging.getLogger(__name__)


def policy_of(domain: str) -> Policy:
    """RFC 7489 6.6.3: of the domain, else of the one that its owner registered."""
    try:
        for name in dict.fromkeys([domain, owner(domain)]):
            records = resolver.ask(f"_dmarc.{name}", "TXT") if name else []
            if found := read_policy(record for record in records if isinstance(record, bytes)):
                return found
    except resolver.Away:
        return Policy(is_away=True)
    return Policy()


def spf_of(client: str, row: InboundMail, domain: str) -> Spf:
    """RFC 7208, by pyspf. A null sender is judged by HELO (2.4). Of another's domain than `domain`,
    where that is named, nothing is asked: whatever it says, it proves nothing."""
    helo = row.client.partition("(")[2].rstrip(")")
    sender = row.mail_from or ""
    sent_by = to_ascii((sender or helo).rpartition("@")[2])
    if domain and owner(sent_by) != owner(domain):
        return Spf("none", sent_by)
    local = sender.rpartition("@")[0]
    mail_from = f"{local}@{sent_by}" if sender else ""
    try:
        result, _ = pyspf.check2(client, mail_from, to_ascii(helo) or sent_by)
    except Exception as error:  # pyspf raises nearly anything on rubbish; nothing is proven by it
        log.debug("SPF for %s: %s", sent_by, error)
        result = "permerror"
    return Spf(str(result), sent_by)


def key_of(name: str) -> bytes | None:
    """The first record (RFC 6376 3.6.2.2); empty where there is none, None where it could not be
    looked up."""
    try:
        records = resolver.ask(name, "TXT")
    except resolver.Away:
        return None
    return next((record for record in records if isinstance(record, bytes)), b"")


def _look_up(
    name: str, kind: str, strict: object = True, timeout: float = 0
) -> list[tuple[tuple[str, str], object]]:
    """pyspf's way to ask. The old record type SPF is nobody's any more (RFC 7208 3.1)."""
    if kind == "SPF":
        return []
    try:
        answer = resolver.ask(name, kind)
    except resolver.Away as error:
        raise pyspf.TempError(str(error)) from None
    return [((name, kind), (found,) if kind == "TXT" else found) for found in answer]


pyspf.DNSLookup = _look_up
