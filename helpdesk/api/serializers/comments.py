"""What was said on a ticket, and its files: to staff all of it, to customers what the portal
shows."""

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from helpdesk.api.serializers.people import AuthorSerializer, for_staff, shown_person
from helpdesk.models import Attachment, Comment


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
    sender = serializers.SerializerMethodField(
        help_text="For staff, of what came by mail; else null."
    )
    attachments = AttachmentSerializer(many=True, read_only=True)
    body = serializers.SerializerMethodField()
    html = serializers.SerializerMethodField()

    class Meta:
        model = Comment
        fields = [
            "id",
            "author",
            "sender",
            "body",
            "html",
            "visibility",
            "via",
            "is_automatic",
            "attachments",
            "created_at",
            "edited_at",
        ]
        read_only_fields = fields

    @extend_schema_field(AuthorSerializer(allow_null=True))
    def get_author(self, comment: Comment) -> Any:
        return (
            shown_person(comment.author, comment.ticket, self.context) if comment.author else None
        )

    @extend_schema_field(SenderSerializer(allow_null=True))
    def get_sender(self, comment: Comment) -> Any:
        proof = comment.mail.proof if comment.mail and for_staff(self.context) else None
        return {name: proof[name] for name in ("verdict", "domain", "why")} if proof else None

    def get_body(self, comment: Comment) -> str:
        return comment.text or comment.quoted_text

    def get_html(self, comment: Comment) -> str:
        """Sanitised; empty where the comment is plain text."""
        return comment.html
