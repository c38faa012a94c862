from django.db import models
from django.utils import timezone

from helpdesk.models.ticket import Ticket
from inbound.fields import AddressField


class Participant(models.Model):
    """A person who may write into a ticket by mail and is sent its public answers."""

    class Role(models.TextChoices):
        REQUESTER = "requester", "Requester"
        CC = "cc", "Cc"

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="participants")
    person = models.ForeignKey(
        "helpdesk.Person", on_delete=models.CASCADE, related_name="participations"
    )
    role = models.CharField(max_length=10, choices=Role.choices)
    source = models.CharField(
        max_length=30, help_text="Where they come from: first mail, an agent, a merge."
    )
    address = AddressField(
        blank=True,
        help_text="The one of their addresses that they last wrote from; empty: the main one.",
    )
    link_round = models.PositiveIntegerField(
        default=0, help_text="How often the links in mail to them were ended."
    )
    created_at = models.DateTimeField(default=timezone.now)

    reply_to: str  # where answers go, as `helpdesk.participants.readers` fills it in

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["ticket", "person"], name="participant_once")
        ]

    def __str__(self) -> str:
        return f"{self.person_id} in #{self.ticket_id}"


class Watcher(models.Model):
    """An agent who wants to hear what happens on a ticket: a digest of it, from `seen_event` on."""

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="watchers")
    person = models.ForeignKey("helpdesk.Person", on_delete=models.CASCADE, related_name="watching")
    seen_event = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["ticket", "person"], name="watcher_once")]

    def __str__(self) -> str:
        return f"{self.person_id} watches #{self.ticket_id}"
