"""What is to be done with a mail, and why."""

from dataclasses import dataclass, field

from inbound.reading.message import Evidence

WRITES = {"open", "comment", "answer", "note", "hold"}  # what a mail can do to a ticket
SIGNED_PATH = "signed return path"
SAME_BYTES = "same bytes within a day"
ALSO = "also elsewhere"
ARCHIVED = "archived-answer"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done with a mail, and the evidence for it.

    `do` is open, comment, answer or note (an agent's mail), hold, bounce, also (it is on a ticket
    by another mailbox), ignore (a duplicate, or our own mail), quarantine or wait. `ticket` is the
    ticket written to (comment, answer, note, hold), or continued by a new one (open).
    """

    do: str
    rule: str
    ticket: int | None = None
    reason: str = ""
    waiting_for: str = ""
    outbound: int | None = None
    look: str | None = None  # the group of "To look at" in which a quarantined mail lies
    would_hold: str = ""  # what the policy about senders would have done, where it only looks on
    evidence: Evidence = field(default_factory=dict)

    @property
    def target(self) -> tuple[str, int | None]:
        return self.do, self.ticket
