"""The link that sets a new password: for whoever reads mail to the address, and no longer once it has come back."""

from django.contrib.auth.tokens import PasswordResetTokenGenerator

from helpdesk.models import Person


class Tokens(PasswordResetTokenGenerator):
    """Django's, and void as well once `Person.links_void_at` has changed."""

    def _make_hash_value(self, user: Person, timestamp: int) -> str:
        void_at = user.links_void_at
        return super()._make_hash_value(user, timestamp) + (void_at.isoformat() if void_at else "")


tokens = Tokens()
