"""What this is, for machines that ask."""

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from helpdesk import access, ledger
from helpdesk.api.legacy.agents import staff_only
from helpdesk.models import Category, CustomField, Team, Ticket

NAME, VERSION = "helpdesk", "1.0.0"

Fields = inline_serializer(
    "CustomFieldMeta",
    {
        "name": serializers.CharField(),
        "label": serializers.CharField(),
        "kind": serializers.CharField(),
        "required": serializers.BooleanField(),
        "choices": serializers.ListField(child=serializers.CharField()),
    },
    many=True,
)


class Meta(APIView):
    permission_classes = (AllowAny,)

    @extend_schema(
        responses=inline_serializer(
            "Meta",
            {
                "name": serializers.CharField(),
                "version": serializers.CharField(),
                "statuses": serializers.ListField(child=serializers.CharField()),
                "priorities": serializers.ListField(child=serializers.CharField()),
                "categories": serializers.ListField(child=serializers.CharField()),
                "teams": serializers.ListField(child=serializers.CharField()),
                "custom_fields": Fields,
                "attachments": serializers.DictField(),
                "links": serializers.DictField(),
            },
        )
    )
    def get(self, request: Request) -> Response:
        """The words and limits of this installation."""
        staff = getattr(request.user, "is_staff", False)
        fields = [
            {
                "name": f.slug,
                "label": f.label,
                "kind": f.kind,
                "required": f.is_required,
                "choices": f.options(),
            }
            for f in CustomField.objects.all()
            if f.for_customers or staff
        ]
        return Response(
            {
                "name": NAME,
                "version": VERSION,
                "statuses": Ticket.Status.values,
                "priorities": [str(label).lower() for label in Ticket.Priority.labels],
                "categories": list(Category.objects.values_list("name", flat=True)),
                "teams": list(Team.objects.values_list("name", flat=True)) if staff else [],
                "custom_fields": fields,
                "attachments": {
                    "types": settings.ATTACHMENT_TYPES,
                    "max_bytes": settings.ATTACHMENT_MAX_BYTES,
                },
                "links": {
                    "schema": "/api/schema/",
                    "docs": "/api/docs/",
                    "health": "/api/health/",
                    "portal": "/portal/",
                },
            }
        )


class Ledger(APIView):
    @extend_schema(
        responses=inline_serializer(
            "LedgerLine",
            {
                "day": serializers.DateField(),
                "mailbox": serializers.CharField(),
                "arrived": serializers.IntegerField(),
                "columns": serializers.DictField(child=serializers.IntegerField()),
                "quarantined": serializers.DictField(child=serializers.IntegerField()),
                "to_look_at": serializers.IntegerField(),
            },
            many=True,
        )
    )
    def get(self, request: Request) -> Response:
        """For staff: what arrived in the last two weeks, by mailbox and day, and where it ended; of
        what they may see."""
        mine = access.mails(staff_only(request))
        return Response(
            [
                {
                    "day": line.day,
                    "mailbox": line.mailbox,
                    "arrived": line.arrived,
                    "columns": {name: line.columns[name] for name in ledger.COLUMNS},
                    "quarantined": dict(line.quarantined),
                    "to_look_at": line.to_look_at,
                }
                for line in ledger.lines(among=mine)
            ]
        )


def well_known(request: HttpRequest) -> JsonResponse:
    """/.well-known/hackathon.json: what the project is and where its parts are."""
    return JsonResponse(
        {
            "name": NAME,
            "version": VERSION,
            "description": (
                "An e-mail-driven helpdesk: customers write mail, agents answer on a staff site."
            ),
            "api": "/api/",
            "schema": "/api/schema/",
            "docs": "/api/docs/",
            "health": "/api/health/",
            "meta": "/api/_meta/",
            "admin": "/admin/",
            "portal": "/portal/",
            "support_address": settings.SUPPORT_ADDRESS,
        }
    )
