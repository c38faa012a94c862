"""Mail that came in, and what became of it."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from unfold.decorators import action, display

from helpdesk import access
from helpdesk.admin.large_tables import LargeTableAdmin
from inbound import queue
from inbound.models import InboundMail

STATE_COLOURS = {
    "received": "info",
    "done": "success",
    "ignored": "",
    "quarantined": "warning",
    "failed": "danger",
}


class WouldBeHeld(admin.SimpleListFilter):
    """What the policy about senders will do, where it only looks on."""

    title = "sender"
    parameter_name = "would_hold"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Would have been held")]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[InboundMail]
    ) -> QuerySet[InboundMail]:
        return queryset.filter(would_hold__isnull=False) if self.value() == "yes" else queryset


@admin.register(InboundMail)
class InboundMailAdmin(LargeTableAdmin):
    list_display = [
        "subject_link",
        "from_address",
        "mailbox",
        "received_at",
        "shown_state",
        "reason",
        "ticket_link",
    ]
    list_display_links = None
    list_filter = ["state", "mailbox", WouldBeHeld]
    list_select_related = ["mailbox"]
    search_fields = ["=message_id", "=from_address"]
    search_help_text = "A whole address or Message-ID."
    actions = ["run_again"]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request) & access.mails(request.user)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return access.is_staff(request.user)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return access.is_staff(request.user)

    def has_run_again_permission(self, request: HttpRequest) -> bool:
        return access.is_staff(request.user)

    @display(description="Subject")
    def subject_link(self, mail: InboundMail) -> str:
        return format_html(
            '<a href="{}">{}</a>',
            reverse("admin:inbound_mail", args=[mail.pk]),
            mail.subject or "(no subject)",
        )

    @display(description="State", label=STATE_COLOURS)
    def shown_state(self, mail: InboundMail) -> tuple[str, str]:
        return mail.state, str(mail.get_state_display())

    @display(description="Ticket")
    def ticket_link(self, mail: InboundMail) -> str:
        if not mail.ticket_number:
            return ""
        return format_html(
            '<a href="{}">#{}</a>',
            reverse("admin:ticket", args=[mail.ticket_number]),
            mail.ticket_number,
        )

    @action(description="Process again", permissions=["run_again"])
    def run_again(self, request: HttpRequest, queryset: QuerySet[InboundMail]) -> None:
        changed = queue.requeue(queryset.exclude(state=InboundMail.State.QUARANTINED))
        changed += queue.requeue(queryset.filter(state=InboundMail.State.QUARANTINED), force=True)
        messages.success(request, f"{changed} will be processed again; what is done stays done.")
