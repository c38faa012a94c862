"""The profiles of an earlier system: a customer's tickets, and the messages on them."""

from typing import Any

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from helpdesk import access, actions
from helpdesk.actions import Refused
from helpdesk.api.answers import listed, shown
from helpdesk.api.comments import comment_on, said
from helpdesk.api.filters import TicketFilter
from helpdesk.api.idempotency import creates
from helpdesk.api.requests import files_of, read
from helpdesk.api.schema import example
from helpdesk.api.serializers.bodies import CommentUpdate, TicketCreate
from helpdesk.api.serializers.comments import CommentSerializer
from helpdesk.api.serializers.tickets import TicketListSerializer, TicketSerializer
from helpdesk.api.tickets import TicketDetail
from helpdesk.models import Comment, Participant, Ticket
from helpdesk.request_data import CleanText
from helpdesk.submissions import open_for, refused_to


class Message(serializers.Serializer[Any]):
    body = CleanText(max_length=100_000, required=False, allow_blank=True, default="")
    message = CleanText(
        max_length=100_000,
        required=False,
        allow_blank=True,
        default="",
        help_text="The same as body.",
    )
    visibility = serializers.ChoiceField(choices=["public", "internal"], default="public")


class ProfileTickets(generics.ListAPIView):  # type: ignore[type-arg]
    """The tickets that a profile takes part in: your own, or for staff anybody's."""

    serializer_class = TicketListSerializer
    filterset_class = TicketFilter

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return Ticket.objects.none()
        profile = access.person(self.request.user, self.kwargs["profile_id"])
        theirs = Participant.objects.filter(person=profile).values("ticket")
        return listed(access.tickets(self.request.user).filter(pk__in=theirs)).order_by(
            "-created_at", "-id"
        )

    @extend_schema(request=TicketCreate, responses={201: TicketSerializer})
    @creates
    def post(self, request: Request, profile_id: int) -> Response:
        """Opens a ticket for that profile."""
        profile = access.person(request.user, profile_id)
        given = read(TicketCreate, request)
        me: Any = request.user
        if "tags" in given and not me.is_staff:
            raise refused_to("Only staff set tags.", "tags")
        ticket = open_for(
            profile,
            me,
            given,
            files_of(request),
            via=Comment.Via.API,
            priority=given.get("priority", 2),
        )
        if given.get("tags"):
            actions.set_tags(ticket, given["tags"], actor=me)
        return shown(access.as_it_is(ticket), request, 201)


class ProfileTicket(TicketDetail):
    """A ticket, at the path of the earlier system."""


class Messages(APIView):
    @extend_schema(responses=CommentSerializer(many=True))
    def get(self, request: Request, pk: int) -> Response:
        """What was said on the ticket."""
        ticket = access.ticket(request.user, pk)
        found = access.comments(request.user, ticket)
        return Response(CommentSerializer(found, many=True, context={"request": request}).data)

    @extend_schema(
        request=Message,
        responses={201: CommentSerializer},
        examples=[example({"body": "Any news?"})],
    )
    @creates
    def post(self, request: Request, pk: int) -> Response:
        """Writes on the ticket."""
        given = read(Message, request)
        ticket = access.ticket(request.user, pk)
        return said(request, ticket, given["body"] or given["message"], given["visibility"])


class OneMessage(APIView):
    @extend_schema(request=CommentUpdate, responses=CommentSerializer)
    def put(self, request: Request, pk: int, message_id: int) -> Response:
        """Its author changes it for 15 minutes; what came by mail is never changed."""
        found = comment_on(request, pk, message_id)
        try:
            actions.edit_comment(
                found, read(CommentUpdate, request)["body"].strip(), actor=request.user
            )
        except Refused as why:
            raise why if why.field else refused_to(str(why)) from why
        return Response(
            CommentSerializer(
                comment_on(request, pk, message_id), context={"request": request}
            ).data
        )

    @extend_schema(responses={204: OpenApiResponse(None, "Done.")})
    def delete(self, request: Request, pk: int, message_id: int) -> Response:
        """Its author for 15 minutes, or an admin."""
        try:
            actions.delete_comment(comment_on(request, pk, message_id), actor=request.user)
        except Refused as why:
            raise refused_to(str(why)) from why
        return Response(status=204)
