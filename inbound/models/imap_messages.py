"""Messages on an IMAP server that are left there, each for a reason of its own."""

from django.db import models
from django.utils import timezone


class ImapPassedOver(models.Model):
    """A message that an account could not take in for the message's own sake; it lies on the server
    as it did."""

    account = models.CharField(max_length=300)
    uid_validity = models.BigIntegerField()
    uid = models.BigIntegerField()
    subject = models.CharField(max_length=300, blank=True)
    reason = models.TextField()
    attempts = models.PositiveSmallIntegerField(default=0)
    is_final = models.BooleanField(default=False, help_text="It is not tried again.")
    was_read = models.BooleanField(
        null=True, help_text="Whether it was marked as read when it was named."
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "uid_validity", "uid"], name="imappassedover_once"
            )
        ]

    def __str__(self) -> str:
        return f"UID {self.uid} of {self.account}"


class ImapCameBack(models.Model):
    """A message that had been stored and moved, and lies in the watched folder again: it is known,
    and left there."""

    account = models.CharField(max_length=300)
    uid_validity = models.BigIntegerField()
    uid = models.BigIntegerField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "uid_validity", "uid"], name="imapcameback_once"
            )
        ]

    def __str__(self) -> str:
        return f"UID {self.uid} of {self.account}"
