"""The chain of seals that servers put on a mail that they forward (ARC, RFC 8617)."""

from collections.abc import Mapping
from dataclasses import dataclass

from inbound.reading.proofs import dkimpy
from inbound.reading.proofs.signed_fields import Tags, instance, key_name, text
from inbound.reading.results import Results, read_results

MAX_NAMES = 100  # of fields in one signature


@dataclass(frozen=True, slots=True)
class Seal:
    """One hop of an ARC chain that holds: who sealed it, and what that server had found out."""

    domain: str
    results: Results


def chain(
    raw: bytes, found: list[dict[str, str]], keys: Mapping[str, bytes | None]
) -> tuple[str, tuple[Seal, ...]]:
    """pass, fail, temperror or none, and the hops, the latest first. `found` are the tags of the
    chain's fields."""
    if not found:
        return "none", ()
    names = [key_name(tags) for tags in found]
    if not all(names):
        return "fail", ()
    if any(keys.get(name) is None for name in names):
        seal = max((tags for tags in found if "bh" not in tags), key=instance, default={})
        return "temperror", (Seal(seal.get("d", "").lower(), Results()),)
    return _verified(raw, keys) if _is_sound(found) else ("fail", ())


def _is_sound(found: list[dict[str, str]]) -> bool:
    """Whether it is made as chains are made, and signs From."""
    signatures = [tags for tags in found if "bh" in tags]
    bodies = {_canonical_body(tags) for tags in signatures}
    if bodies != {"relaxed"} or any("l" in tags for tags in found):
        return False
    if any(
        tags.get("a", "").lower() != "rsa-sha256" or len(tags.get("h", "").split(":")) > MAX_NAMES
        for tags in found
    ):
        return False
    latest = max(found, key=instance).get("i")
    signed = next(
        (tags.get("h", "").lower().split(":") for tags in signatures if tags.get("i") == latest), []
    )
    # Else, whoever it was from when it was sealed, it may be from somebody else by now.
    return "from" in signed


def _canonical_body(tags: Tags) -> str:
    return tags.get("c", "relaxed/relaxed").lower().partition("/")[2]


def _verified(raw: bytes, keys: Mapping[str, bytes | None]) -> tuple[str, tuple[Seal, ...]]:
    try:
        mail = dkimpy.library().ARC(raw)
        dkimpy.prepare(mail, "relaxed/relaxed")
        told, hops, _ = mail.verify(
            dnsfunc=lambda name, **kwargs: keys.get(text(name).rstrip(".").lower()) or b""
        )
    except Exception:  # dkimpy raises nearly anything on rubbish
        return "fail", ()
    return ("pass", tuple(_seal(hop) for hop in hops)) if told == b"pass" else ("fail", ())


def _seal(hop: Mapping[str, object]) -> Seal:
    value = hop.get("aar-value", b"")
    # "i=1; mx.example; dkim=pass …" (RFC 8617 4.1.1)
    told = text(value if isinstance(value, bytes) else b"").partition(";")[2]
    domain = hop.get("as-domain", b"")
    return Seal(text(domain if isinstance(domain, bytes) else b"").lower(), read_results(told))
