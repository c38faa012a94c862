"""The ticket, and the Message-IDs by which later mail finds it."""

from typing import Any

from django.db import models
from django.urls import reverse
from django.utils import timezone

from inbound.models import Mailbox


class Ticket(models.Model):
    """One matter of one customer. Its number is its primary key."""

    class Status(models.TextChoices):
        OPEN = "open", "Open"
        ASSIGNED = "assigned", "Assigned"
        PENDING = "pending", "Pending"
        RESOLVED = "resolved", "Resolved"
        CLOSED = "closed", "Closed"

    class Priority(models.IntegerChoices):
        LOW = 1, "Low"
        NORMAL = 2, "Normal"
        HIGH = 3, "High"
        URGENT = 4, "Urgent"

    subject = models.CharField(max_length=500)
    requester = models.ForeignKey(
        "helpdesk.Person", on_delete=models.PROTECT, related_name="requested"
    )
    mailbox = models.ForeignKey(Mailbox, on_delete=models.PROTECT, related_name="tickets")
    team = models.ForeignKey("helpdesk.Team", on_delete=models.SET_NULL, null=True, blank=True)
    category = models.ForeignKey(
        "helpdesk.Category", on_delete=models.SET_NULL, null=True, blank=True
    )
    assignee = models.ForeignKey(
        "helpdesk.Person", on_delete=models.SET_NULL, null=True, blank=True, related_name="assigned"
    )
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OPEN)
    priority = models.PositiveSmallIntegerField(choices=Priority.choices, default=Priority.NORMAL)
    # A column that an index can begin with: no database uses one for a list of statuses and an
    # order.
    is_unsolved = models.GeneratedField(
        expression=models.Case(
            models.When(status__in=["open", "assigned", "pending"], then=models.Value(True)),
            default=models.Value(False),
        ),
        output_field=models.BooleanField(),
        db_persist=True,
    )
    sla_policy = models.ForeignKey(
        "helpdesk.SLAPolicy", on_delete=models.SET_NULL, null=True, blank=True
    )
    first_response_due = models.DateTimeField(null=True, blank=True)
    next_response_due = models.DateTimeField(null=True, blank=True)
    resolution_due = models.DateTimeField(null=True, blank=True)
    sla_due_at = models.DateTimeField(
        null=True, blank=True, help_text="The next of the due times that still run."
    )
    sla_check_at = models.DateTimeField(
        null=True, blank=True, help_text="When the next alert is due."
    )
    is_breached = models.BooleanField(default=False, help_text="A target was missed.")
    first_responded_at = models.DateTimeField(null=True, blank=True)
    custom = models.JSONField("custom fields", default=dict, blank=True)
    # Null for all but a guest's: adding a column with a default would rewrite the table.
    guest_name = models.CharField(
        max_length=200,
        null=True,
        blank=True,
        help_text="What a guest typed as their name, until they have shown that the address they "
        "typed is theirs.",
    )
    is_spam = models.BooleanField(default=False)
    follows = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="followed_by",
        help_text="The closed ticket that this one continues.",
    )
    version = models.PositiveIntegerField(
        default=1, help_text="Counts changes of fields; comments don't bump it."
    )
    created_at = models.DateTimeField(default=timezone.now)
    activity_at = models.DateTimeField(
        default=timezone.now, help_text="The last comment or change."
    )
    customer_waits_since = models.DateTimeField(
        null=True, blank=True, help_text="When the oldest unanswered customer's comment came."
    )
    resolved_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    as_saved: list[Any]  # its fields as helpdesk.actions saw them last

    class Meta:
        indexes = [
            models.Index(fields=["-activity_at", "-id"], name="ticket_activity"),
            models.Index(fields=["is_unsolved", "-activity_at", "-id"], name="ticket_unsolved"),
            models.Index(fields=["status", "-activity_at", "-id"], name="ticket_status"),
            models.Index(fields=["assignee", "-activity_at", "-id"], name="ticket_assignee"),
            models.Index(
                fields=["assignee", "is_unsolved", "-activity_at", "-id"],
                name="ticket_assignee_unsolved",
            ),
            models.Index(fields=["requester", "-activity_at", "-id"], name="ticket_requester"),
            models.Index(fields=["team", "-activity_at", "-id"], name="ticket_team"),
            models.Index(fields=["priority", "-activity_at", "-id"], name="ticket_priority"),
            models.Index(fields=["-created_at", "-id"], name="ticket_created"),
            models.Index(
                fields=["-activity_at", "-id"],
                condition=models.Q(is_breached=True, is_unsolved=True),
                name="ticket_missed",
            ),
            models.Index(fields=["category", "-activity_at", "-id"], name="ticket_category"),
            models.Index(
                fields=["sla_check_at"],
                condition=models.Q(sla_check_at__isnull=False),
                name="ticket_sla_check",
            ),
            models.Index(
                fields=["sla_due_at", "id"],
                condition=models.Q(status="open"),
                name="ticket_urgent_open",
            ),
            models.Index(
                fields=["-priority", "id"],
                condition=models.Q(status="open"),
                name="ticket_first_open",
            ),
            models.Index(
                fields=["assignee"],
                condition=models.Q(status__in=["assigned", "pending"]),
                name="ticket_active_load",
            ),
            models.Index(
                fields=["-activity_at", "-id"],
                condition=models.Q(is_spam=True),
                name="ticket_is_spam",
            ),
            models.Index(fields=["sla_due_at", "-id"], name="ticket_due"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.subject}"

    def get_absolute_url(self) -> str:
        return reverse("admin:ticket", args=[self.pk])

    @property
    def address_verified(self) -> bool:
        """False where anybody may have typed the requester's address into the form, with the words
        of their choice."""
        return self.guest_name is None


class MessageRef(models.Model):
    """A Message-ID that belongs to a ticket: we sent it, received it, or saw it referenced.

    The first two locate a ticket for anybody's mail; an id that was only referenced may be a
    common ancestor of many tickets (a newsletter that a hundred customers answer).
    """

    class Kind(models.TextChoices):
        SENT = "sent"
        RECEIVED = "received"
        REFERENCED = "referenced"

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="message_refs")
    message_id = models.CharField(max_length=500)
    kind = models.CharField(max_length=10, choices=Kind.choices)

    class Meta:
        indexes = [models.Index(fields=["message_id", "ticket"], name="messageref_id")]

    def __str__(self) -> str:
        return self.message_id
