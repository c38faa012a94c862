"""How the API answers with a ticket, and what a list of them needs."""

from django.db.models import Prefetch, QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from helpdesk.api.serializers.tickets import TicketSerializer
from helpdesk.models import Tag, Ticket


def shown(ticket: Ticket, request: Request, code: int = 200) -> Response:
    serializer = TicketSerializer(ticket, context={"request": request})
    return Response(serializer.data, status=code, headers={"ETag": f'"{ticket.version}"'})


def listed(rows: QuerySet[Ticket]) -> QuerySet[Ticket]:
    """With what a list of tickets shows, in a number of queries that does not grow."""
    return rows.select_related(
        "requester", "assignee", "team", "category", "mailbox__identity"
    ).prefetch_related(Prefetch("tags", Tag.objects.all()))
