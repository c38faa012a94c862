"""The one staff site: agents work in it, admins also configure in it."""

import hashlib
from functools import wraps
from typing import Any

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import TO_FIELD_VAR
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, URLResolver, path
from unfold.sites import UnfoldAdminSite

from helpdesk import access
from helpdesk.edge.middleware import strict
from helpdesk.request_data import NoText, only_keys
from helpdesk.staff import (
    changing,
    conversation,
    deciding,
    ledger,
    look,
    mail,
    me,
    participants,
    replying,
    sent_to_files,
    texts,
    tickets,
)


class StaffSite(UnfoldAdminSite):
    site_title = "Helpdesk"

    def has_permission(self, request: HttpRequest) -> bool:
        return access.is_staff(request.user)

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        inner = super().admin_view(view, cacheable)

        @wraps(inner)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            # Django looks for the field of that name, and stumbles where there is no name.
            if "" in (request.GET.get(TO_FIELD_VAR), request.POST.get(TO_FIELD_VAR)):
                raise NoText("This names no field.", TO_FIELD_VAR)
            only_keys(request, ACTION_CHECKBOX_NAME)
            return inner(request, *args, **kwargs)  # type: ignore[no-any-return]

        return guarded

    def extra_urls(self) -> list[URLPattern | URLResolver]:
        def page(route: str, view: Any, name: str) -> Any:
            return path(route, self.admin_view(strict(view)), name=name)

        return [
            page("tickets/", tickets.ticket_list, "tickets"),
            page("tickets/next/", tickets.take_next, "tickets_next"),
            page("tickets/bulk/", tickets.bulk, "tickets_bulk"),
            page("tickets/<key:pk>/", conversation.ticket, "ticket"),
            page("tickets/<key:pk>/reply/", replying.reply, "ticket_reply"),
            page("tickets/<key:pk>/change/", changing.change, "ticket_change"),
            page("tickets/<key:pk>/people/", participants.change_people, "ticket_people"),
            page("tickets/<key:pk>/spam/", changing.spam, "ticket_spam"),
            page("tickets/<key:pk>/watch/", participants.watch, "ticket_watch"),
            page("tickets/<key:pk>/lift/", participants.lift, "ticket_lift"),
            page("tickets/<key:pk>/links/", participants.end_links, "ticket_links"),
            page("tickets/<key:pk>/pin/", participants.pin, "ticket_pin"),
            page("comments/<key:pk>/take-back/", replying.take_back, "comment_take_back"),
            # For staff who forgot their password: no sign-in before these.
            path("password-reset/", me.PasswordReset.as_view(), name="admin_password_reset"),
            path(
                "password-reset/sent/", me.PasswordResetDone.as_view(), name="password_reset_done"
            ),
            path(
                "password-reset/<uidb64>/<token>/",
                me.PasswordResetConfirm.as_view(),
                name="password_reset_confirm",
            ),
            page("me/", me.my_mail, "me"),
            page("mail-texts/<key:pk>/preview/", texts.preview, "mail_text_preview"),
            page("comments/<key:pk>/decide/", deciding.decide, "comment_decide"),
            page("comments/<key:pk>/html/", conversation.comment_html, "comment_html"),
            page("attachments/<key:pk>/", mail.attachment, "attachment"),
            page("mail/<key:pk>/", mail.inbound_mail, "inbound_mail"),
            page("mail/<key:pk>/source/", mail.source, "mail_source"),
            page("mail/<key:pk>/again/", mail.again, "mail_again"),
            page("to-look-at/", look.to_look_at, "to_look_at"),
            page("to-look-at/decide/", look.decide, "to_look_at_decide"),
            page("tickets/<key:pk>/asked/", participants.asked, "ticket_asked"),
            page("ledger/", ledger.ledger_page, "ledger"),
            page("sent-mail/", sent_to_files.sent_mail, "sent_mail"),
            page("sent-mail/<str:name>/", sent_to_files.sent_mail_file, "sent_mail_file"),
        ]

    def search(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Asked anew each time: unfold keeps what somebody found for five minutes, in which it may
        have gone out of their sight."""
        found = f"{request.user.pk}_{request.GET.get('s', '').lower()}"
        cache.delete_many(
            [f"unfold_search_{hashlib.sha256(found.encode('utf-8', 'surrogatepass')).hexdigest()}"]
        )
        response: HttpResponse = super().search(request, extra_context)
        return response

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return redirect("admin:tickets")
