"""What is configured on the staff site, and the two mail queues. Tickets have pages of their own."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action, display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.paginator import InfinitePaginator

from helpdesk import access, people
from helpdesk.actions import outbox
from helpdesk.models import BlockedSender, OutboundMail, Person, PersonAddress, Team
from inbound import store
from inbound.models import InboundMail, Mailbox

STATE_COLOURS = {
    "received": "info", "done": "success", "ignored": "", "quarantined": "warning", "failed": "danger",
    "queued": "info", "sent": "success", "suppressed": "warning", "cancelled": "", "bounced": "danger",
}  # fmt: skip


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


@admin.register(Mailbox)
class MailboxAdmin(ModelAdmin):  # type: ignore[misc]
    list_display = ["address", "name", "is_active", "on_closed", "send_acknowledgement"]
    search_fields = ["address", "name"]

    def has_delete_permission(self, request: HttpRequest, obj: Mailbox | None = None) -> bool:
        """A mailbox with mail is switched off, not deleted: its tickets keep their address."""
        if obj is not None and InboundMail.objects.filter(mailbox=obj).exists():
            return False
        return bool(super().has_delete_permission(request, obj))


@admin.register(Team)
class TeamAdmin(ModelAdmin):  # type: ignore[misc]
    list_display = ["name"]
    search_fields = ["name"]
    filter_horizontal = ["mailboxes"]
    autocomplete_fields = ["members"]


@admin.register(BlockedSender)
class BlockedSenderAdmin(ModelAdmin):  # type: ignore[misc]
    list_display = ["pattern", "note", "created_at"]
    search_fields = ["pattern"]


class AddressInline(TabularInline):  # type: ignore[misc]
    model = PersonAddress
    extra = 0


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
    inlines = [AddressInline]
    readonly_fields = ["last_login", "created_at"]
    fieldsets = [
        (None, {"fields": ["email", "name", "role", "is_active", "password"]}),
        ("Dates", {"fields": ["last_login", "created_at"]}),
    ]
    add_fieldsets = [(None, {"classes": ["wide"], "fields": ["email", "name", "role", "password1", "password2"]})]

    def has_delete_permission(self, request: HttpRequest, obj: Person | None = None) -> bool:
        return False  # switched off instead: what they wrote stays

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        # Members of a team are chosen among agents.
        if "autocomplete" in request.path:
            queryset = queryset.filter(role__in=[Person.Role.AGENT, Person.Role.ADMIN], is_active=True)
        return super().get_search_results(request, queryset, search_term)  # type: ignore[no-any-return]


@admin.register(InboundMail)
class InboundMailAdmin(LargeTableAdmin):
    list_display = ["subject_link", "from_address", "mailbox", "received_at", "shown_state", "reason", "ticket_link"]
    list_display_links = None
    list_filter = ["state", "mailbox"]
    list_select_related = ["mailbox"]
    search_fields = ["=message_id", "=from_address"]
    search_help_text = "A whole address or Message-ID."
    actions = ["run_again"]

    def has_module_permission(self, request: HttpRequest) -> bool:
        return access.is_staff(request.user)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return access.is_staff(request.user)

    def has_run_again_permission(self, request: HttpRequest) -> bool:
        return access.is_staff(request.user)

    @display(description="Subject")
    def subject_link(self, mail: InboundMail) -> str:
        return format_html(
            '<a href="{}">{}</a>', reverse("admin:inbound_mail", args=[mail.pk]), mail.subject or "(no subject)"
        )

    @display(description="State", label=STATE_COLOURS)
    def shown_state(self, mail: InboundMail) -> tuple[str, str]:
        return mail.state, str(mail.get_state_display())

    @display(description="Ticket")
    def ticket_link(self, mail: InboundMail) -> str:
        if not mail.ticket_number:
            return ""
        return format_html(
            '<a href="{}">#{}</a>', reverse("admin:ticket", args=[mail.ticket_number]), mail.ticket_number
        )

    @action(description="Process again", permissions=["run_again"])
    def run_again(self, request: HttpRequest, queryset: QuerySet[InboundMail]) -> None:
        changed = store.requeue(queryset.exclude(state=InboundMail.State.QUARANTINED))
        changed += store.requeue(queryset.filter(state=InboundMail.State.QUARANTINED), force=True)
        messages.success(request, f"{changed} will be processed again; what is done stays done.")


@admin.register(OutboundMail)
class OutboundMailAdmin(LargeTableAdmin):
    list_display = [
        "subject",
        "to_address",
        "kind",
        "created_at",
        "shown_state",
        "attempts",
        "reason",
        "next_attempt_at",
    ]
    list_filter = ["state"]
    search_fields = ["=to_address", "=message_id"]
    search_help_text = "A whole address or Message-ID."
    fields = [
        "kind", "ticket", "to_address", "subject", "text", "message_id", "in_reply_to", "references", "is_automatic",
        "state", "reason", "error", "attempts", "next_attempt_at", "created_at", "sent_at", "bounced_at",
    ]  # fmt: skip
    actions = ["retry", "cancel"]

    @display(description="State", label=STATE_COLOURS)
    def shown_state(self, mail: OutboundMail) -> tuple[str, str]:
        return mail.state, str(mail.get_state_display())

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return access.is_admin(request.user)

    @action(description="Send now", permissions=["retry"])
    def retry(self, request: HttpRequest, queryset: QuerySet[OutboundMail]) -> None:
        assert access.is_admin(request.user)
        changed = outbox.send_now(queryset.select_related("ticket"), actor=request.user)
        messages.success(request, f"{changed} will be sent now.")

    @action(description="Cancel", permissions=["retry"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[OutboundMail]) -> None:
        assert access.is_admin(request.user)
        changed = outbox.cancel(queryset.select_related("ticket"), actor=request.user)
        messages.success(request, f"{changed} cancelled.")


def _free_address(address: str, person: Person | None) -> str:
    owner = people.find(address)
    if owner is not None and (person is None or owner.pk != person.pk):
        raise forms.ValidationError(f"{address} belongs to {owner} already.")
    return address.lower()
