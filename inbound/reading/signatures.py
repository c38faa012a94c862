"""The signatures of a mail: DKIM (RFC 6376) and ARC (RFC 8617), by dkimpy, with keys that somebody else has looked up.

`claims` says which keys are needed and what else the header block says about the sender's proof; `check` says which
signatures hold. Both read a stranger's bytes: what is larger, or more, than any mail program makes is not checked, and
proves nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from inbound.reading.results import Result, Results, read_results

MAX_HEAD = 131_072  # bytes of the header block
MAX_FIELDS, MAX_NAMES = 500, 100  # header fields, and names of them in one signature
MAX_SIGNATURES, MAX_CHAIN = 5, 10
MAX_KEY = 1500  # bytes of a key's record: one of 4,096 bits takes 750

COVERED = ("to", "cc", "in-reply-to", "references")  # whom a mail is for, and what it answers
# RFC 5322 3.6: fields that a mail has once. One that stands there twice is read by us and was signed by somebody else.
_ONCE = {
    b"from", b"sender", b"reply-to", b"to", b"cc", b"subject", b"date", b"message-id", b"in-reply-to", b"references",
    b"mime-version", b"content-type", b"content-transfer-encoding",
}  # fmt: skip
# One address, and before it nothing that could be taken for another: every program reads the same.
_PLAIN = re.compile(
    r"\s*(?:[^<>@,;:()\\]{0,500}<[\w.+-]{1,64}@[\w.-]{1,255}>|[\w.+-]{1,64}@[\w.-]{1,255})\s*", re.ASCII
)
_NAME = re.compile(r"[a-z0-9._-]+")
_FIELD = re.compile(rb"([\x21-\x39\x3b-\x7e]{1,100})[ \t]*:")


@dataclass(frozen=True, slots=True)
class Claims:
    """What the header block says that bears on who has sent the mail. None of it is believed yet."""

    keys: tuple[str, ...] = ()  # the names in the DNS under which the keys of its signatures lie
    results: tuple[Results, ...] = ()  # what servers on its way say that they found out, the latest first
    froms: int = 1  # how many From fields there are
    is_plain: bool = False  # From names one address, whoever reads it
    is_doubled: bool = False  # a field that a mail has once stands there twice
    provider: tuple[Results, ...] = ()  # and what a provider says in fields of its own


NO_CLAIMS = Claims()


@dataclass(frozen=True, slots=True)
class Signature:
    """`result` is pass, fail, temperror (its key could not be looked up) or policy (it holds, and proves too little)."""

    domain: str
    selector: str
    result: str
    why: str = ""
    covers: tuple[str, ...] = ()  # of COVERED, what it signs: who sends the mail again writes the others anew


@dataclass(frozen=True, slots=True)
class Seal:
    """One hop of an ARC chain that holds: who sealed it, and what that server had found out."""

    domain: str
    results: Results


@dataclass(frozen=True, slots=True)
class Checked:
    """`chain` is pass, fail, temperror or none; `seals` are its hops, the latest first, which signs `covers`."""

    signatures: tuple[Signature, ...] = ()
    chain: str = "none"
    seals: tuple[Seal, ...] = ()
    covers: tuple[str, ...] = ()


def claims(raw: bytes) -> Claims:
    """Reads the header block alone."""
    fields = _fields(raw)
    if fields is None:
        return NO_CLAIMS
    names = [name for name, _ in fields]
    return Claims(
        keys=tuple(dict.fromkeys(_key_name(tags) for tags in _tags(fields) if _key_name(tags))),
        results=_results(fields),
        froms=names.count(b"from"),
        is_plain=all(_PLAIN.fullmatch(_text(value)[:1000]) for name, value in fields if name == b"from"),
        is_doubled=any(names.count(name) > 1 for name in _ONCE),
        provider=_of_providers(fields),
    )


def check(raw: bytes, keys: Mapping[str, bytes | None]) -> Checked:
    """Which signatures hold. `keys` has a record under each name of `claims`, empty where there is none; None, or no
    entry, says that it could not be looked up."""
    fields = _fields(raw)
    if fields is None:
        return Checked()
    found = [tags for tags in _tags(fields) if tags["header"] == "dkim-signature"]
    signatures = tuple(_checked(raw, place, tags, keys) for place, tags in enumerate(found))
    chain, seals = _chain(raw, fields, keys)
    latest = max(
        (tags for tags in _tags(fields) if "bh" in tags and tags["header"] != "dkim-signature"),
        key=_instance,
        default={},
    )
    return Checked(signatures, chain, seals, _covers(latest))


def _fields(raw: bytes) -> list[tuple[bytes, bytes]] | None:
    """(lower-case name, value) as they stand there; None where the header block is beyond what is checked."""
    head = re.split(rb"\r?\n\r?\n", raw[: MAX_HEAD + 1], maxsplit=1)[0]
    if len(head) > MAX_HEAD or b"\r" in head.replace(b"\r\n", b"") or b"\0" in head:
        # A bare CR ends a line for some readers and not for others: what is signed might not be what is read.
        return None
    fields: list[tuple[bytes, list[bytes]]] = []
    for line in head.split(b"\n"):
        line = line.rstrip(b"\r")
        if line[:1] in {b" ", b"\t"}:
            if fields:
                fields[-1][1].append(line)
        elif match := _FIELD.match(line):
            fields.append((match[1].lower(), [line[match.end() :]]))
        if len(fields) > MAX_FIELDS:
            return None
    return [(name, b"\r\n".join(lines)) for name, lines in fields]


def _tags(fields: list[tuple[bytes, bytes]]) -> list[dict[str, str]]:
    """The tags (RFC 6376 3.2) of the first signatures and of the ARC chain, each with its `header`."""
    found: list[dict[str, str]] = []
    counts = {"dkim-signature": MAX_SIGNATURES, "arc-message-signature": MAX_CHAIN, "arc-seal": MAX_CHAIN}
    for field, value in fields:
        name = _text(field)
        if counts.get(name, 0) > 0:
            counts[name] -= 1
            pairs = (part.partition("=") for part in _text(value)[:10_000].split(";"))
            found.append({key.strip(): "".join(told.split()) for key, _, told in pairs} | {"header": name})
    return found


def _key_name(tags: Mapping[str, str]) -> str:
    """RFC 6376 3.6.2.1."""
    domain, selector = tags.get("d", "").lower(), tags.get("s", "").lower()
    name = f"{selector}._domainkey.{domain}"
    return name if domain and selector and len(name) <= 250 and _NAME.fullmatch(name) else ""


def _checked(raw: bytes, place: int, tags: Mapping[str, str], keys: Mapping[str, bytes | None]) -> Signature:
    domain, selector, name = tags.get("d", "").lower()[:255], tags.get("s", "").lower()[:255], _key_name(tags)

    def told(result: str, why: str = "") -> Signature:
        return Signature(domain, selector, result, why, _covers(tags))

    signed = tags.get("h", "").lower().split(":")
    if not name:
        return told("fail", "it names no key")
    if len(signed) > MAX_NAMES or "from" not in signed:
        return told("fail", "From is not signed")
    if tags.get("a", "").lower() == "rsa-sha1":
        return told("fail", "rsa-sha1 is no proof any more")  # RFC 8301 3.1
    key = keys.get(name)
    if key is None:
        return told("temperror", "its key could not be looked up")
    if not key or len(key) > MAX_KEY:
        return told("fail", "there is no such key")
    try:
        mail = _dkim().DKIM(raw)
        body = _prepare(mail, tags.get("c", ""))
        holds = mail.verify(idx=place, dnsfunc=lambda *args, **kwargs: key)
    except Exception as error:  # dkimpy raises nearly anything on rubbish
        return told("fail", _words(error))
    if not holds:
        return told("fail", "the signature is not of this mail")
    if "l" in tags and int(tags["l"]) < len(body):
        return told("policy", "it leaves the end of the body unsigned")  # RFC 6376 8.2
    return told("pass")


def _dkim() -> Any:
    import dkim  # slow to import, and few mails need it in a process that reads

    return dkim


def _prepare(mail: Any, canonical: str) -> bytes:
    """Gives dkimpy the body in the form in which it is signed: its own way there takes the square of a long run of
    blanks. What it does again changes nothing any more. Returns the body."""
    _, _, how = canonical.lower().partition("/")
    if how == "relaxed":
        # RFC 6376 3.4.4
        lines = (re.sub(rb"[\t ]+", b" ", line.rstrip(b"\t ")) for line in mail.body.split(b"\r\n"))
        body = _without_last_lines(b"\r\n".join(lines))
        mail.body = b"" if body == b"\r\n" else body
    else:
        mail.body = _without_last_lines(mail.body)
    return bytes(mail.body)


def _without_last_lines(body: bytes) -> bytes:
    """RFC 6376 3.4.3. Only whole CRLFs are lines."""
    end = len(body)
    while body.endswith(b"\r\n", 0, end):
        end -= 2
    return body[:end] + b"\r\n"


def _chain(
    raw: bytes, fields: list[tuple[bytes, bytes]], keys: Mapping[str, bytes | None]
) -> tuple[str, tuple[Seal, ...]]:
    found = [tags for tags in _tags(fields) if tags["header"].startswith("arc-")]
    if not found:
        return "none", ()
    if any(not (name := _key_name(tags)) or not (keys.get(name, b"") or b"x")[:MAX_KEY] for tags in found):
        return "fail", ()
    if any(keys.get(_key_name(tags)) is None for tags in found):
        seal = max((tags for tags in found if "bh" not in tags), key=_instance, default={})
        return "temperror", (Seal(seal.get("d", "").lower(), Results()),)
    bodies = {tags.get("c", "relaxed/relaxed").lower().partition("/")[2] for tags in found if "bh" in tags}
    if bodies != {"relaxed"} or any("l" in tags for tags in found):
        return "fail", ()
    if any(
        tags.get("a", "").lower() != "rsa-sha256" or len(tags.get("h", "").split(":")) > MAX_NAMES for tags in found
    ):
        return "fail", ()
    latest = max(found, key=_instance)
    if "from" not in next(
        (tags.get("h", "").lower().split(":") for tags in found if "bh" in tags and tags.get("i") == latest.get("i")),
        [],
    ):
        return "fail", ()  # whoever it was from when it was sealed, it may be from somebody else by now
    try:
        chain = _dkim().ARC(raw)
        _prepare(chain, "relaxed/relaxed")
        told, hops, _ = chain.verify(dnsfunc=lambda name, **kwargs: keys.get(_text(name).rstrip(".").lower()) or b"")
    except Exception:  # as with DKIM
        return "fail", ()
    if told != b"pass":
        return "fail", ()
    return "pass", tuple(_seal(hop) for hop in hops)


def _seal(hop: Mapping[str, object]) -> Seal:
    value = hop.get("aar-value", b"")
    # "i=1; mx.example; dkim=pass …" (RFC 8617 4.1.1)
    told = _text(value if isinstance(value, bytes) else b"").partition(";")[2]
    domain = hop.get("as-domain", b"")
    return Seal(_text(domain if isinstance(domain, bytes) else b"").lower(), read_results(told))


def _results(fields: list[tuple[bytes, bytes]]) -> tuple[Results, ...]:
    """The Authentication-Results of the topmost server that left any: those between one Received and the next, for a
    server's programs leave one each."""
    found: list[Results] = []
    for name, value in fields:
        if name == b"received" and found:
            break
        if name == b"authentication-results":
            found.append(read_results(_text(value)))
    return tuple(found[:10])


def _of_providers(fields: list[tuple[bytes, bytes]]) -> tuple[Results, ...]:
    """Mailgun's X-Mailgun-Spf and X-Mailgun-Dkim-Check-Result, Postmark's Received-SPF; the topmost are theirs."""
    first: dict[bytes, str] = {}
    for name, value in fields:
        first.setdefault(name, _text(value))
    found = []
    if b"x-mailgun-spf" in first:
        sender = first.get(b"x-envelope-from", "").strip(" <>")
        found.append(
            Results("mailgun", (Result("spf", first[b"x-mailgun-spf"].strip().lower(), {"smtp.mailfrom": sender}),))
        )
    said = first.get(b"received-spf", "")[:2000]
    # HELO stands before it, as its sender has written it.
    sent = re.findall(r"envelope-from\s*=\s*([^;\s\"]{1,320})", said, re.IGNORECASE)
    if "@inbound.postmarkapp.com" in said and len(sent) == 1:
        found.append(Results("postmark", (Result("spf", said.split()[0].lower(), {"smtp.mailfrom": sent[0].lower()}),)))
    return tuple(found)


def _covers(tags: Mapping[str, str]) -> tuple[str, ...]:
    signed = tags.get("h", "").lower().split(":")
    return tuple(name for name in COVERED if name in signed)


def _instance(tags: Mapping[str, str]) -> int:
    found = tags.get("i", "")
    return int(found) if re.fullmatch(r"[0-9]{1,3}", found) else 0


def _words(error: Exception) -> str:
    return re.sub(r"[^\x20-\x7e]", "", f"{error}")[:200] or type(error).__name__


def _text(value: bytes) -> str:
    return value.decode("ascii", "replace")
