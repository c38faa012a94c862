"""Due times when what they follow from is configured anew."""

from django.db.models import Exists, OuterRef
from django.utils import timezone

from helpdesk.models import SLAClock, Ticket


def work_out_again() -> int:
    """Every unsolved ticket that has clocks is looked at again by the sweep; how many there are."""
    clocks = SLAClock.objects.filter(ticket=OuterRef("pk"))
    return Ticket.objects.filter(Exists(clocks), is_unsolved__in=[True]).update(
        sla_check_at=timezone.now()
    )
