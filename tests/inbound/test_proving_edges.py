"""Whose mail it is: what proves nothing, with real keys in a DNS of our own."""

import base64
import hashlib
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from django.utils import timezone

from inbound import proving, readers, resolver
from inbound.models import InboundMail, Mailbox
from inbound.reading.message import Envelope
from inbound.reading.proof import Proof
from tests.inbound.test_proving import CLEO, MICROSOFT, OURS, RECEIVED, RSPAMD, behind, mail, proven
from tests.support.mail import SUPPORT, eml
from tests.support.zone import Zone, crlf, only, private, sealed, signed


@pytest.fixture
def zone() -> Iterator[Zone]:
    with only(Zone().domain("nord-wind.example", spf="v=spf1 ip4:199.7.91.0/24 -all")) as dns:
        yield dns


def by_hand(
    raw: bytes, domain: str, *, names: tuple[str, ...], algorithm: str = "rsa-sha256"
) -> bytes:
    """A DKIM signature as dkimpy would not make one: over any header fields, and of SHA-1."""
    raw = crlf(raw)
    head, _, body = raw.partition(b"\r\n\r\n")
    digest, kind = (
        (hashlib.sha1, hashes.SHA1())  # noqa: S303
        if algorithm == "rsa-sha1"
        else (hashlib.sha256, hashes.SHA256())
    )
    hashed = base64.b64encode(digest(body.rstrip(b"\r\n") + b"\r\n").digest()).decode()
    field = f"DKIM-Signature: v=1; a={algorithm}; c=simple/simple; d={domain}; s=s1; h={':'.join(names)}; bh={hashed}; b="
    lines = [
        next(line for line in head.split(b"\r\n") if line.lower().startswith(name.encode() + b":"))
        for name in names
    ]
    key = serialization.load_pem_private_key(private(domain), None)
    said = b"".join(line + b"\r\n" for line in lines) + field.encode()
    seal = base64.b64encode(key.sign(said, padding.PKCS1v15(), kind))  # type: ignore[call-arg,union-attr]
    return field.encode() + seal + b"\r\n" + raw


def at(raw: bytes, **row: object) -> Proof:
    stored = InboundMail(
        transport="smtp",
        mail_from=CLEO,
        client=OURS,
        mailbox=Mailbox(address=SUPPORT),
        rcpt_to=[SUPPORT],
        **{"received_at": timezone.now(), **row},
    )
    return proving.prove(
        stored, raw, readers.read(raw, Envelope(CLEO, (SUPPORT,), OURS), {SUPPORT})
    )


def test_a_signature_of_sha1_proves_nothing(zone) -> None:
    assert (
        proven(by_hand(mail(), "nord-wind.example", names=("from", "to", "subject"))).by == "dkim"
    )
    old = by_hand(
        mail(), "nord-wind.example", names=("from", "to", "subject"), algorithm="rsa-sha1"
    )
    assert proven(old).verdict == "failed"


def test_a_signature_that_holds_and_does_not_cover_from_proves_nothing(zone) -> None:
    raw = by_hand(mail(), "nord-wind.example", names=("to", "subject"))
    assert proven(raw).verdict == "failed"


def test_a_trusted_hop_before_one_that_nobody_trusts_vouches_for_nothing(zone) -> None:
    """Whoever hands it on last has changed what they like."""
    zone.domain("google.com").domain("evil.example")
    first = sealed(mail(), "google.com", "dmarc=pass header.from=nord-wind.example")
    proof = proven(
        sealed(first, "evil.example", "arc=pass; dmarc=fail header.from=nord-wind.example")
    )
    assert (proof.parts["arc"]["result"], proof.verdict) == ("pass", "failed")


def test_a_sealer_whose_name_only_ends_alike_is_not_trusted(zone) -> None:
    zone.domain("evilgoogle.com")
    raw = sealed(mail(), "evilgoogle.com", "dmarc=pass header.from=nord-wind.example")
    assert proven(raw).verdict == "failed"


def test_what_a_forwarder_vouches_for_can_be_sent_again(zone) -> None:
    zone.domain("google.com")
    proof = proven(sealed(mail(), "google.com", "dmarc=pass header.from=nord-wind.example"))
    assert (proof.by, proof.is_replayable, proof.covers) == ("arc", True, ("to",))


def test_while_the_policy_is_away_a_domain_below_proves_nothing(zone) -> None:
    """It may be a strict one."""
    zone.domain("mail.nord-wind.example", dmarc="")
    zone.away.add("_dmarc.nord-wind.example")
    proof = proven(signed(mail(), "mail.nord-wind.example"))
    assert (proof.verdict, proof.is_fault) == ("unknown", True)


def test_two_public_suffixes_have_no_owner_in_common(zone) -> None:
    zone.domain("github.io")
    zone.txt("_dmarc.co.uk", "v=DMARC1; p=none")
    raw = signed(eml("Hi", sender="x@co.uk"), "github.io")
    assert proven(raw, mail_from="x@github.io").verdict == "failed"


def test_a_signature_that_leaves_the_end_of_the_body_out_is_no_way_to_be_trusted(zone) -> None:
    zone.domain("crm.example")
    raw = signed(mail(), "crm.example", length=True)
    assert "signed by crm.example" in proven(raw).ways
    assert (
        "signed by crm.example"
        not in proven(raw + b"\r\nTransfer it to this account instead.\r\n").ways
    )


def test_what_stands_below_the_last_servers_received_is_not_believed_though_it_bears_its_name(
    zone,
) -> None:
    top = "Authentication-Results: mail.example.com;\r\n\tdkim=none; spf=none\r\n"
    raw = (RECEIVED + top + RECEIVED + RSPAMD).encode() + crlf(mail())
    proof = proven(
        raw,
        transport="imap",
        client="x@mail.example.com:993/INBOX",
        mail_from=None,
        authserv_id="mail.example.com",
    )
    assert proof.verdict != "authenticated"


@pytest.mark.parametrize("server", ["outlook.com.evil.example", "xoutlook.com", "evil.example"])
def test_a_name_that_looks_like_microsofts_is_not_microsofts(zone, server) -> None:
    said = MICROSOFT.replace("Authentication-Results: ", f"Authentication-Results: {server}; ")
    proof = behind(
        said, transport="imap", client="s@x@outlook.office365.com:993/INBOX", mail_from=None
    )
    assert proof.verdict == "unknown"


def test_an_imap_account_whose_host_only_looks_like_googles_is_not_googles(zone) -> None:
    said = RSPAMD.replace("mail.example.com", "mx.google.com")
    for host in ("imap.gmail.com", "imap.gmail.com.evil.example"):
        proof = behind(said, transport="imap", client=f"s@{host}:993/INBOX", mail_from=None)
        assert (proof.by == "server") is (host == "imap.gmail.com"), host


def test_mail_of_an_archive_or_that_waited_for_three_days_is_not_asked_about(zone) -> None:
    raw = signed(mail(), "nord-wind.example")
    assert (
        at(raw, received_at=timezone.now() - timedelta(days=2, hours=23)).verdict == "authenticated"
    )
    zone.asked.clear()
    resolver.forget()
    for row in ({"received_at": timezone.now() - timedelta(days=3, hours=1)}, {"is_history": True}):
        proof = at(raw, **row)
        assert (proof.verdict, proof.ways) == ("unknown", ()), row
    assert zone.asked == []


def test_where_others_wait_the_dns_has_half_a_second(zone, monkeypatch) -> None:
    def slow(name: str, kind: str, seconds: float) -> tuple[list[object], float]:
        time.sleep(min(seconds, 3))
        raise resolver.Away(name)

    monkeypatch.setattr(resolver, "source", slow)
    began = time.monotonic()
    with pytest.raises(proving.NeedsTime):
        proven(mail(), hurried=True)
    assert time.monotonic() - began < 1.5
