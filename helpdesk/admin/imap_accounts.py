"""How each IMAP account stands, and what an admin does about it."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin
from unfold.decorators import action, display

from helpdesk import access, ledger
from helpdesk.actions.mailboxes import watch_accounts
from helpdesk.admin.imap_forms import ImapAccountForm
from inbound.models import ImapAccount, ImapCursor
from inbound.transports.imap import checking, known, leases, passed_over, troubles
from inbound.transports.imap.accounts import of_row


@admin.register(ImapAccount)
class ImapAccountAdmin(ModelAdmin):  # type: ignore[misc]
    form = ImapAccountForm
    list_display = [
        "username",
        "host",
        "folder",
        "mailbox",
        "is_active",
        "last_contact",
        "waiting",
        "trouble",
    ]
    list_select_related = ["mailbox"]
    actions = ["pause", "resume"]
    change_form_outer_before_template = "staff/imap_deeds.html"
    readonly_fields = [
        "watched_by",
        "last_contact",
        "cursor",
        "waiting",
        "trouble",
        "passed_over",
        "came_back",
        "note",
    ]
    fieldsets = [
        (None, {"fields": ["mailbox", "is_active", "first_contact", "folder", "move_to"]}),
        ("Server", {"fields": ["host", "port", "security", "username", "auth", "secret"]}),
        (
            "OAuth 2",
            {"fields": ["token_url", "client_id", "client_secret", "scope", "token_expires_at"]},
        ),
        ("How it stands", {"fields": readonly_fields}),
    ]

    def get_queryset(self, request: HttpRequest) -> Any:
        self._cursors = {cursor.account: cursor for cursor in ImapCursor.objects.all()}
        self._backlog = ledger.backlog()
        return super().get_queryset(request)

    def _cursor(self, row: ImapAccount) -> ImapCursor | None:
        return self._cursors.get(of_row(row).name)

    @display(description="Last contact")
    def last_contact(self, row: ImapAccount) -> Any:
        cursor = self._cursor(row)
        return cursor.contacted_at if cursor and cursor.contacted_at else "never"

    @display(description="Watched by")
    def watched_by(self, row: ImapAccount) -> str:
        lease = leases.held([name := of_row(row).name]).get(name)
        return (
            f"{lease.host}, process {lease.pid}, since {lease.since:%Y-%m-%d %H:%M} UTC"
            if lease
            else "nobody"
        )

    @display(description="Read so far")
    def cursor(self, row: ImapAccount) -> str:
        cursor = self._cursor(row)
        return (
            f"up to UID {cursor.last_uid} of UIDVALIDITY {cursor.uid_validity}"
            if cursor
            else "nothing"
        )

    @display(description="Backlog")
    def waiting(self, row: ImapAccount) -> int:
        return self._backlog.get(row.mailbox_id, 0)

    @display(description="Trouble")
    def trouble(self, row: ImapAccount) -> str:
        cursor = self._cursor(row)
        return cursor.error[:300] if cursor else ""

    @display(description="Passed over")
    def passed_over(self, row: ImapAccount) -> Any:
        """Each on a line of its own; they lie unread on the server."""
        lines = passed_over.named([of_row(row).name])
        return format_html_join(mark_safe("<br>"), "{}", ((line,) for _, line in lines))

    @display(description="Came back")
    def came_back(self, row: ImapAccount) -> str:
        return " ".join(words for _, words in known.says_of_come_back([of_row(row)]))

    @display(description="Note")
    def note(self, row: ImapAccount) -> str:
        cursor = self._cursor(row)
        return f"{cursor.noted_at:%Y-%m-%d}: {cursor.note}" if cursor and cursor.noted_at else ""

    def get_urls(self) -> Any:
        def deed(route: str, view: Any) -> Any:
            return path(
                f"<key:pk>/{route}/",
                self.admin_site.admin_view(require_POST(view)),
                name=f"imap_{route}",
            )

        return [deed("try", self.try_it), deed("compare", self.compare), *super().get_urls()]

    def _account(self, request: HttpRequest, pk: int) -> ImapAccount:
        row = get_object_or_404(ImapAccount.objects.select_related("mailbox"), pk=pk)
        if not self.has_change_permission(request, row):
            raise PermissionDenied
        return row

    def try_it(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Signs in to the server, and says what is there."""
        row = self._account(request, pk)
        try:
            messages.success(request, f"It works. {checking.try_out(of_row(row))}")
        except Exception as error:  # whatever it is, it is what the admin asked for
            messages.error(request, troubles.in_words(error))
        return redirect("admin:inbound_imapaccount_change", pk)

    def compare(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Looks for what was never stored, and takes it in."""
        row = self._account(request, pk)
        try:
            uids = checking.missing(of_row(row))
            taken = checking.fetch(of_row(row), uids) if uids else 0
        except Exception as error:
            messages.error(request, troubles.in_words(error))
        else:
            said = (
                f"{len(uids)} messages were never stored; {taken} are now."
                if uids
                else "Everything is stored."
            )
            (messages.warning if uids else messages.success)(request, said)
        return redirect("admin:inbound_imapaccount_change", pk)

    @action(description="Pause")
    def pause(self, request: HttpRequest, queryset: QuerySet[ImapAccount]) -> None:
        messages.success(request, f"{_watch(request, queryset, watched=False)} paused.")

    @action(description="Resume")
    def resume(self, request: HttpRequest, queryset: QuerySet[ImapAccount]) -> None:
        messages.success(request, f"{_watch(request, queryset, watched=True)} are watched again.")


def _watch(request: HttpRequest, accounts: QuerySet[ImapAccount], *, watched: bool) -> int:
    assert access.is_admin(request.user)
    return watch_accounts(list(accounts), watched=watched, actor=request.user)
