"""What arrived: the addresses we answer for, every mail accepted for them, and its bytes."""

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from inbound.fields import AddressField


class Mailbox(models.Model):
    """An address we answer for. Mail to `address`, or to `local+anything@domain` of it, is ours."""

    class OnClosed(models.TextChoices):
        FOLLOW_UP = "follow-up", "Open a follow-up ticket"
        REOPEN = "reopen", "Reopen the ticket"

    address = AddressField(unique=True)
    name = models.CharField(max_length=100, blank=True, help_text="The name beside the address in mail we send.")
    is_active = models.BooleanField(default=True, help_text="Off: mail to it is refused as unknown.")
    on_closed = models.CharField(
        "reply to a closed ticket", max_length=20, choices=OnClosed.choices, default=OnClosed.FOLLOW_UP
    )
    plus_addressing = models.BooleanField(
        default=True,
        help_text="Off where the mail system does not deliver local+anything@domain: replies are then "
        "found by their References alone, and bounces by the mail they quote.",
    )
    spam_header = models.CharField(
        max_length=200,
        blank=True,
        default="X-Spam-Flag: YES",
        help_text="A header that your own spam filter sets. Mail that carries it is quarantined.",
    )
    send_acknowledgement = models.BooleanField(default=True, help_text="Tell customers that their mail arrived.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name_plural = "mailboxes"
        ordering = ["address"]

    def __str__(self) -> str:
        return str(self.address)

    def clean(self) -> None:
        if self.spam_header and ":" not in self.spam_header:
            raise ValidationError({"spam_header": "Write it as Name: value, for example X-Spam-Flag: YES."})


class RawMail(models.Model):
    """The bytes, exactly as received; in a table of their own, so that no update rewrites them."""

    data = models.BinaryField()

    def __str__(self) -> str:
        return f"raw mail {self.pk}"


class InboundMail(models.Model):
    """One arrival at one mailbox, its state, and why it ended where it did.

    A `received` row is work to do once `next_attempt_at` has passed; there is no state "processing".
    Only `inbound.store` creates rows; only `helpdesk.intake` and the task's boundary end them.
    """

    class State(models.TextChoices):
        RECEIVED = "received", "Waiting"
        DONE = "done", "Done"
        IGNORED = "ignored", "Ignored"
        QUARANTINED = "quarantined", "Quarantined"
        FAILED = "failed", "Failed"

    mailbox = models.ForeignKey(Mailbox, on_delete=models.PROTECT, related_name="mails")
    raw = models.ForeignKey(RawMail, on_delete=models.SET_NULL, null=True, related_name="mails", db_index=True)
    transport = models.CharField(max_length=20)
    transport_key = models.CharField(
        max_length=300, null=True, unique=True, help_text="The transport's own key: a re-fetch is not an arrival."
    )
    received_at = models.DateTimeField(default=timezone.now, db_index=True)
    mail_from = models.CharField("envelope sender", max_length=400, blank=True, help_text="Empty: the null sender.")
    rcpt_to = models.JSONField("envelope recipients", default=list)
    client = models.CharField(max_length=100, blank=True, help_text="Who handed it over: address and HELO name.")
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
    next_attempt_at = models.DateTimeField(default=timezone.now)
    waiting_for = models.CharField(max_length=500, blank=True, help_text="The Message-ID of a stored parent.")
    finished_at = models.DateTimeField(null=True, blank=True)
    force = models.BooleanField(default=False, help_text="Released from quarantine by a person.")

    class Meta:
        verbose_name = "mail"
        verbose_name_plural = "mail"
        indexes = [
            models.Index(fields=["next_attempt_at"], condition=models.Q(state="received"), name="inbound_mail_due"),
            models.Index(fields=["waiting_for"], condition=models.Q(state="received"), name="inbound_mail_waiting"),
            models.Index(fields=["message_id"], name="inbound_mail_message_id"),
            models.Index(fields=["state", "-id"], name="inbound_mail_state"),
            models.Index(fields=["mailbox", "-id"], name="inbound_mail_mailbox"),
        ]

    def __str__(self) -> str:
        return f"mail {self.pk}"


class ImapCursor(models.Model):
    """How far a folder of an IMAP account has been read. It moves only after the mail is stored."""

    account = models.CharField(max_length=300, unique=True)
    uid_validity = models.BigIntegerField(default=0)
    last_uid = models.BigIntegerField(default=0)
    contacted_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True)

    def __str__(self) -> str:
        return self.account
