"""Which ticket a mail belongs to: by our token, then by every id it refers to. Never by its
subject."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple

from helpdesk.actions.common import by_number
from helpdesk.facts import Several
from helpdesk.models import MessageRef, OutboundMail
from inbound.addresses import Bounce, Reply, read_token
from inbound.models import InboundMail
from inbound.prepared import Prepared, padded
from inbound.reading.message import ParsedMail

MAX_IDS = 100  # References of a long thread; the newest count
MAX_TICKETS = 20
LATEST = 2**62


@dataclass(frozen=True, slots=True)
class Candidate:
    """A ticket that something in the mail points to."""

    ticket: int
    # reply-token, return-path, in-reply-to, references, common-ancestor or answered-already
    rule: str
    by: str  # the token's person, the mail whose return path it is, or the id
    person: int | None = None  # to whom we have sent the address that it came to

    @property
    def is_direct(self) -> bool:
        """By our token, or by a mail that we sent or received, not by an id that others only
        mention."""
        return self.rule not in {"common-ancestor", "answered-already"}


@dataclass(slots=True)
class Search:
    """What was looked at, and what it led to, the surest first."""

    looked_at: dict[str, list[str]] = field(default_factory=dict)
    candidates: list[Candidate] = field(default_factory=list)


def named(parsed: ParsedMail, recipients: Iterable[str]) -> tuple[str, ...]:
    """Whom the mail is for: `recipients` are its envelope's, and where that was changed on its way
    or kept by nobody (a folder, a pipe), a last server's headers tell, and To and Cc."""
    left = [
        value.strip(" <>") for name in _LEFT_BY_DELIVERY for value in parsed.headers.get(name, [])
    ]
    return tuple(
        dict.fromkeys([*recipients, *left, *(found.address for found in (*parsed.to, *parsed.cc))])
    )


_LEFT_BY_DELIVERY = ("delivered-to", "x-original-to", "envelope-to")


def locate(parsed: ParsedMail, addresses: Iterable[str], before: int = LATEST) -> Search:
    """Every ticket that the mail points to. `addresses` is whom it is for (`named`); references
    from `before` on are not seen."""
    addresses = tuple(addresses)
    tokens = _tokens(addresses)
    ids = parent_ids(parsed)
    search = Search({"tokens": [f"#{t.ticket} for person {t.person}" for t in tokens], "ids": ids})
    found: dict[int, Candidate] = {}
    existing = by_number.all(token.ticket for token in tokens)
    for token in tokens:
        if existing[token.ticket] is not None:
            found.setdefault(
                token.ticket,
                Candidate(token.ticket, "reply-token", f"person {token.person}", token.person),
            )
    for sent in returned_to(addresses):
        # A vacation notice goes to the return path (RFC 3834 4), as does the answer of some old
        # programs.
        if sent.ticket_id:
            found.setdefault(
                sent.ticket_id,
                Candidate(sent.ticket_id, "return-path", f"mail {sent.pk}", sent.person_id),
            )
    # One look for the mail's own id too: it may be the parent that its own reply overtook.
    asked = [*ids, parsed.message_id] if parsed.message_id else ids
    place = {message_id: number for number, message_id in enumerate(asked)}
    refs = [ref for found in led_to.all(asked).values() for ref in found if ref.id < before]
    refs.sort(key=lambda ref: (ref.is_mention, place[ref.message_id], ref.order))
    for message_id, ticket, kind, _ in refs:
        if message_id == parsed.message_id:
            if kind != MessageRef.Kind.REFERENCED:
                continue  # another mail under the same id says nothing about this one
            rule = "answered-already"
        elif kind == MessageRef.Kind.REFERENCED:
            rule = "common-ancestor"
        else:
            rule = "in-reply-to" if message_id in parsed.in_reply_to else "references"
        found.setdefault(ticket, Candidate(ticket, rule, message_id))
    search.candidates = list(found.values())[:MAX_TICKETS]
    return search


def returned_to(addresses: Iterable[str]) -> list[OutboundMail]:
    """The mails of ours to whose signed return path a mail came."""
    pks = {
        token.outbound for address in addresses if isinstance(token := read_token(address), Bounce)
    }
    return list(OutboundMail.objects.filter(pk__in=pks).order_by("pk")) if pks else []


class Ref(NamedTuple):
    """That an id leads to a ticket, and why; `id` grows as they are made."""

    message_id: str
    ticket: int
    kind: str
    id: int

    @property
    def is_mention(self) -> bool:
        return self.kind == MessageRef.Kind.REFERENCED

    @property
    def order(self) -> int:
        """Of those that mention an id, the newest first."""
        return -self.id if self.is_mention else self.id


def _refs(ids: list[str]) -> dict[str, list[Ref]]:
    found: dict[str, list[Ref]] = {}
    rows = _of_ids(padded(ids))
    if len(rows) == MANY:  # a newsletter's id may be mentioned a thousand times
        rows = [
            row for found_id in ids for row in (*_sent_or_received(found_id), *_mentions(found_id))
        ]
    for row in rows:
        found.setdefault(row[0], []).append(Ref(*row))
    return found


MANY = 2000
MOST = 500  # that an id leads to
_SHOWN = ("message_id", "ticket_id", "kind", "id")
_of_ids = Prepared(
    lambda ids: MessageRef.objects.filter(message_id__in=ids).values_list(*_SHOWN)[:MANY]
)
_sent_or_received = Prepared(
    lambda found_id: (
        MessageRef.objects.filter(message_id=found_id)
        .exclude(kind=MessageRef.Kind.REFERENCED)
        .order_by("id")
        .values_list(*_SHOWN)[:MOST]
    )
)
_mentions = Prepared(
    lambda found_id: (
        MessageRef.objects.filter(message_id=found_id, kind=MessageRef.Kind.REFERENCED)
        .order_by("-id")
        .values_list(*_SHOWN)[:MOST]
    )
)
led_to = Several(_refs)  # where a Message-ID leads to
_later = count(LATEST - 2**40)  # what is made just now comes after all that is there
led_to.grows(
    MessageRef,
    lambda row: [row.message_id],
    lambda row: Ref(row.message_id, row.ticket_id, row.kind, next(_later)),
)


def left_by(parsed: ParsedMail, ticket: int) -> int:
    """The first of the references that a mail left when it was written into that ticket: what was
    before it is what it was judged by."""
    ids = parent_ids(parsed)
    own = MessageRef.objects.filter(
        ticket=ticket, message_id=parsed.message_id, kind=MessageRef.Kind.RECEIVED
    ).first()
    if own is None:
        return LATEST
    around = MessageRef.objects.filter(
        ticket=ticket,
        message_id__in=ids,
        kind=MessageRef.Kind.REFERENCED,
        id__range=(own.pk - len(ids), own.pk),
    )
    referred = set(around.values_list("id", flat=True))
    first = own.pk
    while first - 1 in referred:  # they were written in one go, its own id last
        first -= 1
    return int(first)


def parent_ids(parsed: ParsedMail) -> list[str]:
    """The ids that the mail answers, the nearest parent first (RFC 5322 3.6.4), without its own."""
    ids = [*parsed.in_reply_to, *reversed(parsed.references)]
    return [found for found in dict.fromkeys(ids) if found != parsed.message_id][:MAX_IDS]


def unprocessed_parent(parsed: ParsedMail, own: int) -> str:
    """The id of a parent that is stored but not yet processed, or ""."""
    ids = parent_ids(parsed)
    if not ids:
        return ""
    waiting = [
        (pk, message_id) for message_id, rows in unread.all(ids).items() for pk in rows if pk != own
    ]
    return min(waiting)[1] if waiting else ""


def _unread(ids: list[str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for message_id, pk in _received(padded(ids)):
        found.setdefault(message_id, []).append(pk)
    return found


_received = Prepared(
    lambda ids: InboundMail.objects.filter(
        message_id__in=ids, state=InboundMail.State.RECEIVED
    ).values_list("message_id", "pk")[:MANY]
)
unread = Several(_unread)  # which mails under a Message-ID are stored and not yet processed


def sent_under(ids: Iterable[str]) -> list["Sent"]:
    """The mails of ours that have one of these ids, whether we or a provider gave it."""
    return [sent for found in sent_as.all(ids).values() for sent in found]


class Sent(NamedTuple):
    """A mail of ours."""

    pk: int
    person: int | None
    kind: str
    is_secret: bool


def _sent(ids: list[str]) -> dict[str, list[Sent]]:
    found: dict[str, list[Sent]] = {}
    for own, providers, *sent in (*_by_our_id(padded(ids)), *_by_a_providers(padded(ids))):
        for message_id in {own, providers}:
            found.setdefault(message_id, []).append(Sent(*sent))
    return found


_MAIL = ("message_id", "provider_message_id", "pk", "person", "kind", "is_secret")
_by_our_id = Prepared(
    lambda ids: OutboundMail.objects.filter(message_id__in=ids).order_by().values_list(*_MAIL)
)
_by_a_providers = Prepared(
    lambda ids: (
        OutboundMail.objects.filter(provider_message_id__in=ids)
        .order_by()
        .values_list(*_MAIL)[:MANY]
    )
)
sent_as = Several(_sent)


def _tokens(addresses: Iterable[str]) -> list[Reply]:
    tokens = [token for address in addresses if isinstance(token := read_token(address), Reply)]
    return list(dict.fromkeys(tokens))
