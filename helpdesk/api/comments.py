"""What is said on a ticket."""

from django.http import Http404
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from helpdesk import access, actions
from helpdesk.actions import Refused
from helpdesk.api.idempotency import creates
from helpdesk.api.requests import files_of, read
from helpdesk.api.schema import example
from helpdesk.api.serializers.bodies import CommentCreate, CommentUpdate
from helpdesk.api.serializers.comments import CommentSerializer
from helpdesk.models import Comment, Ticket
from helpdesk.submissions import refused_to, say


class CommentList(APIView):
    """What was said on a ticket."""

    @extend_schema(responses=CommentSerializer(many=True))
    def get(self, request: Request, pk: int) -> Response:
        ticket = access.ticket(request.user, pk)
        found = access.comments(request.user, ticket)
        return Response(CommentSerializer(found, many=True, context={"request": request}).data)

    @extend_schema(
        request=CommentCreate,
        responses={201: CommentSerializer},
        examples=[example({"body": "It works again, thanks."})],
    )
    @creates
    def post(self, request: Request, pk: int) -> Response:
        """A customer's comment; an agent's answer, which is mailed to the customer; or, internal,
        an agent's note."""
        given = read(CommentCreate, request)
        return said(request, access.ticket(request.user, pk), given["body"], given["visibility"])


def said(request: Request, ticket: Ticket, text: str, visibility: str) -> Response:
    comment = say(
        ticket, request.user, text, files_of(request), visibility=visibility, via=Comment.Via.API
    )
    found = access.comment(request.user, comment.pk)
    return Response(CommentSerializer(found, context={"request": request}).data, status=201)


class CommentDetail(APIView):
    """One comment. An author changes their own message of the API or the portal for 15 minutes."""

    @extend_schema(responses=CommentSerializer)
    def get(self, request: Request, pk: int, comment: int) -> Response:
        return Response(
            CommentSerializer(comment_on(request, pk, comment), context={"request": request}).data
        )

    @extend_schema(request=CommentUpdate, responses=CommentSerializer)
    def patch(self, request: Request, pk: int, comment: int) -> Response:
        """What came by mail is never changed."""
        found = comment_on(request, pk, comment)
        given = read(CommentUpdate, request)
        try:
            actions.edit_comment(
                found, given["body"].replace("\r\n", "\n").strip(), actor=request.user
            )
        except Refused as why:
            raise why if why.field else refused_to(str(why)) from why
        return Response(
            CommentSerializer(comment_on(request, pk, comment), context={"request": request}).data
        )

    @extend_schema(request=CommentUpdate, responses=CommentSerializer)
    def put(self, request: Request, pk: int, comment: int) -> Response:
        """As PATCH."""
        return self.patch(request, pk, comment)

    @extend_schema(responses={204: OpenApiResponse(None, "Done.")})
    def delete(self, request: Request, pk: int, comment: int) -> Response:
        """Its author for 15 minutes, or an admin."""
        try:
            actions.delete_comment(comment_on(request, pk, comment), actor=request.user)
        except Refused as why:
            raise refused_to(str(why)) from why
        return Response(status=status.HTTP_204_NO_CONTENT)


def comment_on(request: Request, ticket: int, pk: int) -> Comment:
    found = access.comment(request.user, pk)
    if found.ticket_id != ticket:
        raise Http404
    return found
