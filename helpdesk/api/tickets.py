"""Tickets: the list, opening one, and one by itself."""

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import generics, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from helpdesk import access, actions
from helpdesk.api.answers import listed, shown
from helpdesk.api.changing import change
from helpdesk.api.filters import TicketFilter
from helpdesk.api.idempotency import creates
from helpdesk.api.requests import files_of, read, seen_version
from helpdesk.api.schema import example
from helpdesk.api.serializers.bodies import TicketCreate, TicketUpdate
from helpdesk.api.serializers.tickets import TicketListSerializer, TicketSerializer
from helpdesk.models import Comment, Ticket
from helpdesk.submissions import open_for, refused_to


class TicketList(generics.ListAPIView):  # type: ignore[type-arg]
    """The tickets that you may see."""

    serializer_class = TicketListSerializer
    filterset_class = TicketFilter

    def get_queryset(self) -> QuerySet[Ticket]:
        if getattr(self, "swagger_fake_view", False):
            return Ticket.objects.none()
        return listed(access.tickets(self.request.user)).order_by("-created_at", "-id")

    @extend_schema(
        request=TicketCreate,
        responses={201: TicketSerializer},
        examples=[
            example(
                {
                    "title": "The printer",
                    "description": "It prints every page twice.",
                    "priority": "high",
                }
            )
        ],
    )
    @creates
    def post(self, request: Request) -> Response:
        """Opens a ticket; staff open one for a customer with `customer`."""
        return opened(request)


def opened(request: Request) -> Response:
    """Opens a ticket from the request's body, as TicketCreate says."""
    given = read(TicketCreate, request)
    me = request.user
    requester, actor = me, me
    if "customer" in given:
        if not me.is_staff:
            raise refused_to("Only staff open tickets for others.", "customer")
        requester = actions.person_for(given["customer"])
    if "tags" in given and not me.is_staff:
        raise refused_to("Only staff set tags.", "tags")
    ticket = open_for(
        requester,
        actor,
        given,
        files_of(request),
        via=Comment.Via.API,
        priority=given.get("priority", 2),
    )
    if given.get("tags"):
        actions.set_tags(ticket, given["tags"], actor=me)
    return shown(access.as_it_is(ticket), request, status.HTTP_201_CREATED)


class TicketDetail(APIView):
    """A ticket with its comments, attachments and history."""

    is_versioned = True

    @extend_schema(responses=TicketSerializer)
    def get(self, request: Request, pk: int) -> Response:
        return shown(access.ticket(request.user, pk), request)

    @extend_schema(request=TicketUpdate, responses=TicketSerializer)
    def patch(self, request: Request, pk: int) -> Response:
        """Changes what is named. An owner changes title, description, category and custom fields
        while the ticket is open; staff change all of it. Agents assign to themselves and within
        their teams and the ticket's."""
        ticket = access.ticket(request.user, pk)
        change(ticket, read(TicketUpdate, request), request)
        return shown(access.as_it_is(ticket), request)

    @extend_schema(request=TicketUpdate, responses=TicketSerializer)
    def put(self, request: Request, pk: int) -> Response:
        """As PATCH: a ticket has parts that nobody writes, so what is not named stays."""
        return self.patch(request, pk)

    @extend_schema(responses={204: OpenApiResponse(None, "Done.")})
    def delete(self, request: Request, pk: int) -> Response:
        """An owner withdraws their ticket: it is closed. An admin deletes it for good."""
        ticket = access.ticket(request.user, pk)
        remove(ticket, request)
        return Response(status=status.HTTP_204_NO_CONTENT)


def remove(ticket: Ticket, request: Request) -> None:
    me, version = request.user, seen_version(request)
    if me.is_superuser:
        actions.delete_ticket(ticket, actor=me, version=version)
    elif me.is_staff:
        raise refused_to("Only an admin deletes tickets.")
    elif ticket.requester_id != me.pk:
        raise refused_to("Only who opened the ticket withdraws it.")
    else:
        actions.withdraw(ticket, actor=me, version=version)
