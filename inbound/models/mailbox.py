"""The addresses that we answer for, and what holds for mail to each."""

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from inbound.fields import AddressField


class Mailbox(models.Model):
    """An address we answer for. Mail to `address`, or to `local+anything@domain` of it, is ours."""

    class OnClosed(models.TextChoices):
        FOLLOW_UP = "follow-up", "Open a follow-up ticket"
        REOPEN = "reopen", "Reopen the ticket"

    class SenderPolicy(models.TextChoices):
        HOLD = "hold", "Hold it for an agent"
        LOG = "log", "Let it in, and show that it is not proven"

    address = AddressField(unique=True)
    name = models.CharField(
        max_length=100, blank=True, help_text="The name beside the address in mail we send."
    )
    is_active = models.BooleanField(
        default=True, help_text="Off: mail to it is refused as unknown."
    )
    on_closed = models.CharField(
        "reply to a closed ticket",
        max_length=20,
        choices=OnClosed.choices,
        default=OnClosed.FOLLOW_UP,
    )
    plus_addressing = models.BooleanField(
        default=True,
        help_text="Off where the mail system does not deliver local+anything@domain: replies "
        "are then "
        "found by their References alone, and bounces by the mail they quote.",
    )
    spam_header = models.CharField(
        max_length=200,
        blank=True,
        default="X-Spam-Flag: YES",
        help_text="A header that your own spam filter sets. Mail that carries it is quarantined.",
    )
    send_acknowledgement = models.BooleanField(
        default=True, help_text="Tell customers that their mail arrived."
    )
    sender_policy = models.CharField(
        "mail that is not from whom it says",
        max_length=10,
        choices=SenderPolicy.choices,
        default=SenderPolicy.HOLD,
        help_text="What its sender's domain (DMARC), or what usually proves its sender, speaks "
        "against.",
    )
    policy_from = models.DateTimeField(
        "not before",
        null=True,
        blank=True,
        help_text="Until then such mail is let in, and the list of mail shows what would have "
        "been held.",
    )
    authserv_id = models.CharField(
        "mail server before us",
        max_length=255,
        blank=True,
        help_text="Whose Authentication-Results are believed: its name in them (mail.example.com), "
        "or google, microsoft, "
        "mailgun. It must remove such headers of its own name from mail that comes in. Empty: "
        "AUTHSERV_ID; mail "
        "fetched from Google and Microsoft 365 is known by itself.",
    )
    agents_forward = models.BooleanField(
        "agents forward customers' mail",
        default=True,
        help_text="A mail that an agent forwards to this address, and that is proven to be theirs, "
        "opens the ticket in the customer's name.",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name_plural = "mailboxes"
        ordering = ["address"]

    def __str__(self) -> str:
        return str(self.address)

    def clean(self) -> None:
        self.authserv_id = self.authserv_id.strip().lower()
        if self.spam_header and ":" not in self.spam_header:
            raise ValidationError(
                {"spam_header": "Write it as Name: value, for example X-Spam-Flag: YES."}
            )
