"""A ticket's priority and category, by name."""

from typing import Any

from rest_framework import serializers

from helpdesk.models import Category, Ticket

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
            slug_field="name",
            **({} if kwargs.get("read_only") else {"queryset": Category.objects.all()}),
            **kwargs,
        )

    def to_internal_value(self, data: Any) -> Category:
        if not isinstance(data, str) or "\0" in data:
            self.fail("invalid")
        found: Category = super().to_internal_value(data)
        return found
