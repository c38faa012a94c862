"""By when: business calendars, policies and their steps, and the clocks that run on a ticket."""

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from helpdesk.checks import opening_hours
from helpdesk.models.ticket import Ticket


class BusinessCalendar(models.Model):
    """When somebody is there: weekly hours in a time zone, without public holidays and own
    closures."""

    name = models.CharField(max_length=100, unique=True)
    zone = models.CharField(
        "time zone", max_length=60, default="UTC", help_text="Such as Europe/Berlin."
    )
    weekly = models.TextField(
        "weekly hours",
        default="mon-fri 09:00-17:00",
        help_text="“mon-fri 09:00-12:00, 13:00-17:30; sat 10:00-14:00”. “fri 22:00-06:00” crosses "
        "midnight. "
        "“always” is around the clock.",
    )
    country = models.CharField(
        "public holidays of",
        max_length=5,
        blank=True,
        help_text="A country's two letters, such as DE; empty: none.",
    )
    subdivision = models.CharField(
        max_length=10, blank=True, help_text="A state or region of it, such as BY."
    )
    closures = models.TextField(
        blank=True, help_text="Own closed days, one a line: 2026-12-24 Christmas Eve"
    )

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        zone, weekly, closures = self.zone, self.weekly, self.closures
        if problems := opening_hours.problems(
            zone, weekly, closures, self.country, self.subdivision
        ):
            raise ValidationError(problems)


class SLAPolicy(models.Model):
    """Within how much open time a ticket is to be answered and solved. The first policy that fits
    holds.

    Targets are in minutes of the calendar's open time; an empty one is none. A condition that is
    empty fits every ticket.
    """

    name = models.CharField(max_length=100, unique=True)
    position = models.PositiveSmallIntegerField(
        default=100, help_text="The lowest one that fits holds."
    )
    is_active = models.BooleanField(default=True)
    calendar = models.ForeignKey(
        BusinessCalendar, on_delete=models.PROTECT, related_name="policies"
    )
    team = models.ForeignKey("helpdesk.Team", on_delete=models.CASCADE, null=True, blank=True)
    category = models.ForeignKey(
        "helpdesk.Category", on_delete=models.CASCADE, null=True, blank=True
    )
    priority = models.PositiveSmallIntegerField(
        choices=Ticket.Priority.choices, null=True, blank=True
    )
    customer = models.CharField(
        max_length=254, blank=True, help_text="An address, or @example.com for a company."
    )
    first_response = models.PositiveIntegerField(
        null=True, blank=True, help_text="Minutes to the first answer."
    )
    next_response = models.PositiveIntegerField(
        null=True, blank=True, help_text="Minutes to each later answer."
    )
    resolution = models.PositiveIntegerField(
        null=True, blank=True, help_text="Minutes until it is solved."
    )
    warn_at = models.PositiveSmallIntegerField(
        default=80, help_text="Per cent of the time after which to warn; 0: never."
    )

    class Meta:
        verbose_name = "SLA policy"
        verbose_name_plural = "SLA policies"
        ordering = ["position", "pk"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if self.warn_at >= 100:
            raise ValidationError({"warn_at": "Must be less than 100: at 100 the time is over."})
        if not any((self.first_response, self.next_response, self.resolution)):
            raise ValidationError({"first_response": "A policy needs at least one target."})
        if self.customer and "@" not in self.customer:
            raise ValidationError({"customer": "Write an address, or @ and a domain."})


class SLAStep(models.Model):
    """What happens when a breach goes on: so many minutes of open time after it."""

    policy = models.ForeignKey(SLAPolicy, on_delete=models.CASCADE, related_name="steps")
    after = models.PositiveIntegerField(help_text="Minutes of open time after the breach.")
    tell_assignee = models.BooleanField(default=True)
    tell_lead = models.BooleanField("tell team lead", default=False)
    tell_admins = models.BooleanField(default=False)
    raise_priority = models.BooleanField(default=False)
    reassign = models.BooleanField(
        default=False, help_text="To whom the team's way of assigning finds, else to nobody."
    )

    class Meta:
        verbose_name = "escalation step"
        ordering = ["after", "pk"]

    def __str__(self) -> str:
        return f"{self.after} min after the breach"


class SLAClock(models.Model):
    """One target's clock on one ticket: the stretches in which it ran, and what follows from them.

    `periods` are [from, to] in ISO 8601; the last one has no end while the clock runs. Everything
    else is worked out from them and the policy, again and again.
    """

    class Target(models.TextChoices):
        FIRST_RESPONSE = "first_response", _("First response")
        NEXT_RESPONSE = "next_response", _("Next response")
        RESOLUTION = "resolution", _("Resolution")

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="clocks")
    target = models.CharField(max_length=20, choices=Target.choices)
    periods = models.JSONField(default=list)
    minutes = models.PositiveIntegerField(null=True)
    due_at = models.DateTimeField(null=True)
    met_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["ticket", "target"], name="slaclock_once")]

    def __str__(self) -> str:
        return f"{self.target} of #{self.ticket_id}"


class SLAAlert(models.Model):
    """That something about a due time has been told. The row is why it is told once: it is unique,
    and written with the outbox row."""

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="sla_alerts")
    target = models.CharField(max_length=20)
    step = models.CharField(max_length=20)
    due_at = models.DateTimeField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["ticket", "target", "step", "due_at"], name="slaalert_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.step} of {self.target} on #{self.ticket_id}"
