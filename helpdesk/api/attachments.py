"""A ticket's files, handed in and given out."""

from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from helpdesk import access
from helpdesk.actions import Refused
from helpdesk.api.idempotency import creates
from helpdesk.api.requests import files_of, read
from helpdesk.api.serializers.bodies import Uploads
from helpdesk.api.serializers.comments import AttachmentSerializer
from helpdesk.files.downloads import download
from helpdesk.models import Comment
from helpdesk.submissions import say


class AttachmentList(APIView):
    """The files of a ticket."""

    @extend_schema(responses=AttachmentSerializer(many=True))
    def get(self, request: Request, pk: int) -> Response:
        ticket = access.ticket(request.user, pk)
        found = [
            item
            for comment in access.comments(request.user, ticket)
            for item in comment.attachments.all()
        ]
        return Response(AttachmentSerializer(found, many=True).data)

    @extend_schema(
        request={"multipart/form-data": Uploads}, responses={201: AttachmentSerializer(many=True)}
    )
    @creates
    def post(self, request: Request, pk: int) -> Response:
        """Files as a comment of their own. An agent's go to the customer by mail, unless they are
        internal."""
        given = read(Uploads, request)
        files = files_of(request)
        if not files:
            raise Refused("Send at least one file.", "attachments")
        ticket = access.ticket(request.user, pk)
        comment = say(
            ticket, request.user, "", files, visibility=given["visibility"], via=Comment.Via.API
        )
        return Response(AttachmentSerializer(comment.attachments.all(), many=True).data, status=201)


FILE = {(200, "*/*"): OpenApiTypes.BINARY}


UNSCANNED = OpenApiParameter(
    "unscanned",
    str,
    enum=["yes"],
    description="yes: also where the virus scanner has not looked at it (not_scanned).",
)


class AttachmentDownload(APIView):
    """A file, to those who may see its comment. One with a virus in it is given to nobody
    (kept_out)."""

    @extend_schema(responses=FILE, parameters=[UNSCANNED])
    def get(self, request: Request, pk: int) -> FileResponse:
        return download(
            access.attachment(request.user, pk),
            unscanned=request.query_params.get("unscanned") == "yes",
        )


class Media(APIView):
    """The same by its path in the storage."""

    @extend_schema(
        responses=FILE,
        parameters=[
            *(OpenApiParameter(name, str, OpenApiParameter.PATH) for name in ("folder", "name")),
            UNSCANNED,
        ],
    )
    def get(self, request: Request, folder: str, name: str) -> FileResponse:
        found = access.attachment_at(request.user, f"tickets/{folder}/{name}")
        return download(found, unscanned=request.query_params.get("unscanned") == "yes")
