"""What arrived: the addresses we answer for, every mail accepted for them, and its bytes."""

import zlib

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from inbound.fields import AddressField
from inbound.secrets import SealedField


class Mailbox(models.Model):
    """An address we answer for. Mail to `address`, or to `local+anything@domain` of it, is ours."""

    class OnClosed(models.TextChoices):
        FOLLOW_UP = "follow-up", "Open a follow-up ticket"
        REOPEN = "reopen", "Reopen the ticket"

    class SenderPolicy(models.TextChoices):
        HOLD = "hold", "Hold it for an agent"
        LOG = "log", "Let it in, and show that it is not proven"

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
    sender_policy = models.CharField(
        "mail that is not from whom it says", max_length=10, choices=SenderPolicy.choices, default=SenderPolicy.HOLD,
        help_text="What its sender's domain (DMARC), or what usually proves its sender, speaks against.",
    )  # fmt: skip
    policy_from = models.DateTimeField(
        "not before", null=True, blank=True,
        help_text="Until then such mail is let in, and the list of mail shows what would have been held.",
    )  # fmt: skip
    authserv_id = models.CharField(
        "mail server before us",
        max_length=255,
        blank=True,
        help_text="Whose Authentication-Results are believed: its name in them (mail.example.com), or google, microsoft, "
        "mailgun. It must remove such headers of its own name from mail that comes in. Empty: AUTHSERV_ID; mail "
        "fetched from Google and Microsoft 365 is known by itself.",
    )
    agents_forward = models.BooleanField(
        "agents forward customers' mail",
        default=True,
        help_text="A mail that an agent forwards to this address, and that is proven to be theirs, opens the ticket in the customer's name.",
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
            raise ValidationError({"spam_header": "Write it as Name: value, for example X-Spam-Flag: YES."})


class RawMail(models.Model):
    """The bytes, exactly as received but for a code or a link of ours that came back (see inbound.returned); in a table
    of their own, so that no update rewrites them."""

    data = models.BinaryField()
    is_compressed = models.BooleanField(default=False, help_text="Done a while after it arrived: see housekeeping.")

    class Meta:
        indexes = [models.Index(fields=["id"], condition=models.Q(is_compressed=False), name="rawmail_plain")]

    @property
    def content(self) -> bytes:
        """The bytes as they are kept."""
        return zlib.decompress(self.data) if self.is_compressed else bytes(self.data)

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

    class Look(models.TextChoices):
        """Why a person should look at it: the groups of “To look at”."""

        UNPLACED = "unplaced", "Unplaced"
        FAILED = "failed", "Failed"
        AUTOMATIC = "automatic", "Automatic replies"
        SPAM = "spam", "Spam"
        BLOCKED = "blocked", "Blocked senders"
        BACKSCATTER = "backscatter", "Reports about mail that is not ours"

    mailbox = models.ForeignKey(Mailbox, on_delete=models.PROTECT, related_name="mails")
    raw = models.ForeignKey(RawMail, on_delete=models.SET_NULL, null=True, related_name="mails", db_index=True)
    transport = models.CharField(max_length=20)
    transport_key = models.CharField(
        max_length=300, null=True, unique=True, help_text="The transport's own key: a re-fetch is not an arrival."
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
    client = models.CharField(max_length=100, blank=True, help_text="Who handed it over: address and HELO name.")
    results = models.JSONField(null=True, help_text="What a provider that handed it over says it found out.")
    proof = models.JSONField(null=True, help_text="Whether it is from whom it says, as it was seen when it came.")
    would_hold = models.CharField(
        max_length=200, null=True, help_text="Why the mailbox's policy will hold such mail, while it only looks on."
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
    faults = models.PositiveSmallIntegerField(default=0, help_text="Attempts that failed for a fault of ours.")
    next_attempt_at = models.DateTimeField(default=timezone.now)
    is_slow = models.BooleanField(default=False, help_text="It outlasted its reader: it is read apart from the others.")
    to_look_at = models.CharField(
        max_length=12, choices=Look.choices, null=True, blank=True,
        help_text="Where it lies in “To look at”; none: nowhere, or somebody has looked.",
    )  # fmt: skip
    looked_at = models.DateTimeField(null=True, blank=True, help_text="When somebody dismissed it.")
    looked_by = models.CharField(max_length=200, blank=True)
    waiting_for = models.CharField(max_length=500, blank=True, help_text="The Message-ID of a stored parent.")
    finished_at = models.DateTimeField(null=True, blank=True)
    force = models.BooleanField(default=False, help_text="Released from quarantine by a person.")
    withheld = models.BigIntegerField(
        null=True, blank=True, help_text="The outgoing mail whose code or link came back with it, and was not kept."
    )
    is_history = models.BooleanField(default=False, help_text="From an old archive: its own date, and nothing is sent.")

    class Meta:
        verbose_name = "mail"
        verbose_name_plural = "mail"
        indexes = [
            models.Index(fields=["next_attempt_at"], condition=models.Q(state="received"), name="inbound_mail_due"),
            models.Index(fields=["waiting_for"], condition=~models.Q(waiting_for=""), name="inbound_mail_waiting"),
            models.Index(fields=["message_id"], name="inbound_mail_message_id"),
            models.Index(fields=["state", "-id"], name="inbound_mail_state"),
            models.Index(fields=["mailbox", "-id"], name="inbound_mail_mailbox"),
            models.Index(fields=["mailbox", "received_at"], name="inbound_mail_ledger"),
            models.Index(fields=["-id"], condition=models.Q(looked_at__isnull=False), name="inbound_mail_looked_at"),
            models.Index(fields=["-id"], condition=models.Q(would_hold__isnull=False), name="inbound_mail_would_hold"),
            models.Index(
                fields=["to_look_at", "-id"],
                condition=models.Q(to_look_at__isnull=False),
                name="inbound_mail_to_look_at",
            ),
        ]

    def __str__(self) -> str:
        return f"mail {self.pk}"


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
    security = models.CharField(max_length=10, choices=Security.choices, default=Security.TLS, blank=True)
    username = models.CharField(max_length=254)
    auth = models.CharField("signs in with", max_length=10, choices=Auth.choices, default=Auth.PASSWORD)
    secret = SealedField("password or refresh token")
    token_url = models.URLField(
        "token endpoint", blank=True, help_text="https://oauth2.googleapis.com/token, or Microsoft's "
        "https://login.microsoftonline.com/TENANT/oauth2/v2.0/token",
    )  # fmt: skip
    client_id = models.CharField(max_length=300, blank=True)
    client_secret = SealedField(blank=True)
    scope = models.CharField(max_length=300, blank=True)
    token_expires_at = models.DateTimeField(
        "refresh token expires", null=True, blank=True, help_text="Health warns a week before. Filled in where the endpoint says it."
    )  # fmt: skip
    folder = models.CharField(max_length=200, default="INBOX")
    move_to = models.CharField(
        max_length=200, blank=True, help_text="A folder for what is stored; empty: it stays, as read."
    )
    first_contact = models.CharField(
        "take in at first", max_length=10, choices=FirstContact.choices, default=FirstContact.RECENT
    )
    is_active = models.BooleanField("watched", default=True, help_text="Off: paused.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    edited_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = "IMAP account"
        constraints = [models.UniqueConstraint(fields=["host", "port", "username", "folder"], name="imapaccount_once")]

    def __str__(self) -> str:
        return f"{self.username} at {self.host}"

    def clean(self) -> None:
        problems = {}
        if not self.security and self.host not in {"localhost", "127.0.0.1", "::1"}:
            problems["security"] = "Without TLS the password goes over the network in clear text."
        if self.auth == self.Auth.XOAUTH2 and not (self.token_url and self.client_id):
            problems["token_url"] = "OAuth 2 needs the token endpoint and a client id."
        if problems:
            raise ValidationError(problems)


class ImapCursor(models.Model):
    """How far a folder of an IMAP account has been read. It moves only after the mail is stored."""

    account = models.CharField(max_length=300, unique=True)
    uid_validity = models.BigIntegerField(default=0)
    last_uid = models.BigIntegerField(default=0)
    first_uid = models.BigIntegerField(default=0, help_text="What lies before it was there at first, and passed over.")
    first_contact_at = models.DateTimeField(
        null=True, help_text="What is older was the first contact's to take or not."
    )
    contacted_at = models.DateTimeField(null=True)
    is_unfinished = models.BooleanField(default=False, help_text="The last contact did not get to its end.")
    error = models.TextField(blank=True)
    note = models.TextField(blank=True, help_text="What people should know, and is no trouble.")
    noted_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.account


class ImapPassedOver(models.Model):
    """A message that an account could not take in for the message's own sake; it lies on the server as it did."""

    account = models.CharField(max_length=300)
    uid_validity = models.BigIntegerField()
    uid = models.BigIntegerField()
    subject = models.CharField(max_length=300, blank=True)
    reason = models.TextField()
    attempts = models.PositiveSmallIntegerField(default=0)
    is_final = models.BooleanField(default=False, help_text="It is not tried again.")
    was_read = models.BooleanField(null=True, help_text="Whether it was marked as read when it was named.")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "uid_validity", "uid"], name="imappassedover_once")]

    def __str__(self) -> str:
        return f"UID {self.uid} of {self.account}"
