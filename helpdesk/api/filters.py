"""By what tickets are looked for."""

from datetime import datetime
from typing import Any

import django_filters
from django.db.models import QuerySet
from rest_framework import exceptions

from helpdesk import access, search
from helpdesk.api.serializers.fields import PRIORITIES
from helpdesk.models import Category, Tag, Team, Ticket
from helpdesk.request_data import in_utc, whole
from helpdesk.submissions import refused_to

TRUE, FALSE = {"true", "True", "1"}, {"false", "False", "0"}


class TicketFilter(django_filters.FilterSet):
    # No ticket has two statuses: DISTINCT would only sort them all, by all that they hold.
    status = django_filters.MultipleChoiceFilter(choices=Ticket.Status.choices, distinct=False)
    priority = django_filters.ChoiceFilter(
        choices=[(name, name) for name in PRIORITIES], method="by_priority"
    )
    assigned_to = django_filters.CharFilter(
        method="by_assignee", label="A person's id, `me` or `none`."
    )
    category = django_filters.CharFilter(method="by_category", label="A category's name or id.")
    team = django_filters.CharFilter(method="by_team", label="A team's name or id.")
    tag = django_filters.CharFilter(method="by_tag")
    is_breached = django_filters.ChoiceFilter(
        choices=[(v, v) for v in TRUE | FALSE], method="by_breach"
    )
    created_after = django_filters.IsoDateTimeFilter(method="by_date")
    created_before = django_filters.IsoDateTimeFilter(method="by_date")
    search = django_filters.CharFilter(
        method="by_words", label="In title, description and comments.", max_length=200
    )
    ordering = django_filters.OrderingFilter(
        fields=[
            ("created_at", "created_at"),
            ("activity_at", "updated_at"),
            ("priority", "priority"),
            ("id", "id"),
            ("sla_due_at", "due"),
        ]
    )

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
        """Raises Refused for a customer who asks by what they may not read: which tickets are found
        would tell it."""
        if not access.is_staff(self.request.user):
            given = self.form.cleaned_data
            asked = [
                name for name in ("assigned_to", "team", "tag", "is_breached") if given.get(name)
            ]
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
        return (
            rows.filter(created_at__gte=at)
            if name == "created_after"
            else rows.filter(created_at__lt=at)
        )

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
        found = (
            search.ticket_ids(value)
            if access.is_staff(self.request.user)
            else search.ticket_ids_of(self.request.user, value)
        )
        return rows.filter(pk__in=found)


def _named(manager: Any, value: str) -> QuerySet[Any]:
    if (pk := whole(value)) is not None:
        return manager.filter(pk=pk)  # type: ignore[no-any-return]
    return manager.filter(name__iexact=value)  # type: ignore[no-any-return]


def _number(value: str, field: str) -> int:
    if (number := whole(value)) is None:
        raise exceptions.ValidationError({field: "must be a person's id, me or none"})
    return number
