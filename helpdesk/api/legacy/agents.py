"""The agents' desk of an earlier system: what is mine, changing its status, and claiming."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from helpdesk import access, actions, assignment
from helpdesk.api.answers import listed, shown
from helpdesk.api.requests import read
from helpdesk.api.schema import example
from helpdesk.api.serializers.tickets import TicketListSerializer, TicketSerializer
from helpdesk.models import Person, Ticket
from helpdesk.submissions import refused_to

SHOWN = 15


class Move(serializers.Serializer[Any]):
    ticket_id = serializers.IntegerField(min_value=1, max_value=2**62)
    status = serializers.ChoiceField(choices=Ticket.Status.choices)


class Claim(serializers.Serializer[Any]):
    ticket_id = serializers.IntegerField(
        min_value=1, max_value=2**62, required=False, help_text="None: the most urgent one."
    )


class Desk(APIView):
    @extend_schema(responses=TicketListSerializer(many=True))
    def get(self, request: Request) -> Response:
        """The tickets assigned to you that are not solved, at most fifteen, the most urgent
        first."""
        me = staff_only(request)
        mine = access.tickets(me).filter(assignee=me, is_unsolved__in=[True])
        found = listed(mine).order_by("-priority", "created_at")[:SHOWN]
        return Response(TicketListSerializer(found, many=True, context={"request": request}).data)

    @extend_schema(
        request=Move,
        responses=TicketSerializer,
        examples=[example({"ticket_id": 7, "status": "resolved"})],
    )
    def post(self, request: Request) -> Response:
        """Changes the status of a ticket of yours."""
        me = staff_only(request)
        given = read(Move, request)
        ticket = access.ticket(me, given["ticket_id"])
        if ticket.assignee_id != me.pk and not me.is_superuser:
            raise refused_to("This ticket is not assigned to you.", "ticket_id")
        actions.set_status(ticket, given["status"], actor=me)
        return shown(access.as_it_is(ticket), request)


class ClaimTicket(APIView):
    @extend_schema(request=Claim, responses=TicketSerializer)
    def post(self, request: Request) -> Response:
        """Takes a ticket that waits; without a number, the most urgent one."""
        me = staff_only(request)
        given = read(Claim, request)
        if pk := given.get("ticket_id"):
            ticket = access.ticket(me, pk)
            assignment.take(ticket, me)
        else:
            ticket = assignment.take_next(me)
        return shown(access.as_it_is(ticket), request)


def staff_only(request: Request) -> Person:
    if not access.is_staff(request.user):
        raise refused_to("This is for agents.")
    return request.user


def admin_only(request: Request) -> Person:
    if not access.is_admin(request.user):
        raise refused_to("This is for admins.")
    return request.user
