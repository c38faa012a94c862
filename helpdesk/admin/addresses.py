"""Addresses that are blocked, trusted, or take no mail."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.decorators import action

from helpdesk import access
from helpdesk.actions import suppression
from helpdesk.admin.large_tables import LargeTableAdmin
from helpdesk.models import BlockedSender, Suppression, TrustedWay


@admin.register(BlockedSender)
class BlockedSenderAdmin(ModelAdmin):  # type: ignore[misc]
    list_display = ["pattern", "note", "created_at"]
    search_fields = ["pattern"]


@admin.register(TrustedWay)
class TrustedWayAdmin(LargeTableAdmin):
    list_display = ["address", "way", "trusted_by", "trusted_at"]
    list_select_related = ["trusted_by"]
    search_fields = ["=address"]
    search_help_text = "A whole address."

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return access.is_admin(request.user)


@admin.register(Suppression)
class SuppressionAdmin(LargeTableAdmin):
    list_display = ["address", "reason", "detail", "created_at"]
    search_fields = ["=address"]
    search_help_text = "A whole address."
    actions = ["lift"]

    def has_lift_permission(self, request: HttpRequest) -> bool:
        return access.is_admin(request.user)

    @action(description="Let mail go there again", permissions=["lift"])
    def lift(self, request: HttpRequest, queryset: QuerySet[Suppression]) -> None:
        assert access.is_admin(request.user)
        for row in queryset:
            suppression.lift(row.address, actor=request.user)
        messages.success(request, "Mail goes there again; answers that were kept back go out.")
