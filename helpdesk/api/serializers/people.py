"""People, as their readers may see them."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from helpdesk import access
from helpdesk.models import Person, Ticket
from helpdesk.outbound.texts import name_for_customers


class AuthorSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField(allow_null=True)
    name = serializers.CharField()
    email = serializers.CharField(allow_null=True)
    role = serializers.CharField()


def shown_person(person: Person, ticket: Ticket, context: Mapping[str, Any]) -> Any:
    """Customers learn of others the name; of an agent the one that mail shows them."""
    if for_staff(context) or person == context["request"].user:
        return AuthorSerializer(person).data
    return {
        "id": None,
        "name": name_for_customers(person, ticket.mailbox),
        "email": None,
        "role": person.role,
    }


def for_staff(context: Mapping[str, Any]) -> bool:
    request = context.get("request")
    return request is not None and access.is_staff(request.user)


class ProfileSerializer(serializers.ModelSerializer[Person]):
    first_name = serializers.SerializerMethodField()
    last_name = serializers.SerializerMethodField()
    language = serializers.CharField(read_only=True, help_text="Empty: not known.")

    class Meta:
        model = Person
        fields = [
            "id",
            "email",
            "username",
            "name",
            "first_name",
            "last_name",
            "role",
            "language",
            "created_at",
        ]
        read_only_fields = fields

    def get_first_name(self, person: Person) -> str:
        return person.name.partition(" ")[0]

    def get_last_name(self, person: Person) -> str:
        return person.name.partition(" ")[2]
