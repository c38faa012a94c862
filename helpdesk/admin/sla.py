"""Within which time customers are answered, and in whose working hours."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline

from helpdesk.actions import due_times
from helpdesk.models import BusinessCalendar, SLAPolicy, SLAStep


class ChangesDueTimes(ModelAdmin):  # type: ignore[misc]
    """What is saved here decides about due times of tickets that are there already."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        waiting = due_times.work_out_again()
        if waiting:
            messages.info(
                request, f"The due times of {waiting} unsolved tickets are being worked out again."
            )


@admin.register(BusinessCalendar)
class BusinessCalendarAdmin(ChangesDueTimes):
    list_display = ["name", "zone", "weekly", "country"]


class SLAStepInline(TabularInline):  # type: ignore[misc]
    model = SLAStep
    extra = 0
    verbose_name_plural = "Escalation: what happens when a breach goes on"


@admin.register(SLAPolicy)
class SLAPolicyAdmin(ChangesDueTimes):
    list_display = [
        "name",
        "position",
        "is_active",
        "first_response",
        "next_response",
        "resolution",
        "calendar",
    ]
    inlines = [SLAStepInline]
    fieldsets = [
        (None, {"fields": ["name", "position", "is_active"]}),
        ("For which tickets", {"fields": ["team", "category", "priority", "customer"]}),
        (
            "Within which time",
            {"fields": ["calendar", "first_response", "next_response", "resolution", "warn_at"]},
        ),
    ]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(super().has_delete_permission(request, obj)) and (
            obj is None or not obj.is_active
        )
