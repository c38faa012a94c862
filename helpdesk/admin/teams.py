"""Teams, and the categories that lead tickets to them."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin

from helpdesk.admin.alert_channels import ChannelInline
from helpdesk.models import Category, Team
from helpdesk.request_data import only_keys


@admin.register(Team)
class TeamAdmin(ModelAdmin):  # type: ignore[misc]
    list_display = ["name", "strategy", "lead"]
    search_fields = ["name"]
    autocomplete_fields = ["members", "lead", "mailboxes"]
    inlines = [ChannelInline]

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        only_keys(request, *self.autocomplete_fields)
        return super().changeform_view(request, *args, **kwargs)  # type: ignore[no-any-return]


@admin.register(Category)
class CategoryAdmin(ModelAdmin):  # type: ignore[misc]
    list_display = ["name", "team"]
    search_fields = ["name"]
