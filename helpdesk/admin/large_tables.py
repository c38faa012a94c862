"""A list over a table with millions of rows."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.paginator import InfinitePaginator


class LargeTableAdmin(ModelAdmin):  # type: ignore[misc]
    """For tables with millions of rows: no exact count, newest first by the key."""

    show_full_result_count = False
    paginator = InfinitePaginator
    ordering = ["-pk"]
    list_per_page = 50

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By a whole value of one of `search_fields`, as it was typed or in lower case: what an
        index finds. (Django's `iexact` would read all rows, and so would an OR.)"""
        term = search_term.strip()
        if not term:
            return queryset, False
        everything = self.model._default_manager.order_by()
        found = [
            everything.filter(**{f"{name.lstrip('=')}__in": {term, term.lower()}}).values("pk")
            for name in self.get_search_fields(request)
        ]
        return queryset.filter(pk__in=found[0].union(*found[1:])), False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
