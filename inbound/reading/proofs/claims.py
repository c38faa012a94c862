"""What a mail's header block says about who has sent it, and which keys prove it. None of it is
believed yet."""

import re
from dataclasses import dataclass

from inbound.reading.proofs.signed_fields import Fields, fields_of, key_name, tags_of, text
from inbound.reading.results import Result, Results, read_results

# RFC 5322 3.6: fields that a mail has once. One that stands there twice is read by us and was
# signed by somebody else.
_ONCE = set(
    b"from sender reply-to to cc subject date message-id in-reply-to references mime-version"
    b" content-type content-transfer-encoding".split()
)


# One address, and before it nothing that could be taken for another: every program reads the same.
_PLAIN = re.compile(
    r"\s*(?:[^<>@,;:()\\]{0,500}<[\w.+-]{1,64}@[\w.-]{1,255}>|[\w.+-]{1,64}@[\w.-]{1,255})\s*",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Claims:
    """What the header block says that bears on who has sent the mail. None of it is believed
    yet."""

    keys: tuple[str, ...] = ()  # the names in the DNS under which the keys of its signatures lie
    # what servers on its way say that they found out, the latest first
    results: tuple[Results, ...] = ()
    froms: int = 1  # how many From fields there are
    is_plain: bool = False  # From names one address, whoever reads it
    is_doubled: bool = False  # a field that a mail has once stands there twice
    provider: tuple[Results, ...] = ()  # and what a provider says in fields of its own


NO_CLAIMS = Claims()


def claims(raw: bytes) -> Claims:
    """Reads the header block alone."""
    fields = fields_of(raw)
    if fields is None:
        return NO_CLAIMS
    names = [name for name, _ in fields]
    senders = [text(value)[:1000] for name, value in fields if name == b"from"]
    keys = (key_name(tags) for tags in tags_of(fields))
    return Claims(
        keys=tuple(dict.fromkeys(name for name in keys if name)),
        results=_results(fields),
        froms=len(senders),
        is_plain=all(_PLAIN.fullmatch(sender) for sender in senders),
        is_doubled=any(names.count(name) > 1 for name in _ONCE),
        provider=_of_providers(fields),
    )


def _results(fields: Fields) -> tuple[Results, ...]:
    """The Authentication-Results of the topmost server that left any: those between one Received
    and the next, for a server's programs leave one each."""
    found: list[Results] = []
    for name, value in fields:
        if name == b"received" and found:
            break
        if name == b"authentication-results":
            found.append(read_results(text(value)))
    return tuple(found[:10])


def _of_providers(fields: Fields) -> tuple[Results, ...]:
    """Mailgun's X-Mailgun-Spf and X-Mailgun-Dkim-Check-Result, Postmark's Received-SPF; the topmost
    are theirs."""
    first: dict[bytes, str] = {}
    for name, value in fields:
        first.setdefault(name, text(value))
    found = []
    if b"x-mailgun-spf" in first:
        sender = first.get(b"x-envelope-from", "").strip(" <>")
        found.append(_spf("mailgun", first[b"x-mailgun-spf"].strip(), sender))
    said = first.get(b"received-spf", "")[:2000]
    # HELO stands before it, as its sender has written it.
    sent = re.findall(r"envelope-from\s*=\s*([^;\s\"]{1,320})", said, re.IGNORECASE)
    if "@inbound.postmarkapp.com" in said and len(sent) == 1:
        found.append(_spf("postmark", said.split()[0], sent[0].lower()))
    return tuple(found)


def _spf(provider: str, value: str, sender: str) -> Results:
    return Results(provider, (Result("spf", value.lower(), {"smtp.mailfrom": sender}),))
