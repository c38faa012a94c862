"""What we send: a row first, with its final Message-ID, and what became of it."""

from typing import Any

from django.db import models
from django.utils import timezone

from helpdesk.models.ticket import Ticket
from inbound.fields import AddressField
from inbound.models import Mailbox


class OutboundMail(models.Model):
    """One mail to one person: the row is the queue, and its state is that recipient's.

    A `queued` row is work to do once `next_attempt_at` has passed. Delivery is at least once; the
    Message-ID is fixed here, so that a repeat collapses at the reader.
    """

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        SENT = "sent", "Sent"
        FAILED = "failed", "Failed"
        SUPPRESSED = "suppressed", "Not sent"
        CANCELLED = "cancelled", "Cancelled"
        BOUNCED = "bounced", "Bounced"

    kind = models.CharField(max_length=30)
    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, null=True, related_name="outbound")
    comment = models.ForeignKey(
        "helpdesk.Comment", on_delete=models.CASCADE, null=True, related_name="outbound"
    )
    person = models.ForeignKey(
        "helpdesk.Person",
        on_delete=models.CASCADE,
        null=True,
        related_name="outbound",
        help_text="Empty: an address that is nobody's (yet), or an archive.",
    )
    about = models.JSONField(
        default=list,
        help_text="The numbers of the tickets that it tells of, where they are several.",
    )
    mailbox = models.ForeignKey(Mailbox, on_delete=models.PROTECT, related_name="outbound")
    to_address = AddressField()
    to_name = models.CharField(max_length=200, blank=True)
    from_name = models.CharField(max_length=200, blank=True)
    subject = models.CharField(max_length=600)
    text = models.TextField()
    html = models.TextField(blank=True)
    message_id = models.CharField(max_length=255, unique=True)
    in_reply_to = models.CharField(max_length=500, blank=True)
    references = models.TextField(blank=True)
    is_automatic = models.BooleanField(
        help_text="Carries Auto-Submitted; counts towards the cap per address."
    )
    null_return_path = models.BooleanField(default=False)
    is_secret = models.BooleanField(
        default=False, help_text="Holds a code or a link that signs in."
    )
    sealed = models.TextField(
        blank=True, help_text="A secret mail's words, encrypted until it is sent."
    )
    expires_at = models.DateTimeField(null=True, help_text="After that it is not sent any more.")

    state = models.CharField(max_length=12, choices=State.choices, default=State.QUEUED)
    reason = models.CharField(max_length=50, blank=True)
    error = models.TextField(blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(
        default=timezone.now, help_text="When it was first due; later attempts do not move it."
    )
    refused_at = models.DateTimeField(
        null=True, help_text="When the server had something against it last."
    )
    refusals = models.PositiveSmallIntegerField(
        default=0,
        help_text="How often it was refused although another was taken since the time before.",
    )
    deaths = models.PositiveSmallIntegerField(
        default=0, help_text="Attempts that took their worker with them."
    )
    held_by = models.CharField(
        max_length=120, blank=True, help_text="The worker that is sending it just now."
    )
    created_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True, blank=True)
    bounced_at = models.DateTimeField(null=True, blank=True)
    opened_at = models.DateTimeField(null=True, blank=True)
    provider_message_id = models.CharField(max_length=255, blank=True, db_index=True)

    class Meta:
        verbose_name = "outgoing mail"
        verbose_name_plural = "outgoing mail"
        indexes = [
            # The state once more, or SQLite would rather take the index of all states, and sort.
            models.Index(
                fields=["state", "next_attempt_at"],
                condition=models.Q(state="queued"),
                name="outbound_due",
            ),
            models.Index(
                fields=["due_at"], condition=models.Q(state="queued"), name="outbound_waiting"
            ),
            models.Index(
                fields=["to_address", "created_at"],
                condition=models.Q(is_automatic=True),
                name="outbound_cap",
            ),
            models.Index(fields=["to_address", "-id"], name="outbound_to"),
            models.Index(fields=["state", "-id"], name="outbound_state"),
            models.Index(
                fields=["expires_at"], condition=models.Q(is_secret=True), name="outbound_secret"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} to {self.to_address}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self._state.adding:
            self.due_at = self.next_attempt_at
        super().save(*args, **kwargs)

    @property
    def is_delayed(self) -> bool:
        """It was tried, or its mail server is known to fail; it will be tried again."""
        return self.state == self.State.QUEUED and bool(self.error or self.reason)

    @property
    def server(self) -> str:
        """The name of its MailServer."""
        return str(self.mailbox.address)


class BlockedSender(models.Model):
    """An address, or a whole domain written `@example.com`, whose mail is quarantined."""

    pattern = models.CharField(max_length=255, unique=True)
    note = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    def __str__(self) -> str:
        return self.pattern

    def save(self, *args: object, **kwargs: object) -> None:
        self.pattern = self.pattern.strip().lower()
        super().save(*args, **kwargs)  # type: ignore[arg-type]
