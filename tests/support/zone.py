"""A DNS of our own, and mail that is signed with keys that are in it."""

import base64
import functools
from collections.abc import Iterator
from contextlib import contextmanager

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from inbound import resolver

Records = dict[tuple[str, str], list[object]]


class Zone:
    """`records` by (name, kind); the names in `away` don't answer."""

    def __init__(self) -> None:
        self.records: Records = {}
        self.away: set[str] = set()
        self.asked: list[tuple[str, str]] = []

    def txt(self, name: str, *texts: str) -> "Zone":
        self.records[name, "TXT"] = [text.encode() for text in texts]
        return self

    def domain(
        self, name: str, *, dmarc: str = "v=DMARC1; p=reject", spf: str = "", selector: str = "s1"
    ) -> "Zone":
        """A domain that signs with `key(name)`, and says so."""
        if dmarc:
            self.txt(f"_dmarc.{name}", dmarc)
        if spf:
            self.txt(name, spf)
        return self.txt(f"{selector}._domainkey.{name}", f"v=DKIM1; k=rsa; p={public(name)}")

    def answer(self, name: str, kind: str, seconds: float) -> tuple[list[object], float]:
        self.asked.append((name, kind))
        if name in self.away:
            raise resolver.Away(name)
        return self.records.get((name, kind), []), 300.0


@contextmanager
def only(zone: Zone) -> Iterator[Zone]:
    """The DNS is that zone, and nothing is remembered of another one."""
    before, resolver.source = resolver.source, zone.answer
    resolver.forget()
    try:
        yield zone
    finally:
        resolver.source = before
        resolver.forget()


@functools.cache
def _key(owner: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505  # quick, and the least that counts


def private(owner: str) -> bytes:
    return _key(owner).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def public(owner: str) -> str:
    raw = (
        _key(owner)
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return base64.b64encode(raw).decode()


def signed(
    raw: bytes,
    domain: str,
    *,
    selector: str = "s1",
    key: str = "",
    canonical: str = "relaxed/relaxed",
    headers: tuple[bytes, ...] = (b"from", b"to", b"subject", b"message-id"),
    length: bool = False,
) -> bytes:
    """The mail with a DKIM signature of that domain on top."""
    raw = crlf(raw)
    how = tuple(part.encode() for part in canonical.split("/"))
    present = [name for name in headers if b"\n" + name + b":" in b"\n" + raw.lower()]
    field = dkim.sign(
        raw,
        selector.encode(),
        domain.encode(),
        private(key or domain),
        canonicalize=how,
        include_headers=present,
        length=length,
    )
    return bytes(field) + raw


def sealed(raw: bytes, sealer: str, results: str, *, selector: str = "s1") -> bytes:
    """The mail as a server hands it on that has sealed what it found out (ARC)."""
    raw = crlf(raw)
    top = f"Authentication-Results: {sealer}; {results}\r\n".encode() + raw
    fields = dkim.arc_sign(
        top,
        selector.encode(),
        sealer.encode(),
        private(sealer),
        sealer.encode(),
        include_headers=[b"from", b"to", b"subject"],
    )
    return b"".join(fields) + raw


def crlf(raw: bytes) -> bytes:
    return raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
