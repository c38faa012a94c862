"""A mailbox at somebody else's, and how far it has been read."""

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from inbound.imap_folders import as_known, is_same_folder
from inbound.models.mailbox import Mailbox
from inbound.secrets import SealedField


class ImapAccount(models.Model):
    """A mailbox at somebody else's, which `imapd` watches."""

    class Security(models.TextChoices):
        TLS = "tls", "TLS"
        STARTTLS = "starttls", "STARTTLS"
        NONE = "", "None (this machine only)"

    class Auth(models.TextChoices):
        PASSWORD = "password", "Password"
        XOAUTH2 = "xoauth2", "OAuth 2 (Google, Microsoft 365)"

    class FirstContact(models.TextChoices):
        RECENT = "recent", "Unread mail, and all of the last day"
        UNREAD = "unread", "Unread mail"
        ALL = "all", "Everything"
        NOTHING = "nothing", "Nothing: only what comes from now on"

    mailbox = models.ForeignKey(Mailbox, on_delete=models.CASCADE, related_name="imap_accounts")
    host = models.CharField(max_length=253)
    port = models.PositiveIntegerField(default=993)
    security = models.CharField(
        max_length=10, choices=Security.choices, default=Security.TLS, blank=True
    )
    username = models.CharField(max_length=254)
    auth = models.CharField(
        "signs in with", max_length=10, choices=Auth.choices, default=Auth.PASSWORD
    )
    secret = SealedField("password or refresh token")
    token_url = models.URLField(
        "token endpoint",
        blank=True,
        help_text="https://oauth2.googleapis.com/token, or Microsoft's "
        "https://login.microsoftonline.com/TENANT/oauth2/v2.0/token",
    )
    client_id = models.CharField(max_length=300, blank=True)
    client_secret = SealedField(blank=True)
    scope = models.CharField(max_length=300, blank=True)
    token_expires_at = models.DateTimeField(
        "refresh token expires",
        null=True,
        blank=True,
        help_text="Health warns a week before. Filled in where the endpoint says it.",
    )
    folder = models.CharField(max_length=200, default="INBOX")
    move_to = models.CharField(
        max_length=200,
        blank=True,
        help_text="A folder for what is stored; empty: it stays, as read.",
    )
    first_contact = models.CharField(
        "take in at first", max_length=10, choices=FirstContact.choices, default=FirstContact.RECENT
    )
    is_active = models.BooleanField("watched", default=True, help_text="Off: paused.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    edited_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = "IMAP account"
        constraints = [
            models.UniqueConstraint(
                fields=["host", "port", "username", "folder"], name="imapaccount_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.username} at {self.host}"

    def clean(self) -> None:
        problems = {}
        if not self.security and self.host not in {"localhost", "127.0.0.1", "::1"}:
            problems["security"] = "Without TLS the password goes over the network in clear text."
        if self.auth == self.Auth.XOAUTH2 and not (self.token_url and self.client_id):
            problems["token_url"] = "OAuth 2 needs the token endpoint and a client id."
        if is_same_folder(self.folder or "INBOX", self.move_to):
            problems["move_to"] = (
                "That is the watched folder itself: what is moved there would come in again."
            )
        others = ImapAccount.objects.exclude(pk=self.pk).filter(
            host__iexact=self.host, port=self.port, username=self.username
        )
        if as_known(self.folder) in {
            as_known(folder) for folder in others.values_list("folder", flat=True)
        }:
            problems["folder"] = "Another account watches that folder."
        if problems:
            raise ValidationError(problems)


class ImapCursor(models.Model):
    """How far a folder of an IMAP account has been read. It moves only after the mail is stored."""

    account = models.CharField(max_length=300, unique=True)
    uid_validity = models.BigIntegerField(default=0)
    last_uid = models.BigIntegerField(default=0)
    first_uid = models.BigIntegerField(
        default=0, help_text="What lies before it was there at first, and passed over."
    )
    first_contact_at = models.DateTimeField(
        null=True, help_text="What is older was the first contact's to take or not."
    )
    contacted_at = models.DateTimeField(null=True)
    moved_uid = models.BigIntegerField(
        default=0, help_text="What is stored up to it needs no moving any more."
    )
    failing_since = models.DateTimeField(null=True, help_text="Since then no contact has got on.")
    is_unfinished = models.BooleanField(
        default=False, help_text="The last contact did not get to its end."
    )
    error = models.TextField(blank=True)
    note = models.TextField(blank=True, help_text="What people should know, and is no trouble.")
    noted_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.account
