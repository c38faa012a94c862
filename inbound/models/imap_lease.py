"""Which of all processes watches an IMAP account."""

from django.db import models


class ImapLease(models.Model):
    """Which process watches an account, and until when if it does not say so again: see
    inbound.transports.imap.leases."""

    account = models.CharField(max_length=300, unique=True)
    token = models.CharField(
        max_length=32, blank=True, help_text="The holder's; empty: it was released."
    )
    host = models.CharField(max_length=253, blank=True)
    pid = models.PositiveIntegerField(null=True)
    since = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(help_text="By the database's clock.")

    def __str__(self) -> str:
        return f"{self.account}, watched by {self.host}, process {self.pid}"
