"""What happened to a ticket, in words for its reader."""

from rest_framework import serializers

from helpdesk import history
from helpdesk.api.serializers.people import for_staff
from helpdesk.models import Event
from helpdesk.models.person import STAFF_ROLES


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
        return (
            "Support"
            if event.actor.role in STAFF_ROLES and not for_staff(self.context)
            else str(event.actor)
        )

    def get_description(self, event: Event) -> str:
        if event.kind == "opened" and not for_staff(self.context):
            return "opened the ticket"  # out of which other one is the agents' affair
        return history.describe(event)
