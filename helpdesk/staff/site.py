"""The one staff site: agents work in it, admins also configure in it."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, URLResolver, path
from unfold.sites import UnfoldAdminSite

from helpdesk import access


class StaffSite(UnfoldAdminSite):
    site_title = "Helpdesk"

    def has_permission(self, request: HttpRequest) -> bool:
        return access.is_staff(request.user)

    def extra_urls(self) -> list[URLPattern | URLResolver]:
        from helpdesk.staff import conversation, mail, tickets

        def page(route: str, view: Any, name: str) -> Any:
            return path(route, self.admin_view(view), name=name)

        return [
            page("tickets/", tickets.ticket_list, "tickets"),
            page("tickets/bulk/", tickets.bulk, "tickets_bulk"),
            page("tickets/<int:pk>/", conversation.ticket, "ticket"),
            page("tickets/<int:pk>/reply/", conversation.reply, "ticket_reply"),
            page("tickets/<int:pk>/change/", conversation.change, "ticket_change"),
            page("tickets/<int:pk>/people/", conversation.change_people, "ticket_people"),
            page("tickets/<int:pk>/spam/", conversation.spam, "ticket_spam"),
            page("comments/<int:pk>/decide/", conversation.decide, "comment_decide"),
            page("comments/<int:pk>/html/", conversation.comment_html, "comment_html"),
            page("attachments/<int:pk>/", mail.attachment, "attachment"),
            page("mail/<int:pk>/", mail.inbound_mail, "inbound_mail"),
            page("mail/<int:pk>/source/", mail.source, "mail_source"),
            page("mail/<int:pk>/again/", mail.again, "mail_again"),
            page("sent-mail/", mail.sent_mail, "sent_mail"),
            page("sent-mail/<str:name>/", mail.sent_mail_file, "sent_mail_file"),
        ]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return redirect("admin:tickets")
