"""A list over a table with millions of rows."""

from typing import Any

from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.paginator import InfinitePaginator


class LargeTableAdmin(ModelAdmin):  # type: ignore[misc]
    """For tables with millions of rows: no exact count, newest first by the key."""

    show_full_result_count = False
    paginator = InfinitePaginator
    ordering = ["-pk"]
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
