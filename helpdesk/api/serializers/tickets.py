"""A ticket, in a list and by itself: to staff all of it, to customers what the portal shows."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from helpdesk import access
from helpdesk.api.serializers.comments import AttachmentSerializer, CommentSerializer
from helpdesk.api.serializers.events import EventSerializer
from helpdesk.api.serializers.fields import CategoryField, PriorityField
from helpdesk.api.serializers.people import AuthorSerializer, for_staff, shown_person
from helpdesk.models import Comment, Ticket

# What is the staff's affair. Customers get the keys, which clients of earlier systems read, without
# the values.
STAFFS: dict[str, Any] = {
    "team": None,
    "tags": [],
    "assigned_to": None,
    "is_breached": None,
    "first_response_due": None,
    "next_response_due": None,
    "resolution_due": None,
}


class TicketListSerializer(serializers.ModelSerializer[Ticket]):
    """A ticket without what was said on it. Team, tags, assignee and due times are for staff: null
    or empty for others."""

    title = serializers.CharField(source="subject", read_only=True)
    requester = serializers.SerializerMethodField()
    is_breached = serializers.BooleanField(read_only=True, allow_null=True)
    assigned_to = serializers.SerializerMethodField()
    priority = PriorityField(read_only=True)
    category = CategoryField(read_only=True, allow_null=True)
    team = serializers.SerializerMethodField()
    tags = serializers.SerializerMethodField()
    custom_fields = serializers.SerializerMethodField()
    updated_at = serializers.DateTimeField(source="activity_at", read_only=True)
    address_verified = serializers.BooleanField(
        read_only=True,
        help_text="False: a guest typed the requester's address, and nobody has shown that it "
        "is theirs.",
    )

    class Meta:
        model = Ticket
        fields = [
            "id",
            "title",
            "status",
            "priority",
            "category",
            "team",
            "tags",
            "custom_fields",
            "requester",
            "address_verified",
            "assigned_to",
            "is_breached",
            "first_response_due",
            "next_response_due",
            "resolution_due",
            "version",
            "created_at",
            "updated_at",
            "resolved_at",
            "closed_at",
        ]
        read_only_fields = fields

    def to_representation(self, instance: Ticket) -> Any:
        shown = super().to_representation(instance)
        return shown if for_staff(self.context) else {**shown, **STAFFS}

    @extend_schema_field(AuthorSerializer)
    def get_requester(self, ticket: Ticket) -> Any:
        return shown_person(ticket.requester, ticket, self.context)

    @extend_schema_field(AuthorSerializer(allow_null=True))
    def get_assigned_to(self, ticket: Ticket) -> Any:
        return shown_person(ticket.assignee, ticket, self.context) if ticket.assignee else None

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_team(self, ticket: Ticket) -> str | None:
        return ticket.team.name if ticket.team else None

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_tags(self, ticket: Ticket) -> list[str]:
        return sorted(tag.name for tag in ticket.tags.all())

    @extend_schema_field(serializers.DictField())
    def get_custom_fields(self, ticket: Ticket) -> dict[str, Any]:
        if for_staff(self.context):
            return dict(ticket.custom)
        shown = self.context.setdefault("shown_fields", None)
        if shown is None:
            shown = self.context["shown_fields"] = access.custom_fields_of_customers()
        return {name: value for name, value in ticket.custom.items() if name in shown}


class TicketSerializer(TicketListSerializer):
    """A ticket with its comments, attachments and history, as its reader may see them."""

    description = serializers.SerializerMethodField()
    comments = serializers.SerializerMethodField()
    attachments = serializers.SerializerMethodField()
    history = serializers.SerializerMethodField()

    class Meta(TicketListSerializer.Meta):
        fields = [
            *TicketListSerializer.Meta.fields,
            "description",
            "comments",
            "attachments",
            "history",
        ]
        read_only_fields = fields

    def _comments(self, ticket: Ticket) -> list[Comment]:
        cached: dict[int, list[Comment]] = self.context.setdefault("comments", {})
        if ticket.pk not in cached:
            cached[ticket.pk] = list(access.comments(self.context["request"].user, ticket))
        return cached[ticket.pk]

    def get_description(self, ticket: Ticket) -> str:
        found = self._comments(ticket)
        return (found[0].text or found[0].quoted_text) if found else ""

    @extend_schema_field(CommentSerializer(many=True))
    def get_comments(self, ticket: Ticket) -> Any:
        return CommentSerializer(self._comments(ticket), many=True, context=self.context).data

    @extend_schema_field(AttachmentSerializer(many=True))
    def get_attachments(self, ticket: Ticket) -> Any:
        files = [item for comment in self._comments(ticket) for item in comment.attachments.all()]
        return AttachmentSerializer(files, many=True, context=self.context).data

    @extend_schema_field(EventSerializer(many=True))
    def get_history(self, ticket: Ticket) -> Any:
        return EventSerializer(
            access.events(self.context["request"].user, ticket), many=True, context=self.context
        ).data
