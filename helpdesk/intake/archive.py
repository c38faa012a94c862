"""What of an old archive is ours: an answer of an agent, in their own name or in that of the
mailbox.

An admin imports it (`ingest --as-history`), so it is trusted as no mail is that comes in: From is
believed. Of mail that comes in, what says that it is from our own address is a loop or a forgery,
and none of this is asked.
"""

import re
from dataclasses import dataclass

from helpdesk import people
from helpdesk.models import Participant, Person
from helpdesk.models.person import STAFF_ROLES
from inbound.models import InboundMail
from inbound.reading.message import Address
from inbound.reading.reading import Reading
from inbound.reading.sender import BEHIND_OURS, FORM, NOBODY, is_ours

SIGNED_WITHIN = 4  # lines of words at the end in which a name of its own line is a signature
SIGNATURE = 8  # lines below "-- " that are read


@dataclass(frozen=True, slots=True)
class Answer:
    """`author` is None where no agent can be named: the mailbox has written it, and it is shown so.
    `by` says what named them. `people` are those in To and Cc who are not ours and no agents;
    `is_to_us` says that nobody else is there at all."""

    author: Person | None
    by: str
    people: tuple[Address, ...]
    is_to_us: bool

    def is_for(self, ticket: int) -> bool:
        """Whether somebody who takes part in the ticket was written to."""
        found = people.find_all(address.address for address in self.people).values()
        return Participant.objects.filter(
            ticket=ticket, person__in=[person.pk for person in found]
        ).exists()


def answer(row: InboundMail, reading: Reading, ours: frozenset[str]) -> Answer | None:
    """The mail as an answer of ours, or None: a customer has written it, or it is from no archive.
    An agent, also one who has left, is known by their address, by the name beside ours, or by their
    signature."""
    if not row.is_history or reading.sender.by == FORM:
        return None
    writer = people.find(reading.sender.address.address) if reading.sender.by != NOBODY else None
    if writer is not None and writer.role in STAFF_ROLES:
        return _answer(writer, "address", reading, ours)
    if reading.sender.by == NOBODY or (
        reading.sender.by == BEHIND_OURS and _goes_out(reading, ours)
    ):
        return _answer(*_named(reading), reading, ours)
    return None


def _answer(author: Person | None, by: str, reading: Reading, ours: frozenset[str]) -> Answer:
    named = {found.address: found for found in (*reading.parsed.to, *reading.parsed.cc)}
    others = [
        found
        for address, found in named.items()
        if not is_ours(address, ours) and _is_whole(address)
    ]
    known = people.find_all(found.address for found in others)
    customers = [found for found in others if not (_is_agent(known.get(found.address)))]
    return Answer(author, by, tuple(customers), not others)


def _is_agent(person: Person | None) -> bool:
    return person is not None and person.role in STAFF_ROLES


def _is_whole(address: str) -> bool:
    local, at, domain = address.rpartition("@")
    return bool(local and at and domain)


def _goes_out(reading: Reading, ours: frozenset[str]) -> bool:
    """Whether a mail from our address, with another one in Reply-To or Sender, went to a customer.
    A group's mail, and a website's, comes to us."""
    parsed = reading.parsed
    if (
        parsed.header("x-original-from")
        or parsed.header("x-original-sender")
        or parsed.header("list-id")
    ):
        return False
    to = {found.address for found in parsed.to}
    return bool(to - {reading.sender.address.address}) and not any(
        is_ours(address, ours) for address in to
    )


def _named(reading: Reading) -> tuple[Person | None, str]:
    """The agent whom the name beside our address, or the signature, names and no other."""
    staff = list(Person.objects.filter(role__in=STAFF_ROLES))
    for by, words in (
        ("name", _pieces(reading.parsed.from_.name)),
        ("signature", _signature(reading)),
    ):
        found = [person for person in staff if {_folded(person.name), person.email} & words - {""}]
        if len(found) == 1:
            return found[0], by
    return None, "mailbox"


def _signature(reading: Reading) -> set[str]:
    """What could be a name or an address at the end: lines of their own, and below "-- " what a
    line begins with."""
    lines = [line for line in reading.text.splitlines() if line.strip()]
    below = reading.quoted_text.lstrip("\n").splitlines()[: SIGNATURE + 1]
    if not (below and below[0].rstrip() == "--"):
        below = []
    signed = [line for line in below[1:] if not line.startswith(">")]
    words = {_folded(line) for line in [*lines[-SIGNED_WITHIN:], *signed]}
    return words | {piece for line in signed for piece in _pieces(line, most=1)}


def _pieces(words: str, most: int = 10) -> set[str]:
    """“Ada at Support”, “Support (Ada)” and “Ada | Support” name Ada."""
    return {_folded(piece) for piece in _BETWEEN.split(words[:200])[:most]}


def _folded(words: str) -> str:
    return " ".join(words[:200].casefold().split()).strip(" \"'*_-–—,.()<>")


_BETWEEN = re.compile(
    r"[,(|/–—:·]|\s-\s|@\s|\s(?:at|from|of|for|via|bei|beim|von|vom|für|über|de|du|chez|par|en|por)\s",
    re.IGNORECASE,
)
