"""What follows from whether a mail is from whom it says: the policy of docs/DESIGN.md, “Whose mail
it is”.

    failed          held, whoever it claims to be; a first mail opens a ticket that is marked,
    without acknowledgement
                    and without the people in its Cc
    unknown         joins a ticket by what only its reader knows: their reply address, or an id of a
    mail to them; by
                    any other id it joins unless that address is usually proven
    authenticated   joins when its sender takes part

An agent may trust an address's mail that comes a certain way. An agent's own mail counts as theirs
only when it is proven. Until the mailbox's date the policy only says what it would do.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.utils import timezone

from helpdesk import changes
from helpdesk.facts import Fact, Several
from helpdesk.intake import threads
from helpdesk.intake.threads import Candidate
from helpdesk.models import Person, ProvenDay, TrustedWay
from inbound.addresses import Bounce, Reply, read_token
from inbound.models import Mailbox
from inbound.prepared import Prepared, PreparedRows, padded
from inbound.reading.proof import Proof, Verdict

USUAL_DAYS, WITHIN = 3, timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Sender:
    """Who a mail says it is from, and what is known about that.

    `named` is whom those of To and Cc name that are signed, `answers` the ids that it answers,
    where these are: what is proven by signatures alone may be a mail to somebody else, or about
    something else, that was sent to us again. `is_vouched`: From says who it is; or From is our own
    group, proven, and behind it somebody else has written.
    """

    address: str
    person: Person | None
    proof: Proof
    at: datetime
    named: frozenset[str] = frozenset()
    answers: frozenset[str] = frozenset()
    is_for_us: bool = False  # one of `named` is ours
    is_vouched: bool = True

    @property
    def is_proven(self) -> bool:
        return self.proof.verdict is Verdict.AUTHENTICATED and (
            self.is_for_us or not self.proof.is_replayable
        )

    def is_proven_for(self, candidate: Candidate) -> bool:
        """Whether it is proven that they have written that into that ticket."""
        if self.proof.verdict is not Verdict.AUTHENTICATED:
            return False
        return not self.proof.is_replayable or self._means(candidate)

    def _means(self, candidate: Candidate) -> bool:
        if candidate.rule in {"reply-token", "return-path"}:
            return any(_leads_to(address, candidate) for address in self.named)
        return self.is_for_us and candidate.by in self.answers


def _leads_to(address: str, candidate: Candidate) -> bool:
    token = read_token(address)
    if isinstance(token, Reply):
        return token.ticket == candidate.ticket and token.person == candidate.person
    return isinstance(token, Bounce) and candidate.by == f"mail {token.outbound}"


def is_in_force(mailbox: Mailbox) -> bool:
    """Whether the policy holds mail, or only looks on."""
    if mailbox.sender_policy == Mailbox.SenderPolicy.LOG:
        return False
    return mailbox.policy_from is None or mailbox.policy_from <= timezone.now()


def objection(sender: Sender, candidate: Candidate) -> str:
    """Why the mail should not be a public comment in that ticket although its sender takes part, or
    ""."""
    if sender.is_proven_for(candidate) or is_trusted(sender):
        return ""
    knows = sender.person is not None and _only_they_know(candidate, sender.person)
    if sender.proof.verdict is Verdict.FAILED and not (knows and sender.proof.is_monitored):
        return not_from(sender.proof)
    if knows:
        return ""
    if not sender.is_vouched:
        # Whose domain says how its mail is proven would be written for under an address of ours
        # that says nothing.
        return "written behind our own address, and nothing proves it"
    if not sender.proof.is_fault and is_usually_proven(sender):
        if sender.proof.verdict is Verdict.AUTHENTICATED:
            return "signed by its sender, but not as an answer to this"
        return (
            f"their mail is usually proven to be from {sender.proof.domain[:40]}; this one is not"
        )
    return ""


def not_from(proof: Proof) -> str:
    return f"by the rules of {proof.domain[:40]} (DMARC) this mail is not from there"


def is_doubtful(sender: Sender) -> bool:
    """Whether a first mail opens its ticket with a mark, and nobody is written to."""
    return sender.proof.verdict is Verdict.FAILED and not is_trusted(sender)


def is_trusted(sender: Sender) -> bool:
    """Whether an agent trusts what comes from that address this way."""
    # What is signed, and was written to somebody else, may have been sent to us again by anybody.
    ways = [
        way for way in sender.proof.ways if sender.is_for_us or not way.startswith("signed by ")
    ]
    return bool(ways) and not trusted_ways(sender.address.lower()).isdisjoint(ways)


def is_usually_proven(sender: Sender) -> bool:
    since = sender.at - WITHIN
    # Not what came today: three mails in one go are no habit.
    days = proven_days(sender.address.lower())
    return sum(since.date() <= day < sender.at.date() for day in days) >= USUAL_DAYS


def remember(sender: Sender) -> None:
    """A proven mail makes its day count. Call it in the transaction that ends the mail."""
    if sender.is_proven and 0 < len(sender.address) <= 254:
        address, day = sender.address.lower(), sender.at.date()
        if day not in proven_days(address):
            changes.insert(ProvenDay(address=address, day=day), ignore_conflicts=True)


def _only_they_know(candidate: Candidate, person: Person) -> bool:
    """Whether what located the ticket was sent to that very person by us, and can't be guessed."""
    if candidate.rule in {"reply-token", "return-path"}:
        return candidate.person == person.pk
    if candidate.rule not in {"in-reply-to", "references"}:
        return False
    return any(sent.person == person.pk for sent in threads.sent_under([candidate.by]))


def _trusted(addresses: list[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for address, way in _ways(padded(addresses)):
        found.setdefault(address, set()).add(way)
    return found


def _proven(addresses: list[str]) -> dict[str, list[date]]:
    found: dict[str, list[date]] = {}
    for row in _days(padded(addresses)):
        found.setdefault(row.address, []).append(row.day)
    return found


_ways = Prepared(
    lambda addresses: (
        TrustedWay.objects.filter(address__in=addresses).order_by().values_list("address", "way")
    )
)
_days = PreparedRows(lambda addresses: ProvenDay.objects.filter(address__in=addresses).order_by())


trusted_ways: Fact[str, set[str]] = Fact(_trusted, set)
proven_days = Several(_proven)
proven_days.grows(ProvenDay, lambda row: [row.address], lambda row: row.day)
