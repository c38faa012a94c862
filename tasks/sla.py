"""What must happen on time, and who gets what waits. The due times are columns: there is nothing to
lose."""

import logging

from celery import shared_task

from helpdesk import assignment, escalation
from helpdesk.models import Ticket
from inbound.store import TEMPORARY

log = logging.getLogger(__name__)


@shared_task
def sweep() -> int:
    """Warnings, breaches and escalations that are due; how many tickets."""
    try:
        return escalation.sweep()
    except TEMPORARY as error:
        log.warning("cannot look for due times: %s", type(error).__name__)
        return 0


# The names stay: a broker holds them across an upgrade.


@shared_task(name="tasks.sla.route")
def share_out(pk: int) -> None:
    """A ticket has come to a team that shares out by itself."""
    ticket = (
        Ticket.objects.select_related("team__calendar")
        .filter(pk=pk, status=Ticket.Status.OPEN)
        .first()
    )
    if ticket is not None:
        assignment.share_out(ticket)


@shared_task(name="tasks.sla.route_waiting")
def share_out_waiting() -> int:
    """Tickets that waited for an agent to be free; how many found one."""
    try:
        return assignment.share_out_waiting()
    except TEMPORARY as error:
        log.warning("cannot look for waiting tickets: %s", type(error).__name__)
        return 0
