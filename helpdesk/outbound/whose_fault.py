"""Whose fault can it be that a mail was not taken?"""

from enum import Enum


class Whose(Enum):
    """Who has to do something so that the mail arrives."""

    ADDRESS = "recipient refused"  # nobody: there is no such recipient, or it takes no mail
    MAIL = "message refused"  # nobody: this mail is too large, or cannot be taken as it is
    # nobody: greylisting, a full mailbox, a destination that is away
    PASSES = "put off by the mail server"
    # us, most likely: relaying, reputation, a sender it does not let us use
    POLICY = "the mail server refuses us"
    # the mail's, if the server takes others meanwhile; else ours
    UNCLEAR = "refused without a clear reason"
    # us, or whoever runs the server: whatever the mail, it fails
    SERVER = "cannot reach the mail server"

    @property
    def is_final(self) -> bool:
        return self in {Whose.ADDRESS, Whose.MAIL}
