"""One change to several tickets."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from helpdesk import access, actions
from helpdesk.actions import Refused
from helpdesk.api.changing import change
from helpdesk.api.requests import read
from helpdesk.api.schema import example
from helpdesk.api.serializers.bodies import BulkAnswer, BulkChange
from helpdesk.models import Ticket
from helpdesk.submissions import refused_to


class Bulk(APIView):
    """One change to several tickets, each guarded by itself."""

    @extend_schema(
        request=BulkChange,
        responses=BulkAnswer,
        examples=[example({"ids": [1, 2], "status": "resolved"})],
    )
    def post(self, request: Request) -> Response:
        """Staff. Says how many changed, and which were skipped and why."""
        me: Any = request.user
        if not me.is_staff:
            raise refused_to("Only staff change several tickets at once.")
        given = read(BulkChange, request)
        changes: dict[str, Any] = {
            name: given[name]
            for name in ("status", "priority", "assigned_to", "team")
            if name in given
        }
        if not changes:
            raise Refused("Name at least one of status, priority, assigned_to and team.")
        found = {ticket.pk: ticket for ticket in access.tickets(me).filter(pk__in=given["ids"])}
        changed, skipped = 0, []
        for pk in dict.fromkeys(given["ids"]):
            if pk not in found:
                skipped.append({"id": pk, "reason": "There is no such ticket."})
                continue
            before = found[pk].version
            try:
                change(found[pk], dict(changes), request)
            except (Refused, actions.Conflict) as why:
                skipped.append({"id": pk, "reason": str(why)})
                continue
            except Ticket.DoesNotExist:
                skipped.append({"id": pk, "reason": "There is no such ticket."})
                continue
            if found[pk].version == before:
                skipped.append({"id": pk, "reason": "It was so already."})
            else:
                changed += 1
        return Response({"changed": changed, "skipped": skipped})
