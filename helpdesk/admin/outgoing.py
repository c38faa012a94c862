"""Mail that goes out: what waits, what was sent, and what could not be."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.decorators import action, display

from helpdesk import access
from helpdesk.actions import outbox
from helpdesk.admin.large_tables import LargeTableAdmin
from helpdesk.models import OutboundMail
from helpdesk.models.mail_kinds import KINDS
from helpdesk.outbound import servers

STATE_COLOURS = {
    "queued": "info",
    "sent": "success",
    "suppressed": "warning",
    "cancelled": "",
    "bounced": "danger",
    "failed": "danger",
}


@admin.register(OutboundMail)
class OutboundMailAdmin(LargeTableAdmin):
    list_display = [
        "subject",
        "to_address",
        "shown_kind",
        "created_at",
        "shown_state",
        "attempts",
        "reason",
        "due",
    ]
    list_filter = ["state"]
    list_select_related = ["mailbox"]
    search_fields = ["=to_address", "=message_id"]
    search_help_text = "A whole address or Message-ID."
    fields = [
        "kind",
        "ticket",
        "to_address",
        "subject",
        "shown_text",
        "message_id",
        "in_reply_to",
        "references",
        "is_automatic",
        "state",
        "reason",
        "error",
        "attempts",
        "next_attempt_at",
        "due_at",
        "held_by",
        "created_at",
        "sent_at",
        "bounced_at",
    ]
    actions = ["retry", "cancel"]

    @display(description="Kind")
    def shown_kind(self, mail: OutboundMail) -> str:
        return str(KINDS[mail.kind].title) if mail.kind in KINDS else mail.kind

    @display(description="Next attempt")
    def due(self, mail: OutboundMail) -> Any:
        return mail.next_attempt_at if mail.state == OutboundMail.State.QUEUED else ""

    @display(description="Text")
    def shown_text(self, mail: OutboundMail) -> str:
        return "withheld: it holds a code or a link that signs in" if mail.is_secret else mail.text

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        for server in servers.failing():
            messages.warning(
                request,
                f"{server.name or 'The mail server'} has been failing since "
                f"{server.failing_since:%d %b %H:%M}; mail "
                f"waits and nothing is lost. It says: {server.error[:300]}",
            )
        return super().changelist_view(request, extra_context)  # type: ignore[no-any-return]

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
