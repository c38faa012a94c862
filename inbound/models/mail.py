"""Every mail that was accepted for a mailbox."""

from django.db import models
from django.utils import timezone

from inbound.models.mailbox import Mailbox
from inbound.models.raw_mail import RawMail


class InboundMail(models.Model):
    """One arrival at one mailbox, its state, and why it ended where it did.

    A `received` row is work to do once `next_attempt_at` has passed; there is no state
    "processing". Only `inbound.store` creates rows; only `helpdesk.intake` and the task's boundary
    end them.
    """

    class State(models.TextChoices):
        RECEIVED = "received", "Waiting"
        DONE = "done", "Done"
        IGNORED = "ignored", "Ignored"
        QUARANTINED = "quarantined", "Quarantined"
        FAILED = "failed", "Failed"

    class Look(models.TextChoices):
        """Why a person should look at it: the groups of “To look at”."""

        UNPLACED = "unplaced", "Unplaced"
        FAILED = "failed", "Failed"
        AUTOMATIC = "automatic", "Automatic replies"
        SPAM = "spam", "Spam"
        BLOCKED = "blocked", "Blocked senders"
        BACKSCATTER = "backscatter", "Reports about mail that is not ours"

    mailbox = models.ForeignKey(Mailbox, on_delete=models.PROTECT, related_name="mails")
    raw = models.ForeignKey(
        RawMail, on_delete=models.SET_NULL, null=True, related_name="mails", db_index=True
    )
    transport = models.CharField(max_length=20)
    transport_key = models.CharField(
        max_length=300,
        null=True,
        unique=True,
        help_text="The transport's own key: a re-fetch is not an arrival.",
    )
    received_at = models.DateTimeField(default=timezone.now, db_index=True)
    mail_from = models.CharField(
        "envelope sender",
        max_length=400,
        blank=True,
        null=True,
        help_text="Empty: the null sender; none: nobody told us.",
    )
    rcpt_to = models.JSONField("envelope recipients", default=list)
    client = models.CharField(
        max_length=100, blank=True, help_text="Who handed it over: address and HELO name."
    )
    results = models.JSONField(
        null=True, help_text="What a provider that handed it over says it found out."
    )
    proof = models.JSONField(
        null=True, help_text="Whether it is from whom it says, as it was seen when it came."
    )
    would_hold = models.CharField(
        max_length=200,
        null=True,
        help_text="Why the mailbox's policy will hold such mail, while it only looks on.",
    )
    size = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64, db_index=True)
    body_sha256 = models.CharField(max_length=64)
    message_id = models.CharField(max_length=500, blank=True)
    from_address = models.CharField(max_length=400, blank=True)
    subject = models.CharField(max_length=500, blank=True)

    state = models.CharField(max_length=12, choices=State.choices, default=State.RECEIVED)
    reason = models.CharField(max_length=50, blank=True)
    evidence = models.JSONField(default=dict, blank=True)
    ticket_number = models.BigIntegerField(null=True, blank=True, db_index=True)
    error = models.TextField(blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    faults = models.PositiveSmallIntegerField(
        default=0, help_text="Attempts that failed for a fault of ours."
    )
    next_attempt_at = models.DateTimeField(default=timezone.now)
    is_slow = models.BooleanField(
        default=False, help_text="It outlasted its reader: it is read apart from the others."
    )
    to_look_at = models.CharField(
        max_length=12,
        choices=Look.choices,
        null=True,
        blank=True,
        help_text="Where it lies in “To look at”; none: nowhere, or somebody has looked.",
    )
    looked_at = models.DateTimeField(null=True, blank=True, help_text="When somebody dismissed it.")
    looked_by = models.CharField(max_length=200, blank=True)
    waiting_for = models.CharField(
        max_length=500, blank=True, help_text="The Message-ID of a stored parent."
    )
    finished_at = models.DateTimeField(null=True, blank=True)
    force = models.BooleanField(default=False, help_text="Released from quarantine by a person.")
    withheld = models.BigIntegerField(
        null=True,
        blank=True,
        help_text="The outgoing mail whose code or link came back with it, and was not kept.",
    )
    is_history = models.BooleanField(
        default=False, help_text="From an old archive: its own date, and nothing is sent."
    )

    class Meta:
        verbose_name = "mail"
        verbose_name_plural = "mail"
        indexes = [
            # The state once more, or SQLite would rather take the index of all states, and sort.
            models.Index(
                fields=["state", "next_attempt_at"],
                condition=models.Q(state="received"),
                name="inbound_mail_due",
            ),
            models.Index(
                fields=["waiting_for"],
                condition=~models.Q(waiting_for=""),
                name="inbound_mail_waiting",
            ),
            models.Index(fields=["message_id"], name="inbound_mail_message_id"),
            models.Index(fields=["state", "-id"], name="inbound_mail_state"),
            models.Index(fields=["mailbox", "-id"], name="inbound_mail_mailbox"),
            models.Index(fields=["from_address", "-id"], name="inbound_mail_from"),
            # The ledger reads nothing else, and of a day nothing but the index.
            models.Index(
                fields=["received_at", "mailbox", "state", "reason", "to_look_at"],
                name="inbound_mail_books",
            ),
            models.Index(
                fields=["-id"],
                condition=models.Q(looked_at__isnull=False),
                name="inbound_mail_looked_at",
            ),
            models.Index(
                fields=["-id"],
                condition=models.Q(would_hold__isnull=False),
                name="inbound_mail_would_hold",
            ),
            models.Index(
                fields=["to_look_at", "-id"],
                condition=models.Q(to_look_at__isnull=False),
                name="inbound_mail_to_look_at",
            ),
        ]

    def __str__(self) -> str:
        return f"mail {self.pk}"
