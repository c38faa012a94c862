"""How a mailbox presents itself, in which words, by which server its mail leaves, and to whom none
is sent."""

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from helpdesk.checks import alert_url, dkim_key, mail_backend, placeholders
from helpdesk.languages import LANGUAGES
from inbound.fields import AddressField
from inbound.models import Mailbox
from inbound.secrets import SealedField, Unreadable, unsealed


class Identity(models.Model):
    """What mail from a mailbox looks like, and how it is sent. Without one the installation's own
    ways hold."""

    mailbox = models.OneToOneField(Mailbox, on_delete=models.CASCADE, related_name="identity")
    shows_agent = models.BooleanField(
        "show the agent's name",
        default=True,
        help_text="“Ada at Example Support” instead of “Example Support”.",
    )
    signature = models.TextField(
        blank=True,
        help_text="Markdown, below every answer. {{agent}} and {{mailbox}} are filled in.",
    )
    bcc = AddressField(
        blank=True, help_text="An archive that gets a copy of every answer to a customer."
    )
    language = models.CharField(
        max_length=5,
        blank=True,
        choices=LANGUAGES,
        help_text="For customers whose own language is not known.",
    )
    tells_status = models.BooleanField("tell customers when a ticket is resolved", default=True)
    email_url = SealedField(
        "mail server",
        blank=True,
        help_text="Its own way out, written as EMAIL_URL is: smtp+tls://user:password@host, or "
        "anymail://postmark?server_token=… Empty: the installation's.",
    )
    dkim_selector = models.CharField("DKIM selector", max_length=63, blank=True)
    dkim_key = SealedField(
        "DKIM private key", blank=True, help_text="PEM; for those who send without a provider."
    )

    class Meta:
        verbose_name = "identity"
        verbose_name_plural = "identity"

    def __str__(self) -> str:
        return f"identity of {self.mailbox}"

    def clean(self) -> None:
        problems: dict[str, str] = {}
        for field, check in (("email_url", mail_backend.check_url), ("dkim_key", dkim_key.check)):
            try:
                if value := getattr(self, field):
                    check(unsealed(value))
            except (ValueError, Unreadable) as error:
                problems[field] = str(error)
        if bool(self.dkim_selector) != bool(self.dkim_key):
            problems["dkim_selector"] = "DKIM needs both the selector and the private key."
        if problems:
            raise ValidationError(problems)


def identity_of(mailbox: Mailbox) -> Identity:
    """The mailbox's, or the installation's own ways for one that has none: a mailbox knows nothing
    of identities and may be made anywhere. Not to be saved."""
    found: Identity | None = getattr(mailbox, "identity", None)
    return found or Identity(mailbox_id=mailbox.pk)


class MailTemplate(models.Model):
    """A mailbox's own words for one kind of mail, in one language or in all that have none of their
    own."""

    mailbox = models.ForeignKey(Mailbox, on_delete=models.CASCADE, related_name="mail_templates")
    kind = models.CharField(max_length=30)
    language = models.CharField(
        max_length=5, blank=True, choices=LANGUAGES, help_text="Empty: every language."
    )
    subject = models.CharField(max_length=300)
    body = models.TextField(help_text="Markdown.")

    class Meta:
        verbose_name = "mail text"
        constraints = [
            models.UniqueConstraint(
                fields=["mailbox", "kind", "language"],
                name="mailtemplate_once",
                violation_error_message="There is a text of that kind for that mailbox and "
                "language already.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} for {self.mailbox}"

    def clean(self) -> None:
        problems = {}
        for field in ("subject", "body"):
            try:
                placeholders.check(getattr(self, field))
            except ValueError as error:
                problems[field] = str(error)
        if problems:
            raise ValidationError(problems)


SUPPRESSED = "the address takes no mail"  # why a mail to it is not sent


class Suppression(models.Model):
    """An address that takes no mail: no more is sent there until an agent lifts it.

    It follows only from a permanent failure that reached us at our signed return path, or from a
    provider's authenticated event.
    """

    address = AddressField(unique=True)
    reason = models.CharField(max_length=30)
    detail = models.TextField(blank=True)
    mail = models.ForeignKey(
        "helpdesk.OutboundMail", on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = "suppressed address"
        verbose_name_plural = "suppressed addresses"

    def __str__(self) -> str:
        return str(self.address)


class MailServer(models.Model):
    """The mail server of a mailbox, and whether it works just now. Each mailbox has its own row,
    also where they share a server, for a server may refuse one of them.

    After a few faults in a row the circuit is open: mail waits without dialling until `open_until`,
    then one mail tries. A success closes it.
    """

    name = models.CharField(max_length=100, unique=True)
    faults = models.PositiveIntegerField(default=0)
    failing_since = models.DateTimeField(null=True)
    open_until = models.DateTimeField(null=True)
    error = models.TextField(blank=True)
    refused = models.JSONField(
        default=list,
        help_text="The mails that were refused since one was taken: each counts once, however "
        "often.",
    )
    worked_at = models.DateTimeField(
        null=True, help_text="When a mail was taken after faults or refusals."
    )

    def __str__(self) -> str:
        return self.name


class AlertChannel(models.Model):
    """Where alerts for a team or an agent go besides mail: an Apprise URL (SMS, Slack, Teams,
    Telegram…)."""

    team = models.ForeignKey(
        "helpdesk.Team", on_delete=models.CASCADE, null=True, blank=True, related_name="channels"
    )
    person = models.ForeignKey(
        "helpdesk.Person", on_delete=models.CASCADE, null=True, blank=True, related_name="channels"
    )
    name = models.CharField(max_length=100)
    url = SealedField("address", help_text="An Apprise URL, such as slack://… or tgram://…")
    is_active = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(team__isnull=False) ^ models.Q(person__isnull=False),
                name="alertchannel_one_owner",
            )
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        try:
            known = not self.url or alert_url.is_valid(unsealed(self.url))
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
    ticket = models.ForeignKey(
        "helpdesk.Ticket", on_delete=models.CASCADE, null=True, related_name="alerts"
    )
    kind = models.CharField(max_length=30)
    title = models.CharField(max_length=300)
    body = models.TextField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    error = models.TextField(blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(default=timezone.now)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(
                fields=["next_attempt_at"], condition=models.Q(state="queued"), name="alert_due"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} to {self.channel_id}"
