"""Tickets, their comments and their files."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import django_filters
from django.db import transaction
from django.db.models import Prefetch, QuerySet
from django.http import FileResponse, Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import exceptions, generics, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from helpdesk import access, actions, search
from helpdesk.actions import Refused
from helpdesk.api.idempotency import creates
from helpdesk.api.schema import example
from helpdesk.api.serializers import (
    PRIORITIES,
    AttachmentSerializer,
    BulkAnswer,
    BulkChange,
    CommentCreate,
    CommentSerializer,
    CommentUpdate,
    TicketCreate,
    TicketListSerializer,
    TicketSerializer,
    TicketUpdate,
    Uploads,
)
from helpdesk.downloads import download
from helpdesk.given import in_utc, whole
from helpdesk.models import Category, Comment, Person, Tag, Team, Ticket
from helpdesk.posting import as_object, open_for, refused_to, say

TRUE, FALSE = {"true", "True", "1"}, {"false", "False", "0"}


class TicketFilter(django_filters.FilterSet):
    status = django_filters.MultipleChoiceFilter(choices=Ticket.Status.choices)
    priority = django_filters.ChoiceFilter(choices=[(name, name) for name in PRIORITIES], method="by_priority")
    assigned_to = django_filters.CharFilter(method="by_assignee", label="A person's id, `me` or `none`.")
    category = django_filters.CharFilter(method="by_category", label="A category's name or id.")
    team = django_filters.CharFilter(method="by_team", label="A team's name or id.")
    tag = django_filters.CharFilter(method="by_tag")
    is_breached = django_filters.ChoiceFilter(choices=[(v, v) for v in TRUE | FALSE], method="by_breach")
    created_after = django_filters.IsoDateTimeFilter(method="by_date")
    created_before = django_filters.IsoDateTimeFilter(method="by_date")
    search = django_filters.CharFilter(method="by_words", label="In title, description and comments.", max_length=200)
    ordering = django_filters.OrderingFilter(
        fields=[
            ("created_at", "created_at"), ("activity_at", "updated_at"), ("priority", "priority"), ("id", "id"),
            ("sla_due_at", "due"),
        ]
    )  # fmt: skip

    class Meta:
        model = Ticket
        fields: list[str] = []

    def __init__(self, data: Any = None, *args: Any, **kwargs: Any) -> None:
        # A form's field that was left empty is no filter.
        given: Any = data.copy() if data is not None else data
        for name in list(given or ()):
            if not any(given.getlist(name)):
                del given[name]
        super().__init__(given, *args, **kwargs)

    def filter_queryset(self, queryset: QuerySet[Ticket]) -> QuerySet[Ticket]:
        """Raises Refused for a customer who asks by what they may not read: which tickets are found would tell it."""
        if not access.is_staff(self.request.user):
            given = self.form.cleaned_data
            asked = [name for name in ("assigned_to", "team", "tag", "is_breached") if given.get(name)]
            if {"due", "-due"} & {*(given.get("ordering") or ())}:
                asked.append("ordering")
            if asked:
                raise refused_to("Only staff ask by this.", asked[0])
        found: QuerySet[Ticket] = super().filter_queryset(queryset)
        return found

    def by_priority(self, rows: QuerySet[Ticket], name: str, value: str) -> QuerySet[Ticket]:
        return rows.filter(priority=PRIORITIES[value])

    def by_breach(self, rows: QuerySet[Ticket], name: str, value: str) -> QuerySet[Ticket]:
        return rows.filter(is_breached__in=[value in TRUE])

    def by_date(self, rows: QuerySet[Ticket], name: str, value: datetime) -> QuerySet[Ticket]:
        if (at := in_utc(value)) is None:
            raise exceptions.ValidationError({name: "lies outside of what a date can be"})
        return rows.filter(created_at__gte=at) if name == "created_after" else rows.filter(created_at__lt=at)

    def by_assignee(self, rows: QuerySet[Ticket], name: str, value: str) -> QuerySet[Ticket]:
        if value == "me":
            return rows.filter(assignee=self.request.user.pk)
        if value == "none":
            return rows.filter(assignee=None)
        return rows.filter(assignee=_number(value, "assigned_to"))

    def by_category(self, rows: QuerySet[Ticket], name: str, value: str) -> QuerySet[Ticket]:
        return rows.filter(category__in=_named(Category.objects, value))

    def by_team(self, rows: QuerySet[Ticket], name: str, value: str) -> QuerySet[Ticket]:
        return rows.filter(team__in=_named(Team.objects, value))

    def by_tag(self, rows: QuerySet[Ticket], name: str, value: str) -> QuerySet[Ticket]:
        return rows.filter(tags__in=Tag.objects.filter(name=value.lower()))

    def by_words(self, rows: QuerySet[Ticket], name: str, value: str) -> QuerySet[Ticket]:
        # Staff find by what they alone can read, too; customers by what they can.
        found = search.ticket_ids(value) if access.is_staff(self.request.user) else search.ticket_ids_of(
            self.request.user, value
        )  # fmt: skip
        return rows.filter(pk__in=found)


def listed(rows: QuerySet[Ticket]) -> QuerySet[Ticket]:
    """With what a list of tickets shows, in a number of queries that does not grow."""
    return rows.select_related("requester", "assignee", "team", "category", "mailbox__identity").prefetch_related(
        Prefetch("tags", Tag.objects.all())
    )


class TicketList(generics.ListAPIView):  # type: ignore[type-arg]
    """The tickets that you may see."""

    serializer_class = TicketListSerializer
    filterset_class = TicketFilter

    def get_queryset(self) -> QuerySet[Ticket]:
        if getattr(self, "swagger_fake_view", False):
            return Ticket.objects.none()
        return listed(access.tickets(self.request.user)).order_by("-created_at", "-id")

    @extend_schema(
        request=TicketCreate, responses={201: TicketSerializer},
        examples=[example({"title": "The printer", "description": "It prints every page twice.", "priority": "high"})],
    )  # fmt: skip
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
        requester, actor, given, files_of(request), via=Comment.Via.API, priority=given.get("priority", 2)
    )  # fmt: skip
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
        """Changes what is named. An owner changes title, description, category and custom fields while the ticket is
        open; staff change all of it. Agents assign to themselves and within their teams and the ticket's."""
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


def change(ticket: Ticket, given: dict[str, Any], request: Request) -> None:
    """All of it or none. The version, where one is given, is checked once, before the first change."""
    me: Any = request.user
    version = given.pop("version", None) or seen_version(request)
    for field in ("status", "assigned_to", "team", "tags"):
        if field in given and not me.is_staff:
            raise refused_to("Only staff change this.", field)
    steps: list[Callable[[Ticket], object]] = []
    if "title" in given:
        steps.append(lambda row: actions.set_subject(row, given["title"], actor=me))
    if "description" in given:
        steps.append(lambda row: actions.set_description(row, given["description"].strip(), actor=me))
    if "priority" in given:
        steps.append(lambda row: actions.set_priority(row, given["priority"], actor=me))
    if "category" in given:
        _owner_may(ticket, me)
        steps.append(lambda row: actions.set_category(row, given["category"], actor=me))
    if "custom_fields" in given:
        steps.append(lambda row: actions.set_custom(row, as_object(given["custom_fields"]), actor=me))
    if "tags" in given:
        steps.append(lambda row: actions.set_tags(row, given["tags"], actor=me))
    if "team" in given:
        team = team_named(given["team"])
        steps.append(lambda row: actions.set_team(row, team, actor=me))
    if "assigned_to" in given:
        agent = agent_with(given["assigned_to"])
        steps.append(lambda row: actions.assign(row, agent, actor=me))
    if "status" in given:
        steps.append(lambda row: actions.set_status(row, given["status"], actor=me))
    with transaction.atomic(), actions.changing(ticket, version=version) as current:
        for step in steps:
            step(current)


def agent_with(pk: int | None) -> Person | None:
    """To whom a ticket is to go; None: back to the queue. Whether it may is for `actions.assign` to say."""
    if pk is None:
        return None
    found = access.staff().filter(pk=pk).first()
    if found is None:
        raise Refused("There is no such agent.", "assigned_to")
    return found


def team_named(name: str | None) -> Team | None:
    if name is None:
        return None
    found = Team.objects.filter(name=name).first()
    if found is None:
        raise Refused(f"There is no team {name!r}.", "team")
    return found


class Bulk(APIView):
    """One change to several tickets, each guarded by itself."""

    @extend_schema(
        request=BulkChange, responses=BulkAnswer, examples=[example({"ids": [1, 2], "status": "resolved"})]
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """Staff. Says how many changed, and which were skipped and why."""
        me: Any = request.user
        if not me.is_staff:
            raise refused_to("Only staff change several tickets at once.")
        given = read(BulkChange, request)
        changes: dict[str, Any] = {
            name: given[name] for name in ("status", "priority", "assigned_to", "team") if name in given
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


class CommentList(APIView):
    """What was said on a ticket."""

    @extend_schema(responses=CommentSerializer(many=True))
    def get(self, request: Request, pk: int) -> Response:
        ticket = access.ticket(request.user, pk)
        found = access.comments(request.user, ticket)
        return Response(CommentSerializer(found, many=True, context={"request": request}).data)

    @extend_schema(
        request=CommentCreate, responses={201: CommentSerializer}, examples=[example({"body": "It works again, thanks."})]
    )  # fmt: skip
    @creates
    def post(self, request: Request, pk: int) -> Response:
        """A customer's comment; an agent's answer, which is mailed to the customer; or, internal, an agent's note."""
        given = read(CommentCreate, request)
        return said(request, access.ticket(request.user, pk), given["body"], given["visibility"])


def said(request: Request, ticket: Ticket, text: str, visibility: str) -> Response:
    comment = say(ticket, request.user, text, files_of(request), visibility=visibility, via=Comment.Via.API)
    found = access.comment(request.user, comment.pk)
    return Response(CommentSerializer(found, context={"request": request}).data, status=201)


class CommentDetail(APIView):
    """One comment. An author changes their own message of the API or the portal for 15 minutes."""

    @extend_schema(responses=CommentSerializer)
    def get(self, request: Request, pk: int, comment: int) -> Response:
        return Response(CommentSerializer(_comment(request, pk, comment), context={"request": request}).data)

    @extend_schema(request=CommentUpdate, responses=CommentSerializer)
    def patch(self, request: Request, pk: int, comment: int) -> Response:
        """What came by mail is never changed."""
        found = _comment(request, pk, comment)
        given = read(CommentUpdate, request)
        try:
            actions.edit_comment(found, given["body"].replace("\r\n", "\n").strip(), actor=request.user)
        except Refused as why:
            raise why if why.field else refused_to(str(why)) from why
        return Response(CommentSerializer(_comment(request, pk, comment), context={"request": request}).data)

    @extend_schema(request=CommentUpdate, responses=CommentSerializer)
    def put(self, request: Request, pk: int, comment: int) -> Response:
        """As PATCH."""
        return self.patch(request, pk, comment)

    @extend_schema(responses={204: OpenApiResponse(None, "Done.")})
    def delete(self, request: Request, pk: int, comment: int) -> Response:
        """Its author for 15 minutes, or an admin."""
        try:
            actions.delete_comment(_comment(request, pk, comment), actor=request.user)
        except Refused as why:
            raise refused_to(str(why)) from why
        return Response(status=status.HTTP_204_NO_CONTENT)


class AttachmentList(APIView):
    """The files of a ticket."""

    @extend_schema(responses=AttachmentSerializer(many=True))
    def get(self, request: Request, pk: int) -> Response:
        ticket = access.ticket(request.user, pk)
        found = [item for comment in access.comments(request.user, ticket) for item in comment.attachments.all()]
        return Response(AttachmentSerializer(found, many=True).data)

    @extend_schema(request={"multipart/form-data": Uploads}, responses={201: AttachmentSerializer(many=True)})
    @creates
    def post(self, request: Request, pk: int) -> Response:
        """Files as a comment of their own. An agent's go to the customer by mail, unless they are internal."""
        given = read(Uploads, request)
        files = files_of(request)
        if not files:
            raise Refused("Send at least one file.", "attachments")
        ticket = access.ticket(request.user, pk)
        comment = say(ticket, request.user, "", files, visibility=given["visibility"], via=Comment.Via.API)
        return Response(AttachmentSerializer(comment.attachments.all(), many=True).data, status=201)


FILE = {(200, "*/*"): OpenApiTypes.BINARY}
UNSCANNED = OpenApiParameter(
    "unscanned", str, enum=["yes"], description="yes: also where the virus scanner has not looked at it (not_scanned)."
)


class AttachmentDownload(APIView):
    """A file, to those who may see its comment. One with a virus in it is given to nobody (kept_out)."""

    @extend_schema(responses=FILE, parameters=[UNSCANNED])
    def get(self, request: Request, pk: int) -> FileResponse:
        return download(access.attachment(request.user, pk), unscanned=request.query_params.get("unscanned") == "yes")


class Media(APIView):
    """The same by its path in the storage."""

    @extend_schema(responses=FILE, parameters=[OpenApiParameter("name", str, OpenApiParameter.PATH), UNSCANNED])
    def get(self, request: Request, ticket: int, name: str) -> FileResponse:
        found = access.attachment_at(request.user, f"tickets/{ticket}/{name}")
        return download(found, unscanned=request.query_params.get("unscanned") == "yes")


# --- What the views share


def read(kind: Any, request: Request) -> dict[str, Any]:
    """The request's body, checked. Raises ValidationError, which names the fields."""
    if not hasattr(request.data, "keys"):
        raise exceptions.ValidationError("Send an object.")
    serializer = kind(data=request.data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def shown(ticket: Ticket, request: Request, code: int = 200) -> Response:
    serializer = TicketSerializer(ticket, context={"request": request})
    return Response(serializer.data, status=code, headers={"ETag": f'"{ticket.version}"'})


def seen_version(request: Request) -> int | None:
    """The version in If-Match (RFC 9110 13.1.1), or None where the request has none."""
    given = request.headers.get("If-Match", "").strip()
    if given in {"", "*"}:
        return None
    if match := re.fullmatch(r'(?:W/)?"?([0-9]{1,9})"?', given):
        return int(match[1])
    raise exceptions.ValidationError({"If-Match": "must be a version in quotes"})


def files_of(request: Request) -> list[Any]:
    """Every file of a multipart request, whatever its field is called."""
    return [upload for _, uploads_ in request.FILES.lists() for upload in uploads_] if request.FILES else []


def _owner_may(ticket: Ticket, me: Person) -> None:
    if me.is_staff:
        return
    if ticket.requester_id != me.pk:
        raise refused_to("Only who opened the ticket changes it.")
    if ticket.status != Ticket.Status.OPEN:
        raise Refused("It is being worked on already: add a comment instead.", "status")


def _comment(request: Request, ticket: int, pk: int) -> Comment:
    found = access.comment(request.user, pk)
    if found.ticket_id != ticket:
        raise Http404
    return found


def _named(manager: Any, value: str) -> QuerySet[Any]:
    if (pk := whole(value)) is not None:
        return manager.filter(pk=pk)  # type: ignore[no-any-return]
    return manager.filter(name__iexact=value)  # type: ignore[no-any-return]


def _number(value: str, field: str) -> int:
    if (number := whole(value)) is None:
        raise exceptions.ValidationError({field: "must be a person's id, me or none"})
    return number
