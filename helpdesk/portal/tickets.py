"""A customer's tickets: the list, the conversation, and a new one."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from helpdesk import access, actions
from helpdesk.actions import Refused
from helpdesk.files import frames
from helpdesk.files.scanner import ScannerAway
from helpdesk.models import Comment, Ticket
from helpdesk.portal.conversation import conversation, file_of, take_for_theirs
from helpdesk.portal.customers import customer, customers_only
from helpdesk.request_data import whole
from helpdesk.submissions import say

SHOWN = 50


MAX_PAGE = 10_000


@require_GET
@customers_only
def ticket_list(request: HttpRequest) -> HttpResponse:
    rows = access.tickets(request.user).order_by("-activity_at", "-id")
    state = request.GET.get("state", "")
    if state == "open":
        rows = rows.filter(is_unsolved__in=[True])
    elif state == "done":
        rows = rows.filter(is_unsolved__in=[False])
    page = min(whole(request.GET.get("page", "")) or 0, MAX_PAGE)
    tickets = list(rows[page * SHOWN : (page + 1) * SHOWN + 1])
    context = {
        "title": _("My requests"),
        "tickets": tickets[:SHOWN],
        "state": state,
        "page": page,
        "next": page + 1 if len(tickets) > SHOWN else None,
        "previous": page - 1 if page else None,
    }
    return render(request, "portal/tickets.html", context)


@require_GET
@customers_only
def ticket(request: HttpRequest, pk: int) -> HttpResponse:
    return conversation(request, access.ticket(request.user, pk), request.user)


@require_POST
@customers_only
def reply(request: HttpRequest, pk: int) -> HttpResponse:
    found = access.ticket(request.user, pk)
    text, files = request.POST.get("body", ""), request.FILES.getlist("files")
    try:
        say(found, request.user, text[:100_000], files, visibility="public", via=Comment.Via.PORTAL)
    except (Refused, ScannerAway) as why:
        messages.error(request, str(why) if isinstance(why, Refused) else scanner_is_away())
        request.session[f"portal-draft-{pk}"] = text[:20_000]
        return redirect(reverse("portal:ticket", args=[pk]) + "#reply")
    messages.success(request, _("Your message is with us."))
    return redirect(reverse("portal:ticket", args=[pk]) + "#end")


@require_POST
@customers_only
def rate(request: HttpRequest, pk: int) -> HttpResponse:
    found = access.ticket(request.user, pk)
    try:
        if found.status not in (Ticket.Status.RESOLVED, Ticket.Status.CLOSED):
            raise Refused(_("It can be rated once it is resolved."))
        actions.rate(
            found,
            whole(request.POST.get("score", "")) or 0,
            request.POST.get("words", ""),
            actor=customer(request),
        )
        messages.success(request, _("Thank you for telling us."))
    except Refused as why:
        messages.error(request, str(why))
    return redirect("portal:ticket", pk)


@require_POST
@customers_only
def withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    found = access.ticket(request.user, pk)
    try:
        actions.withdraw(found, actor=customer(request))
        messages.success(request, _("Your request is closed."))
    except Refused as why:
        messages.error(request, str(why))
    return redirect("portal:ticket", pk)


@require_POST
@customers_only
def end_links(request: HttpRequest, pk: int) -> HttpResponse:
    """The links in mail to them open the ticket no more."""
    actions.end_links(
        access.ticket(request.user, pk), actor=customer(request), person=customer(request)
    )
    messages.success(
        request, _("The links that we mailed to you for this request do not work any more.")
    )
    return redirect("portal:ticket", pk)


@require_POST
@customers_only
def confirm(request: HttpRequest, pk: int) -> HttpResponse:
    found = access.ticket(request.user, pk)
    take_for_theirs(request, found, customer(request))
    return redirect("portal:ticket", pk)


@require_GET
@customers_only
def file(request: HttpRequest, pk: int) -> HttpResponse:
    return file_of(request, access.attachment(request.user, pk))


@require_GET
@customers_only
def comment_html(request: HttpRequest, pk: int) -> HttpResponse:
    found = access.comment(request.user, pk)
    return frames.comment_page(request, found, found.html)


def scanner_is_away() -> str:
    return _(
        "Your files cannot be checked for viruses just now. Try again in a moment, or send "
        "your message without them."
    )
