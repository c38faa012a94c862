"""How a mailbox presents itself, in which words, by which way its mail leaves, and to whom none is sent."""

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from inbound.fields import AddressField
from inbound.models import Mailbox
from inbound.secrets import SealedField, Unreadable, opened

LANGUAGES = [("en", "English"), ("de", "Deutsch"), ("fr", "Français"), ("es", "Español")]


class Identity(models.Model):
    """What mail from a mailbox looks like, and how it is sent. Without one the installation's own ways hold."""

    mailbox = models.OneToOneField(Mailbox, on_delete=models.CASCADE, related_name="identity")
    shows_agent = models.BooleanField(
        "show the agent's name", default=True, help_text="“Ada at Example Support” instead of “Example Support”."
    )
    signature = models.TextField(
        blank=True, help_text="Markdown, below every answer. {{agent}} and {{mailbox}} are filled in."
    )
    bcc = AddressField(blank=True, help_text="An archive that gets a copy of every answer to a customer.")
    language = models.CharField(
        max_length=5, blank=True, choices=LANGUAGES, help_text="For customers whose own language is not known."
    )
    tells_status = models.BooleanField(
        "tell customers when a ticket is resolved", default=True
    )  # fmt: skip
    email_url = SealedField(
        "mail server", blank=True,
        help_text="Its own way out, written as EMAIL_URL is: smtp+tls://user:password@host, or "
        "anymail://postmark?server_token=… Empty: the installation's.",
    )  # fmt: skip
    dkim_selector = models.CharField("DKIM selector", max_length=63, blank=True)
    dkim_key = SealedField("DKIM private key", blank=True, help_text="PEM; for those who send without a provider.")

    class Meta:
        verbose_name = "identity"
        verbose_name_plural = "identity"

    def __str__(self) -> str:
        return f"identity of {self.mailbox}"

    def clean(self) -> None:
        from helpdesk import routes

        problems: dict[str, str] = {}
        for field, check in (("email_url", routes.check_url), ("dkim_key", routes.check_dkim_key)):
            try:
                if value := getattr(self, field):
                    check(opened(value))
            except (ValueError, Unreadable) as error:
                problems[field] = str(error)
        if bool(self.dkim_selector) != bool(self.dkim_key):
            problems["dkim_selector"] = "DKIM needs both the selector and the private key."
        if problems:
            raise ValidationError(problems)


class MailTemplate(models.Model):
    """A mailbox's own words for one kind of mail, in one language or in all that have none of their own."""

    mailbox = models.ForeignKey(Mailbox, on_delete=models.CASCADE, related_name="mail_templates")
    kind = models.CharField(max_length=30)
    language = models.CharField(max_length=5, blank=True, choices=LANGUAGES, help_text="Empty: every language.")
    subject = models.CharField(max_length=300)
    body = models.TextField(help_text="Markdown.")

    class Meta:
        verbose_name = "mail text"
        constraints = [
            models.UniqueConstraint(
                fields=["mailbox", "kind", "language"], name="mailtemplate_once",
                violation_error_message="There is a text of that kind for that mailbox and language already.",
            )
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.kind} for {self.mailbox}"

    def clean(self) -> None:
        from helpdesk import wording

        problems = {}
        for field in ("subject", "body"):
            if unknown := wording.unknown_placeholders(getattr(self, field)):
                known = ", ".join(f"{{{{{name}}}}}" for name in wording.PLACEHOLDERS)
                problems[field] = f"There is no {{{{{unknown[0]}}}}}. There are: {known}."
        if problems:
            raise ValidationError(problems)


class Suppression(models.Model):
    """An address that takes no mail: no more is sent there until an agent lifts it.

    It follows only from a permanent failure that reached us at our signed return path, or from a
    provider's authenticated event.
    """

    address = AddressField(unique=True)
    reason = models.CharField(max_length=30)
    detail = models.TextField(blank=True)
    mail = models.ForeignKey("helpdesk.OutboundMail", on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = "suppressed address"
        verbose_name_plural = "suppressed addresses"

    def __str__(self) -> str:
        return str(self.address)


class Route(models.Model):
    """A way out (the installation's mail server, or a mailbox's own) and whether it works just now.

    After a few faults in a row the circuit is open: mail waits without dialling until `open_until`,
    then one mail tries. A success closes it.
    """

    name = models.CharField(max_length=100, unique=True)
    faults = models.PositiveIntegerField(default=0)
    failing_since = models.DateTimeField(null=True)
    open_until = models.DateTimeField(null=True)
    error = models.TextField(blank=True)

    def __str__(self) -> str:
        return self.name


class AlertChannel(models.Model):
    """Where alerts for a team or an agent go besides mail: an Apprise URL (SMS, Slack, Teams, Telegram…)."""

    team = models.ForeignKey("helpdesk.Team", on_delete=models.CASCADE, null=True, blank=True, related_name="channels")
    person = models.ForeignKey(
        "helpdesk.Person", on_delete=models.CASCADE, null=True, blank=True, related_name="channels"
    )
    name = models.CharField(max_length=100)
    url = SealedField("address", help_text="An Apprise URL, such as slack://… or tgram://…")
    is_active = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(team__isnull=False) ^ models.Q(person__isnull=False), name="alertchannel_one_owner"
            )
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        from helpdesk import alerts

        try:
            known = not self.url or alerts.is_valid(opened(self.url))
        except Unreadable as error:
            raise ValidationError({"url": str(error)}) from None
        if not known:
            raise ValidationError({"url": "Apprise does not know an address of this form."})


class Alert(models.Model):
    """An alert to one channel: the row is the queue, as with mail."""

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        SENT = "sent", "Sent"
        FAILED = "failed", "Failed"

    channel = models.ForeignKey(AlertChannel, on_delete=models.CASCADE, related_name="alerts")
    ticket = models.ForeignKey("helpdesk.Ticket", on_delete=models.CASCADE, null=True, related_name="alerts")
    kind = models.CharField(max_length=30)
    title = models.CharField(max_length=300)
    body = models.TextField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    error = models.TextField(blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(default=timezone.now)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["next_attempt_at"], condition=models.Q(state="queued"), name="alert_due")]

    def __str__(self) -> str:
        return f"{self.kind} to {self.channel_id}"
