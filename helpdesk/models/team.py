from django.db import models

from inbound.models import Mailbox


class Team(models.Model):
    """A department: who works together, and the mailboxes whose tickets are theirs."""

    name = models.CharField(max_length=100, unique=True)
    members = models.ManyToManyField("helpdesk.Person", blank=True, related_name="teams")
    mailboxes = models.ManyToManyField(
        Mailbox, blank=True, related_name="teams", help_text="Tickets from mail to these begin with this team."
    )

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
