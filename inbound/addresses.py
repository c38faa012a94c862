"""Our address grammar: what stands between the mailbox's local part and the @.

    support@example.com                 the mailbox
    support+anything@example.com        the mailbox too; `anything` is the sender's affair
    support+r<token>@example.com        a reply to one ticket by one person
    support+b<token>@example.com        the return path of one mail we sent
    support+s<token>@example.com        the same, of one that holds a code or a link that signs in

A token is lower-case base32 of the numbers it names and a MAC over them (RFC 5321 4.5.3.1.1 leaves
a local part 64 octets, and some systems fold its case). It locates; it does not authorise.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.conf import settings

KIND_HEADER = "X-Helpdesk-Mail"  # on every mail we send: its kind
MAC_BYTES = 10
LOCAL_PART_LIMIT = 64  # octets, RFC 5321 4.5.3.1.1


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply to `ticket` at the address that was given to `person`."""

    ticket: int
    person: int


@dataclass(frozen=True, slots=True)
class Bounce:
    """A report about the outgoing mail with this id."""

    outbound: int
    is_secret: bool = False  # it holds a code or a link that signs in


def own_mark(outbound: int, *, is_secret: bool = False) -> str:
    """What the outgoing mail `outbound` is known by when it comes back to us, whatever Message-ID
    it has by then."""
    return _seal("x" if is_secret else "m", (outbound,))


def read_own_mark(mark: str) -> int | None:
    """The outgoing mail that a mark names; None where it is not a mark of ours. Two helpdesks can
    write to each other: that a mail has a mark says nothing."""
    numbers = _unseal("m", mark.strip().lower()) or _unseal("x", mark.strip().lower())
    return numbers[0] if len(numbers) == 1 else None


def read_secret_mark(mark: str) -> int | None:
    """The same, where that mail holds a code or a link that signs in."""
    numbers = _unseal("x", mark.strip().lower())
    return numbers[0] if len(numbers) == 1 else None


def reply_address(mailbox: str, ticket: int, person: int) -> str:
    """The address at which `person` answers `ticket`; the plain mailbox where the token has no
    room."""
    return _with_token(mailbox, "r", (ticket, person))


def bounce_address(mailbox: str, outbound: int, *, is_secret: bool = False) -> str:
    """The return path of the outgoing mail `outbound`; the plain mailbox where the token has no
    room."""
    return _with_token(mailbox, "s" if is_secret else "b", (outbound,))


def read_token(address: str) -> Reply | Bounce | None:
    """What a token address names, if the token is one of ours; None for every other address."""
    local, _, _ = address.lower().rpartition("@")
    _, plus, suffix = local.rpartition("+")
    if not plus or len(suffix) < 2:
        return None
    numbers = _unseal(suffix[0], suffix[1:])
    if suffix[0] == "r" and len(numbers) == 2:
        return Reply(*numbers)
    if suffix[0] in "bs" and len(numbers) == 1:
        return Bounce(numbers[0], suffix[0] == "s")
    return None


def mailbox_candidates(address: str) -> Iterator[str]:
    """The mailbox addresses that mail to `address` may belong to, the most exact first."""
    address = address.strip().lower()
    yield address
    local, at, domain = address.rpartition("@")
    while at and "+" in local:
        local = local.rpartition("+")[0]
        if local:
            yield f"{local}@{domain}"


def _with_token(mailbox: str, kind: str, numbers: Sequence[int]) -> str:
    local, _, domain = mailbox.rpartition("@")
    tagged = f"{local}+{kind}{_seal(kind, numbers)}"
    return f"{tagged}@{domain}" if len(tagged.encode()) <= LOCAL_PART_LIMIT else mailbox


def _seal(kind: str, numbers: Sequence[int]) -> str:
    body = b"".join(_varint(number) for number in numbers)
    mac = _mac(kind, body, settings.SECRET_KEY)
    return base64.b32encode(body + mac).decode().rstrip("=").lower()


def _unseal(kind: str, token: str) -> list[int]:
    if not re.fullmatch(r"[a-z2-7]{18,48}", token):
        return []
    try:
        sealed = base64.b32decode(token.upper() + "=" * (-len(token) % 8))
    except ValueError:
        return []
    body, mac = sealed[:-MAC_BYTES], sealed[-MAC_BYTES:]
    for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        if hmac.compare_digest(mac, _mac(kind, body, key)):
            return _varints(body)
    return []


def _mac(kind: str, body: bytes, key: str) -> bytes:
    derived = hashlib.sha256(b"helpdesk address " + kind.encode() + b"\0" + key.encode()).digest()
    return hmac.digest(derived, body, "sha256")[:MAC_BYTES]


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _varints(body: bytes) -> list[int]:
    numbers, value, shift = [], 0, 0
    for byte in body:
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            numbers.append(value)
            value, shift = 0, 0
    return numbers if shift == 0 else []
