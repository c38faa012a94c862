"""A mailbox's own words for the mail that goes out."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.widgets import UnfoldAdminSelectWidget

from helpdesk.models import MailTemplate
from helpdesk.models.mail_kinds import KINDS
from helpdesk.outbound.texts import PLACEHOLDERS
from helpdesk.request_data import whole


class MailTemplateForm(forms.ModelForm):  # type: ignore[type-arg]
    kind = forms.ChoiceField(
        choices=[(kind.slug, kind.title) for kind in KINDS.values()], widget=UnfoldAdminSelectWidget
    )

    class Meta:
        model = MailTemplate
        fields = ["mailbox", "kind", "language", "subject", "body"]


@admin.register(MailTemplate)
class MailTemplateAdmin(ModelAdmin):  # type: ignore[misc]
    form = MailTemplateForm
    list_display = ["kind", "mailbox", "language", "subject"]
    list_filter = ["mailbox"]
    actions_detail = ["preview"]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and db_field.name == "body":
            known = ", ".join(f"{{{{{name}}}}}" for name in PLACEHOLDERS)
            field.help_text = (
                f"Markdown. The quoted history goes below by itself. Placeholders: {known}."
            )
        return field

    @action(description="Preview and test", icon="visibility", permissions=["change"])
    def preview(self, request: HttpRequest, object_id: str) -> HttpResponse:
        if (pk := whole(object_id)) is None:
            raise Http404
        return redirect("admin:mail_text_preview", pk)
