"""The link that sets a new password: for whoever reads mail to the address, and no longer once it has come back."""

from datetime import timedelta

from django.conf import settings
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from helpdesk import notify
from helpdesk.models import Person
from inbound.models import Mailbox


class Tokens(PasswordResetTokenGenerator):
    """Django's, and void as well once `Person.links_void_at` has changed."""

    def _make_hash_value(self, user: Person, timestamp: int) -> str:
        void_at = user.links_void_at
        return super()._make_hash_value(user, timestamp) + (void_at.isoformat() if void_at else "")


tokens = Tokens()


def send_link(person: Person, mailbox: Mailbox, pattern: str) -> None:
    """`pattern` is the page's address, with {uid} and {token}."""
    uid = urlsafe_base64_encode(force_bytes(person.pk))
    until = timezone.now() + timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT)
    notify.password_reset(person, pattern.format(uid=uid, token=tokens.make_token(person)), mailbox, expires_at=until)
