"""A ticket's page and its files, for who is signed in and for who has a link."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from helpdesk import access, actions
from helpdesk.actions import Refused
from helpdesk.files.downloads import NotGivenOut, download
from helpdesk.models import Attachment, Person, Ticket


def conversation(
    request: HttpRequest,
    found: Ticket,
    reader: Any,
    *,
    token: str = "",
    until: datetime | None = None,
) -> HttpResponse:
    """The ticket's page; with the `token` of a link to read alone, `until` it ends."""
    context = {
        "title": found.subject,
        "ticket": found,
        "comments": list(access.comments(reader, found)),
        "token": token,
        "until": until,
        "reader": reader,
        "draft": request.session.pop(f"portal-draft-{found.pk}", "") if not token else "",
        "rating": getattr(found, "rating", None),
        "types": settings.ATTACHMENT_TYPES,
        "megabytes": settings.ATTACHMENT_MAX_BYTES // 10**6,
        "can_rate": found.status in (Ticket.Status.RESOLVED, Ticket.Status.CLOSED)
        and found.first_responded_at is not None
        and not token,
        "is_asked": not found.address_verified and found.requester_id == reader.pk,
        "can_withdraw": found.requester_id == reader.pk
        and found.status != Ticket.Status.CLOSED
        and not token,
    }
    return render(request, "portal/ticket.html", context)


def file_of(request: HttpRequest, item: Attachment) -> HttpResponse:
    try:
        return download(item, unscanned="unscanned" in request.GET)  # type: ignore[return-value]
    except NotGivenOut:
        return render(request, "portal/file.html", {"title": item.name, "item": item}, status=403)


def take_for_theirs(request: HttpRequest, found: Ticket, reader: Person) -> None:
    try:
        actions.confirm_request(found, actor=reader)
    except Refused:
        raise Http404 from None
    messages.success(request, _("Thank you for telling us."))
