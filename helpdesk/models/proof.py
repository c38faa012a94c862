"""What is remembered about how people's mail is proven."""

from django.db import models
from django.utils import timezone

from inbound.fields import AddressField


class ProvenDay(models.Model):
    """A day on which mail from that address was proven to be from its domain. What is usually
    proven must stay proven."""

    address = AddressField()
    day = models.DateField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["address", "day"], name="proven_day")]
        indexes = [models.Index(fields=["day"], name="proven_day_day")]

    def __str__(self) -> str:
        return f"{self.address} on {self.day}"


class TrustedWay(models.Model):
    """Mail from that address which comes that way is let in, although its own domain does not vouch
    for it."""

    address = AddressField()
    way = models.CharField(
        max_length=300, help_text="“signed by crm.example”, “sent for …” or “from 203.0.113.0/24”."
    )
    trusted_by = models.ForeignKey(
        "helpdesk.Person", on_delete=models.SET_NULL, null=True, related_name="+"
    )
    trusted_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = "trusted way"
        constraints = [models.UniqueConstraint(fields=["address", "way"], name="trusted_way")]

    def __str__(self) -> str:
        return f"{self.address}: {self.way}"
