from django.db import models
from django.utils import timezone

from inbound.models import Mailbox


class Team(models.Model):
    """A department: who works together, the mailboxes whose tickets are theirs, and how they share
    them out."""

    class Strategy(models.TextChoices):
        MANUAL = "manual", "By hand"
        ROUND_ROBIN = "round-robin", "In turn"
        LEAST_LOADED = "least-loaded", "To whoever has the fewest"
        SKILLS = "skills", "By skill, then the fewest"

    name = models.CharField(max_length=100, unique=True)
    members = models.ManyToManyField("helpdesk.Person", blank=True, related_name="teams")
    lead = models.ForeignKey(
        "helpdesk.Person", on_delete=models.SET_NULL, null=True, blank=True, related_name="leads"
    )
    mailboxes = models.ManyToManyField(
        Mailbox,
        blank=True,
        related_name="teams",
        help_text="Tickets from mail to these begin with this team.",
    )
    strategy = models.CharField(
        "new tickets go", max_length=20, choices=Strategy.choices, default=Strategy.MANUAL
    )
    calendar = models.ForeignKey(
        "helpdesk.BusinessCalendar",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="teams",
        help_text="Outside these hours nobody of the team is given tickets; an agent's own hours "
        "come first.",
    )

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Category(models.Model):
    """What a ticket is about. It may decide which team gets it; agents who know about it have it as
    a skill."""

    name = models.CharField(max_length=100, unique=True)
    team = models.ForeignKey(
        Team, on_delete=models.SET_NULL, null=True, blank=True, related_name="categories"
    )

    class Meta:
        verbose_name_plural = "categories"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Assignment(models.Model):
    """Who held a ticket, in which department, and from when to when. The one that is active holds
    it now."""

    ticket = models.ForeignKey(
        "helpdesk.Ticket", on_delete=models.CASCADE, related_name="assignments"
    )
    team = models.ForeignKey(Team, on_delete=models.SET_NULL, null=True, related_name="+")
    person = models.ForeignKey(
        "helpdesk.Person", on_delete=models.SET_NULL, null=True, related_name="assignments"
    )
    by = models.ForeignKey(
        "helpdesk.Person", on_delete=models.SET_NULL, null=True, related_name="+"
    )
    started_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)
    is_active = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["ticket"], condition=models.Q(is_active=True), name="assignment_one_active"
            )
        ]
        indexes = [models.Index(fields=["ticket", "id"], name="assignment_order")]

    def __str__(self) -> str:
        return f"#{self.ticket_id}: {self.person_id or 'nobody'}"
