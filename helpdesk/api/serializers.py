"""What the API says of tickets, comments, files and people: to staff all of it, to customers what the portal shows.
Writing goes through helpdesk.actions."""

from collections.abc import Mapping
from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from helpdesk import access, history
from helpdesk.given import AddressOfBody, CleanText
from helpdesk.models import Attachment, Category, Comment, Event, Person, Ticket
from helpdesk.models.person import STAFF_ROLES
from helpdesk.wording import name_for_customers

PRIORITIES = {label.lower(): int(value) for value, label in Ticket.Priority.choices}
PRIORITY_NAMES = {value: name for name, value in PRIORITIES.items()}


class PriorityField(serializers.ChoiceField):
    """By name: low, normal, high, urgent."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=list(PRIORITIES), **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        return PRIORITIES[super().to_internal_value(str(data).lower())]

    def to_representation(self, value: Any) -> str:
        return PRIORITY_NAMES.get(int(value), "normal")


class CategoryField(serializers.SlugRelatedField[Category]):
    """By name."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            slug_field="name", **({} if kwargs.get("read_only") else {"queryset": Category.objects.all()}), **kwargs
        )

    def to_internal_value(self, data: Any) -> Category:
        if not isinstance(data, str) or "\0" in data:
            self.fail("invalid")
        found: Category = super().to_internal_value(data)
        return found


class AuthorSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField(allow_null=True)
    name = serializers.CharField()
    email = serializers.CharField(allow_null=True)
    role = serializers.CharField()


def shown_person(person: Person, ticket: Ticket, context: Mapping[str, Any]) -> Any:
    """Customers learn of others the name; of an agent the one that mail shows them."""
    if for_staff(context) or person == context["request"].user:
        return AuthorSerializer(person).data
    return {"id": None, "name": name_for_customers(person, ticket.mailbox), "email": None, "role": person.role}


def for_staff(context: Mapping[str, Any]) -> bool:
    request = context.get("request")
    return request is not None and access.is_staff(request.user)


class ProfileSerializer(serializers.ModelSerializer[Person]):
    first_name = serializers.SerializerMethodField()
    last_name = serializers.SerializerMethodField()
    language = serializers.CharField(read_only=True, help_text="Empty: not known.")

    class Meta:
        model = Person
        fields = ["id", "email", "username", "name", "first_name", "last_name", "role", "language", "created_at"]
        read_only_fields = fields

    def get_first_name(self, person: Person) -> str:
        return person.name.partition(" ")[0]

    def get_last_name(self, person: Person) -> str:
        return person.name.partition(" ")[2]


class AttachmentSerializer(serializers.ModelSerializer[Attachment]):
    url = serializers.SerializerMethodField()

    class Meta:
        model = Attachment
        fields = ["id", "name", "content_type", "size", "url", "scan", "created_at"]
        read_only_fields = fields

    @extend_schema_field(serializers.CharField)
    def get_url(self, item: Attachment) -> str:
        return reverse("api-attachment", args=[item.pk])


class SenderSerializer(serializers.Serializer[Any]):
    """Whether a mail is from whom it says."""

    verdict = serializers.ChoiceField(["authenticated", "unknown", "failed"])
    domain = serializers.CharField()
    why = serializers.CharField()


class CommentSerializer(serializers.ModelSerializer[Comment]):
    author = serializers.SerializerMethodField()
    sender = serializers.SerializerMethodField(help_text="For staff, of what came by mail; else null.")
    attachments = AttachmentSerializer(many=True, read_only=True)
    body = serializers.SerializerMethodField()
    html = serializers.SerializerMethodField()

    class Meta:
        model = Comment
        fields = [
            "id", "author", "sender", "body", "html", "visibility", "via", "is_automatic", "attachments", "created_at", "edited_at",
        ]  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(AuthorSerializer(allow_null=True))
    def get_author(self, comment: Comment) -> Any:
        return shown_person(comment.author, comment.ticket, self.context) if comment.author else None

    @extend_schema_field(SenderSerializer(allow_null=True))
    def get_sender(self, comment: Comment) -> Any:
        proof = comment.mail.proof if comment.mail and for_staff(self.context) else None
        return {name: proof[name] for name in ("verdict", "domain", "why")} if proof else None

    def get_body(self, comment: Comment) -> str:
        return comment.text or comment.quoted_text

    def get_html(self, comment: Comment) -> str:
        """Sanitised; empty where the comment is plain text."""
        return comment.html


class EventSerializer(serializers.ModelSerializer[Event]):
    actor = serializers.SerializerMethodField()
    description = serializers.SerializerMethodField()

    class Meta:
        model = Event
        fields = ["id", "kind", "actor", "description", "created_at"]
        read_only_fields = fields

    def get_actor(self, event: Event) -> str:
        if event.actor is None:
            return "Helpdesk"
        return "Support" if event.actor.role in STAFF_ROLES and not for_staff(self.context) else str(event.actor)

    def get_description(self, event: Event) -> str:
        if event.kind == "opened" and not for_staff(self.context):
            return "opened the ticket"  # out of which other one is the agents' affair
        return history.describe(event)


# What is the staff's affair. Customers get the keys, which clients of earlier systems read, without the values.
STAFFS: dict[str, Any] = {
    "team": None, "tags": [], "assigned_to": None, "is_breached": None, "first_response_due": None,
    "next_response_due": None, "resolution_due": None,
}  # fmt: skip


class TicketListSerializer(serializers.ModelSerializer[Ticket]):
    """A ticket without what was said on it. Team, tags, assignee and due times are for staff: null or empty for others."""

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
    address_verified = serializers.BooleanField(read_only=True, help_text="False: a guest typed the requester's address, and nobody has shown that it is theirs.")  # fmt: skip

    class Meta:
        model = Ticket
        fields = [
            "id", "title", "status", "priority", "category", "team", "tags", "custom_fields", "requester", "address_verified", "assigned_to",
            "is_breached", "first_response_due", "next_response_due", "resolution_due", "version", "created_at",
            "updated_at", "resolved_at", "closed_at",
        ]  # fmt: skip
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
        fields = [*TicketListSerializer.Meta.fields, "description", "comments", "attachments", "history"]
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


# --- What clients send


class TicketCreate(serializers.Serializer[Any]):
    title = CleanText(max_length=500)
    description = CleanText(max_length=100_000)
    priority = PriorityField(required=False)
    category = CategoryField(required=False, allow_null=True)
    custom_fields = serializers.JSONField(required=False, help_text="An object: the field's name to its value.")
    tags = serializers.ListField(child=CleanText(max_length=50), required=False, max_length=30, help_text="Staff only.")
    customer = AddressOfBody(required=False, help_text="Staff: for whom it is opened.")
    attachments = serializers.ListField(child=serializers.FileField(), required=False, help_text="Several files.")


class TicketUpdate(serializers.Serializer[Any]):
    title = CleanText(max_length=500, required=False)
    description = CleanText(max_length=100_000, required=False)
    priority = PriorityField(required=False, help_text="Staff only.")
    category = CategoryField(required=False, allow_null=True)
    custom_fields = serializers.JSONField(required=False)
    tags = serializers.ListField(child=CleanText(max_length=50), required=False, max_length=30)
    status = serializers.ChoiceField(choices=Ticket.Status.choices, required=False, help_text="Staff only.")
    assigned_to = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=2**62, help_text="A person's id. Staff only.")  # fmt: skip
    team = CleanText(required=False, allow_null=True, help_text="A team's name. Staff only.")
    version = serializers.IntegerField(required=False, min_value=1, max_value=2**31 - 1)


class CommentCreate(serializers.Serializer[Any]):
    body = CleanText(max_length=100_000, allow_blank=True, required=False, default="")
    visibility = serializers.ChoiceField(choices=["public", "internal"], default="public")
    attachments = serializers.ListField(child=serializers.FileField(), required=False)


class CommentUpdate(serializers.Serializer[Any]):
    body = CleanText(max_length=100_000)


class Uploads(serializers.Serializer[Any]):
    attachments = serializers.ListField(child=serializers.FileField(), required=False)
    file = serializers.FileField(required=False)
    visibility = serializers.ChoiceField(choices=["public", "internal"], default="public")


class BulkChange(serializers.Serializer[Any]):
    ids = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**62), min_length=1, max_length=200
    )
    status = serializers.ChoiceField(choices=Ticket.Status.choices, required=False)
    priority = PriorityField(required=False)
    assigned_to = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=2**62)
    team = CleanText(required=False, allow_null=True)


class Skipped(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    reason = serializers.CharField()


class BulkAnswer(serializers.Serializer[Any]):
    changed = serializers.IntegerField()
    skipped = Skipped(many=True)
