from django.db import models
from django.utils import timezone

from helpdesk.models.ticket import Ticket


class Event(models.Model):
    """The ticket's history: who did what, when, from what to what. Written by helpdesk.actions
    only."""

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="events")
    actor = models.ForeignKey(
        "helpdesk.Person",
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        help_text="Empty: the helpdesk.",
    )
    kind = models.CharField(max_length=30)
    data = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["ticket", "id"], name="event_order")]

    def __str__(self) -> str:
        return f"{self.kind} on #{self.ticket_id}"
