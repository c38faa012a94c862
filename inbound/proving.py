"""Finds out whether a stored mail is from whom it says: looks up what `inbound.reading.proof` judges by.

The DNS is asked between reading and deciding, outside every transaction, for two seconds at the most. SPF is about the
server that hands a mail over: it is asked where we have seen that server ourselves. Behind another mail server, its
Authentication-Results are believed where the mailbox, or the installation, names it; signatures are always checked.
"""

import contextvars
import ipaddress
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from typing import Any, TypeVar

import spf as pyspf
from django.conf import settings
from django.utils import timezone

from inbound import readers, resolver
from inbound.models import InboundMail
from inbound.reading.proof import Policy, Proof, Spf, Verdict, is_of, judge, owner, read_policy, to_ascii
from inbound.reading.reading import Reading
from inbound.reading.results import Result, Results
from inbound.reading.signatures import Checked, Signature

log = logging.getLogger(__name__)
T = TypeVar("T")

SECONDS = 2.0  # for all look-ups of a mail together
HURRIED = 0.3  # and on the queue where others wait; one that needs more goes to the slow ones
BESIDE = 0.2  # for what decides nothing
TOO_OLD_DAYS = 3  # keys are changed and servers move: what came longer ago can't be proven any more


class NeedsTime(Exception):
    """The DNS did not answer at once."""


def prove(row: InboundMail, raw: bytes, reading: Reading, *, hurried: bool = False) -> Proof:
    """What is known about the mail's sender: what was seen when it came, if it was looked at then. Raises NeedsTime where
    it is `hurried` and the DNS is slow, and OSError where no reader can be started."""
    if row.proof is not None:
        return unpack(row.proof)
    domain = to_ascii(reading.parsed.from_.address.rpartition("@")[2])
    if row.is_history:
        return Proof(Verdict.UNKNOWN, domain, why="it is from an archive")
    if (timezone.now() - row.received_at).days >= TOO_OLD_DAYS:
        return Proof(Verdict.UNKNOWN, domain, why="nobody looked when it came")
    servers = believed(row, reading)
    client = _client(row)
    if not (domain and (reading.claims.keys or client or servers)):
        # Mail of our own servers without a signature costs no look-up.
        return judge(domain, reading.claims, Checked(), None, Policy())
    # First what decides: nobody gains by naming ten servers that never answer.
    deciding = [name for name in reading.claims.keys if _decides(name, domain)]
    with resolver.within(HURRIED if hurried else SECONDS), ThreadPoolExecutor(8, "dns") as threads:
        policy = _start(threads, _policy, domain)
        sent = _start(threads, _spf, client, row, domain) if client else None
        keys = {name: _start(threads, resolver.ask, name, "TXT") for name in deciding}
    found = {name: _key(future) for name, future in keys.items()}
    told = policy.result()
    said = sent.result() if sent else None
    if hurried and (None in found.values() or told.is_away or (said is not None and said.result == "temperror")):
        raise NeedsTime
    others = [name for name in reading.claims.keys if name not in found]
    with resolver.within(BESIDE), ThreadPoolExecutor(8, "dns") as threads:
        # And what an agent might trust instead, while that costs next to nothing.
        keys = {name: _start(threads, resolver.ask, name, "TXT") for name in others}
        beside = _start(threads, _spf, client, row, "") if said is not None and said.result == "none" else None
    found |= {name: _key(future) for name, future in keys.items()}
    if beside is not None and beside.result().result == "pass":
        said = beside.result()
    return judge(
        domain, reading.claims, _checked(raw, found), said, told, servers=servers, sealers=settings.TRUSTED_ARC_SEALERS,
        network=_network(client),
    )  # fmt: skip


def _decides(key: str, domain: str) -> bool:
    """Whether a signature with that key could prove the domain: its own, or a trusted forwarder's."""
    signer = key.partition("._domainkey.")[2]
    return owner(signer) == owner(domain) or any(is_of(signer, sealer) for sealer in settings.TRUSTED_ARC_SEALERS)


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


def believed(row: InboundMail, reading: Reading) -> list[Results]:
    """What was found out about the mail by a server that we may believe: a provider's own fields beside the mail, and
    the headers of the server whose mail this is."""
    if row.results is not None:
        return [Results("", tuple(Result(**found) for found in row.results))]
    if row.transport == "smtp" and not _is_trusted(row):
        return []  # whoever connects to us from outside writes any header they like
    server = row.mailbox.authserv_id or settings.AUTHSERV_ID or _server_of(row)
    fields = [found for found in reading.claims.results if found.found]
    if row.transport == "webhook":
        return [found for found in reading.claims.provider if found.server == server]
    if server == "google":
        return [found for found in fields[:1] if found.server == "mx.google.com"]
    if server == "microsoft":
        return [
            found
            for found in fields[:1]
            if not found.server or found.server.endswith((".outlook.com", ".office365.com"))
        ]
    return [found for found in fields if server and found.server == server]


def _server_of(row: InboundMail) -> str:
    """Of an IMAP account or a provider, as it is known by its name."""
    if row.transport == "webhook":
        return row.client.lower() if row.client == "Postmark" else ""
    if row.transport != "imap":
        return ""
    host = row.client.rpartition("@")[2].partition(":")[0].lower()
    if host.endswith((".gmail.com", ".googlemail.com")):
        return "google"
    return "microsoft" if host.endswith((".office365.com", ".outlook.com")) else ""


def _client(row: InboundMail) -> str:
    """The address of the server that handed it over, where that is a stranger's; "" where SPF says nothing: of our own
    servers, this machine, and private networks, behind which the sender's server cannot be seen."""
    if row.transport != "smtp" or _is_trusted(row):
        return ""
    try:
        address = ipaddress.ip_address(row.client.partition(" ")[0])
    except ValueError:
        return ""
    return str(address) if address.is_global else ""


def _is_trusted(row: InboundMail) -> bool:
    try:
        address = ipaddress.ip_address(row.client.partition(" ")[0])
    except ValueError:
        return True  # a socket of this machine
    return any(address in ipaddress.ip_network(network, strict=False) for network in settings.SMTP_TRUSTED)


def _network(client: str) -> str:
    if not client:
        return ""
    return str(ipaddress.ip_network((client, 24 if "." in client else 48), strict=False))


def _start(threads: ThreadPoolExecutor, call: Callable[..., T], *args: object) -> "Future[T]":
    return threads.submit(contextvars.copy_context().run, call, *args)


def _key(future: "Future[resolver.Answer]") -> bytes | None:
    """The first record (RFC 6376 3.6.2.2); empty where there is none, None where it could not be looked up."""
    try:
        records = future.result()
    except resolver.Away:
        return None
    return next((record for record in records if isinstance(record, bytes)), b"")


def _policy(domain: str) -> Policy:
    """RFC 7489 6.6.3: of the domain, else of the one that its owner registered."""
    try:
        for name in dict.fromkeys([domain, owner(domain)]):
            records = resolver.ask(f"_dmarc.{name}", "TXT") if name else []
            if found := read_policy(record for record in records if isinstance(record, bytes)):
                return found
    except resolver.Away:
        return Policy(is_away=True)
    return Policy()


def _spf(client: str, row: InboundMail, domain: str) -> Spf:
    """RFC 7208, by pyspf. A null sender is judged by HELO (2.4). Of another's domain than `domain`, where that is named,
    nothing is asked: whatever it says, it proves nothing."""
    helo = row.client.partition("(")[2].rstrip(")")
    sender = row.mail_from or ""
    sent_by = to_ascii((sender or helo).rpartition("@")[2])
    if domain and owner(sent_by) != owner(domain):
        return Spf("none", sent_by)
    local = sender.rpartition("@")[0]
    try:
        result, _ = pyspf.check2(client, f"{local}@{sent_by}" if sender else "", to_ascii(helo) or sent_by)
    except Exception as error:  # pyspf raises nearly anything on rubbish; nothing is proven by it
        log.debug("SPF for %s: %s", sent_by, error)
        result = "permerror"
    return Spf(str(result), sent_by)


def _look_up(name: str, kind: str, strict: object = True, timeout: float = 0) -> list[tuple[tuple[str, str], object]]:
    """pyspf's way to ask. The old record type SPF is nobody's any more (RFC 7208 3.1)."""
    if kind == "SPF":
        return []
    try:
        answer = resolver.ask(name, kind)
    except resolver.Away as error:
        raise pyspf.TempError(str(error)) from None
    return [((name, kind), (found,) if kind == "TXT" else found) for found in answer]


pyspf.DNSLookup = _look_up


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
            tuple(Signature(domain, selector, "temperror", "it took too long") for selector, _, domain in unchecked)
        )
