"""What was said on a ticket, and what came with it."""

from django.db import models
from django.utils import timezone

from helpdesk.models.person import STAFF_ROLES
from helpdesk.models.ticket import Ticket
from inbound.models import InboundMail


class Comment(models.Model):
    """A message on a ticket. Customers see only `public`; `held` waits for an agent's decision."""

    class Visibility(models.TextChoices):
        PUBLIC = "public", "Public"
        INTERNAL = "internal", "Internal note"
        HELD = "held", "Held"

    class Via(models.TextChoices):
        EMAIL = "email", "E-mail"
        PORTAL = "portal", "Portal"
        STAFF = "staff", "Staff site"
        API = "api", "API"

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="comments")
    author = models.ForeignKey(
        "helpdesk.Person", on_delete=models.PROTECT, related_name="comments", null=True
    )
    mail = models.OneToOneField(
        InboundMail, on_delete=models.SET_NULL, null=True, related_name="comment"
    )
    visibility = models.CharField(
        max_length=10, choices=Visibility.choices, default=Visibility.PUBLIC
    )
    via = models.CharField(max_length=10, choices=Via.choices)
    text = models.TextField(help_text="What is new, without the quoted history.")
    html = models.TextField(
        blank=True, help_text="The same, sanitised; empty where the mail was plain text."
    )
    quoted_text = models.TextField(blank=True)
    quoted_html = models.TextField(blank=True)
    is_automatic = models.BooleanField(
        default=False, help_text="An auto-reply: it reopens and notifies nobody."
    )
    times = models.PositiveIntegerField(default=1, help_text="How often the same mail came.")
    last_came_at = models.DateTimeField(
        null=True, help_text="When it came last, where it came again."
    )
    shown_to = models.JSONField(
        default=list, help_text="[name, address] of who gets an answer, as To and Cc show them."
    )
    asks_to_add = models.JSONField(
        default=list,
        help_text="[name, address] of those in To and Cc whom nobody has let take part: they were "
        "too many.",
    )
    held_reason = models.CharField(max_length=100, blank=True)
    edited_at = models.DateTimeField(null=True, blank=True)
    rejected_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["created_at", "id"]
        indexes = [
            models.Index(fields=["ticket", "created_at", "id"], name="comment_order"),
            models.Index(
                fields=["visibility", "ticket"],
                name="comment_held",
                condition=models.Q(visibility="held", rejected_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"comment {self.pk}"

    @property
    def is_ours(self) -> bool:
        """An agent's; one without an author is the mailbox's, from an archive that names nobody."""
        return self.author is None or self.author.role in STAFF_ROLES

    @property
    def who(self) -> str:
        return str(self.author or self.ticket.mailbox.name or self.ticket.mailbox.address)


class Attachment(models.Model):
    """A file of a comment. Downloads go through helpdesk.access, never through a public path."""

    class Scan(models.TextChoices):
        WAITING = "waiting", "Not scanned yet"
        CLEAN = "clean", "Nothing found"
        INFECTED = "infected", "Kept out"
        FAILED = "failed", "Could not be scanned"

    comment = models.ForeignKey(Comment, on_delete=models.CASCADE, related_name="attachments")
    file = models.FileField(max_length=400)
    name = models.CharField(max_length=255)
    content_type = models.CharField(max_length=100)
    size = models.PositiveIntegerField()
    content_id = models.CharField(max_length=255, blank=True)
    is_inline = models.BooleanField(default=False)
    scan = models.CharField(
        max_length=10,
        choices=Scan.choices,
        null=True,
        help_text="None: there was no virus scanner when it came.",
    )
    scan_due_at = models.DateTimeField(
        null=True, help_text="When it is to be scanned, while it waits for that."
    )
    signature = models.CharField(
        max_length=200, null=True, help_text="What the virus scanner found in it."
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(
                fields=["scan_due_at"],
                condition=models.Q(scan="waiting"),
                name="attachment_to_scan",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_kept_out(self) -> bool:
        """Its file is deleted: there was a virus in it."""
        return self.scan == self.Scan.INFECTED

    @property
    def is_unscanned(self) -> bool:
        """Nobody knows what is in it: whoever opens it is warned."""
        return self.scan in (self.Scan.WAITING, self.Scan.FAILED)
