"""The guest form of an earlier system: anybody opens a ticket, staff list and move them, an admin
deletes."""

from typing import Any

from django.core.exceptions import ValidationError
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from helpdesk import access, actions
from helpdesk.api.answers import listed, shown
from helpdesk.api.changing import change
from helpdesk.api.filters import TicketFilter
from helpdesk.api.idempotency import creates
from helpdesk.api.legacy.agents import admin_only, staff_only
from helpdesk.api.open_views import Open
from helpdesk.api.requests import files_of, read, seen_version
from helpdesk.api.schema import example
from helpdesk.api.serializers.fields import CategoryField
from helpdesk.api.serializers.tickets import TicketListSerializer, TicketSerializer
from helpdesk.api.throttling import client
from helpdesk.models import Comment, Ticket
from helpdesk.request_data import AddressOfBody, CleanText, address
from helpdesk.submissions import guest_ticket, throttle_guest


class Guest(serializers.Serializer[Any]):
    name = CleanText(max_length=200)
    email = AddressOfBody()
    description = CleanText(max_length=100_000)
    title = CleanText(max_length=500, required=False, default="")
    category = CategoryField(required=False, allow_null=True)
    custom_fields = serializers.JSONField(
        required=False, help_text="An object: the field's name to its value."
    )


class Opened(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    status = serializers.CharField()
    message = serializers.CharField()


class Move(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=Ticket.Status.choices)
    version = serializers.IntegerField(required=False, min_value=1, max_value=2**31 - 1)


class Add(Open):
    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method == "POST":
            # Before the work and its transaction: an attempt that fails counts as well.
            given = request.data.get("email", "") if hasattr(request.data, "get") else ""
            try:
                named = address(given) if isinstance(given, str) else ""
            except ValidationError:
                named = ""
            throttle_guest(named, client=client(request))

    @extend_schema(
        request=Guest,
        responses={201: Opened},
        examples=[
            example(
                {"name": "Cleo", "email": "cleo@example.net", "description": "The printer smokes."}
            )
        ],
    )
    @creates
    def post(self, request: Request) -> Response:
        """Opens a ticket for a guest, who gets the acknowledgement by mail."""
        given = read(Guest, request)
        ticket = guest_ticket(given, files_of(request), via=Comment.Via.API)
        said = "Thank you. An acknowledgement is on its way by mail."
        return Response({"id": ticket.pk, "status": ticket.status, "message": said}, status=201)


class StaffTickets(generics.ListAPIView):  # type: ignore[type-arg]
    """Every ticket, for staff."""

    serializer_class = TicketListSerializer
    filterset_class = TicketFilter

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return Ticket.objects.none()
        me = staff_only(self.request)
        return listed(access.tickets(me)).order_by("-created_at", "-id")


class UpdateStatus(APIView):
    is_versioned = True

    @extend_schema(
        request=Move, responses=TicketSerializer, examples=[example({"status": "closed"})]
    )
    def patch(self, request: Request, pk: int) -> Response:
        """Moves a ticket; for staff."""
        me = staff_only(request)
        ticket = access.ticket(me, pk)
        change(ticket, read(Move, request), request)
        return shown(access.as_it_is(ticket), request)


class Delete(APIView):
    is_versioned = True

    @extend_schema(responses={204: OpenApiResponse(None, "It is gone.")})
    def delete(self, request: Request, pk: int) -> Response:
        """Deletes a ticket for good; for admins."""
        me = admin_only(request)
        actions.delete_ticket(access.ticket(me, pk), actor=me, version=seen_version(request))
        return Response(status=204)
