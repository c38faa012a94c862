"""What clients send. Writing goes through helpdesk.actions."""

from typing import Any

from rest_framework import serializers

from helpdesk.api.serializers.fields import CategoryField, PriorityField
from helpdesk.models import Ticket
from helpdesk.request_data import AddressOfBody, CleanText


class TicketCreate(serializers.Serializer[Any]):
    title = CleanText(max_length=500)
    description = CleanText(max_length=100_000)
    priority = PriorityField(required=False)
    category = CategoryField(required=False, allow_null=True)
    custom_fields = serializers.JSONField(
        required=False, help_text="An object: the field's name to its value."
    )
    tags = serializers.ListField(
        child=CleanText(max_length=50), required=False, max_length=30, help_text="Staff only."
    )
    customer = AddressOfBody(required=False, help_text="Staff: for whom it is opened.")
    attachments = serializers.ListField(
        child=serializers.FileField(), required=False, help_text="Several files."
    )


class TicketUpdate(serializers.Serializer[Any]):
    title = CleanText(max_length=500, required=False)
    description = CleanText(max_length=100_000, required=False)
    priority = PriorityField(required=False, help_text="Staff only.")
    category = CategoryField(required=False, allow_null=True)
    custom_fields = serializers.JSONField(required=False)
    tags = serializers.ListField(child=CleanText(max_length=50), required=False, max_length=30)
    status = serializers.ChoiceField(
        choices=Ticket.Status.choices, required=False, help_text="Staff only."
    )
    assigned_to = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=2**62,
        help_text="A person's id. Staff only.",
    )
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
    assigned_to = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=2**62
    )
    team = CleanText(required=False, allow_null=True)


class Skipped(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    reason = serializers.CharField()


class BulkAnswer(serializers.Serializer[Any]):
    changed = serializers.IntegerField()
    skipped = Skipped(many=True)
