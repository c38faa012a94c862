"""The link that sets a new password: for whoever reads mail to the address, and no longer once it
has come back."""

from datetime import UTC, datetime

from django.contrib.auth.tokens import PasswordResetTokenGenerator

from helpdesk.models import Person


class Tokens(PasswordResetTokenGenerator):
    """Django's, and void as well once `Person.links_void_at` has changed."""

    def _make_hash_value(self, user: Person, timestamp: int) -> str:
        void_at = user.links_void_at
        return super()._make_hash_value(user, timestamp) + (void_at.isoformat() if void_at else "")

    def _now(self) -> datetime:
        return datetime.now(UTC).replace(
            tzinfo=None
        )  # a link is as old as it is when the clocks are put back, too


tokens = Tokens()
