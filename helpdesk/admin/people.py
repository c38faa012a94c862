"""People and their addresses; and who could come in as whom by a support PIN."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin, TabularInline
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.paginator import InfinitePaginator

from helpdesk import people
from helpdesk.admin.alert_channels import ChannelInline
from helpdesk.admin.large_tables import LargeTableAdmin
from helpdesk.models import Person, PersonAddress, SupportPin
from helpdesk.request_data import only_keys

admin.site.unregister(Group)  # nobody's rights hang on one: helpdesk.access decides


class AddressInline(TabularInline):  # type: ignore[misc]
    model = PersonAddress
    extra = 0
    readonly_fields = ["given_up_at"]


class PersonCreationForm(UserCreationForm):  # type: ignore[misc]
    class Meta:
        model = Person
        fields = ["email", "name", "role"]

    def clean_email(self) -> str:
        return _free_address(self.cleaned_data["email"], None)


class PersonForm(UserChangeForm):  # type: ignore[misc]
    class Meta:
        model = Person
        fields = "__all__"

    def clean_email(self) -> str:
        return _free_address(self.cleaned_data["email"], self.instance)


@admin.register(Person)
class PersonAdmin(UserAdmin, ModelAdmin):  # type: ignore[misc, type-arg]
    form = PersonForm
    add_form = PersonCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["email", "name", "role", "is_active"]
    list_filter = ["role", "is_active"]
    search_fields = ["email", "name"]
    ordering = ["-pk"]
    show_full_result_count = False
    paginator = InfinitePaginator
    filter_horizontal = []
    autocomplete_fields = ["skills"]
    inlines = [AddressInline, ChannelInline]
    readonly_fields = ["last_login", "created_at"]
    fieldsets = [
        (None, {"fields": ["email", "name", "role", "is_active", "language", "password"]}),
        ("At work", {"fields": ["is_away", "calendar", "skills"]}),
        ("Dates", {"fields": ["last_login", "created_at"]}),
    ]
    add_fieldsets = [
        (None, {"classes": ["wide"], "fields": ["email", "name", "role", "password1", "password2"]})
    ]

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        only_keys(request, *self.autocomplete_fields)
        return super().changeform_view(request, *args, **kwargs)

    def has_delete_permission(self, request: HttpRequest, obj: Person | None = None) -> bool:
        return False  # switched off instead: what they wrote stays

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        # Members of a team are chosen among agents.
        if "autocomplete" in request.path:
            queryset = queryset.filter(
                role__in=[Person.Role.AGENT, Person.Role.ADMIN], is_active=True
            )
        return super().get_search_results(request, queryset, search_term)  # type: ignore[no-any-return]


def _free_address(address: str, person: Person | None) -> str:
    owner = people.find(address)
    if owner is not None and (person is None or owner.pk != person.pk):
        raise forms.ValidationError(f"{address} belongs to {owner} already.")
    return address.lower()


@admin.register(SupportPin)
class SupportPinAdmin(LargeTableAdmin):
    """Who could come in as whom, and has: to be read."""

    list_display = [
        "created_at",
        "issued_by",
        "person",
        "ticket",
        "used_at",
        "used_from",
        "revoked_at",
    ]
    list_display_links = None
    list_select_related = ["issued_by", "person", "ticket"]
    search_fields = ["=person__email", "=issued_by__email"]
    search_help_text = "A whole address: the customer's, or the agent's."
    fields = [
        "person",
        "issued_by",
        "ticket",
        "created_at",
        "expires_at",
        "used_at",
        "used_from",
        "revoked_at",
    ]
