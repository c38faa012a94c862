"""Which signatures of a mail hold: DKIM (RFC 6376) and ARC (RFC 8617), by dkimpy, with keys that
somebody else has looked up. `claims` says which.

A stranger's bytes are read: what is larger, or more, than any mail program makes is not checked,
and proves nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from inbound.reading.proofs import dkimpy
from inbound.reading.proofs.arc import MAX_NAMES, Seal, chain
from inbound.reading.proofs.signed_fields import (
    Tags,
    covers,
    fields_of,
    instance,
    key_name,
    tags_of,
)

MAX_KEY = 1500  # bytes of a key's record: one of 4,096 bits takes 750


@dataclass(frozen=True, slots=True)
class Signature:
    """`result` is pass, fail, temperror (its key could not be looked up) or policy (it holds, and
    proves too little)."""

    domain: str
    selector: str
    result: str
    why: str = ""
    # of proofs.signed_fields.COVERED, what it signs: whoever sends it again writes the others anew
    covers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Checked:
    """`chain` is pass, fail, temperror or none; `seals` are its hops, the latest first, which signs
    `covers`."""

    signatures: tuple[Signature, ...] = ()
    chain: str = "none"
    seals: tuple[Seal, ...] = ()
    covers: tuple[str, ...] = ()


def check(raw: bytes, keys: Mapping[str, bytes | None]) -> Checked:
    """Which signatures hold. `keys` has a record under each name of `claims`, empty where there is
    none; None, or no entry, says that it could not be looked up."""
    fields = fields_of(raw)
    if fields is None:
        return Checked()
    found = tags_of(fields)
    signatures = [tags for tags in found if tags["header"] == "dkim-signature"]
    sealing = [tags for tags in found if tags["header"] != "dkim-signature"]
    verdict, seals = chain(raw, sealing, keys)
    latest = max((tags for tags in sealing if "bh" in tags), key=instance, default={})
    return Checked(
        tuple(_checked(raw, place, tags, keys) for place, tags in enumerate(signatures)),
        verdict,
        seals,
        covers(latest),
    )


def _checked(raw: bytes, place: int, tags: Tags, keys: Mapping[str, bytes | None]) -> Signature:
    name = key_name(tags)
    key = keys.get(name)
    if flaw := _flaw(tags, name):
        result, why = "fail", flaw
    elif key is None:
        result, why = "temperror", "its key could not be looked up"
    elif not key or len(key) > MAX_KEY:
        result, why = "fail", "there is no such key"
    else:
        result, why = _verified(raw, place, tags, key)
    domain, selector = tags.get("d", "").lower()[:255], tags.get("s", "").lower()[:255]
    return Signature(domain, selector, result, why, covers(tags))


def _flaw(tags: Tags, name: str) -> str:
    """Why it proves nothing, whatever its key."""
    signed = tags.get("h", "").lower().split(":")
    if not name:
        return "it names no key"
    if len(signed) > MAX_NAMES or "from" not in signed:
        return "From is not signed"
    if tags.get("a", "").lower() == "rsa-sha1":
        return "rsa-sha1 is no proof any more"  # RFC 8301 3.1
    return ""


def _verified(raw: bytes, place: int, tags: Tags, key: bytes) -> tuple[str, str]:
    try:
        mail = dkimpy.library().DKIM(raw)
        body = dkimpy.prepare(mail, tags.get("c", ""))
        holds = mail.verify(idx=place, dnsfunc=lambda *args, **kwargs: key)
    except Exception as error:  # dkimpy raises nearly anything on rubbish
        return "fail", _words(error)
    if not holds:
        return "fail", "the signature is not of this mail"
    if "l" in tags and int(tags["l"]) < len(body):
        return "policy", "it leaves the end of the body unsigned"  # RFC 6376 8.2
    return "pass", ""


def _words(error: Exception) -> str:
    return re.sub(r"[^\x20-\x7e]", "", f"{error}")[:200] or type(error).__name__
