"""A customer's tickets: the list, the conversation, and a new one."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from helpdesk import access, actions, frames, throttle
from helpdesk.actions import Refused
from helpdesk.downloads import NotGivenOut, download
from helpdesk.given import whole
from helpdesk.kinds import To, muteable
from helpdesk.models import Attachment, Category, Comment, CustomField, Person, Ticket
from helpdesk.portal.forms import GuestForm, TicketForm
from helpdesk.portal.signing_in import customers_only
from helpdesk.posting import guest_ticket, open_for, say, throttle_guest
from helpdesk.scanner import ScannerAway

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
        "title": _("My requests"), "tickets": tickets[:SHOWN], "state": state, "page": page,
        "next": page + 1 if len(tickets) > SHOWN else None, "previous": page - 1 if page else None,
    }  # fmt: skip
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
        messages.error(request, str(why) if isinstance(why, Refused) else _scanner_is_away())
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
            found, whole(request.POST.get("score", "")) or 0, request.POST.get("words", ""),
            actor=_customer(request),
        )  # fmt: skip
        messages.success(request, _("Thank you for telling us."))
    except Refused as why:
        messages.error(request, str(why))
    return redirect("portal:ticket", pk)


@require_POST
@customers_only
def withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    found = access.ticket(request.user, pk)
    try:
        actions.withdraw(found, actor=_customer(request))
        messages.success(request, _("Your request is closed."))
    except Refused as why:
        messages.error(request, str(why))
    return redirect("portal:ticket", pk)


@require_POST
@customers_only
def end_links(request: HttpRequest, pk: int) -> HttpResponse:
    """The links in mail to them open the ticket no more."""
    actions.end_links(access.ticket(request.user, pk), actor=_customer(request), person=_customer(request))
    messages.success(request, _("The links that we mailed to you for this request do not work any more."))
    return redirect("portal:ticket", pk)


@require_POST
@customers_only
def confirm(request: HttpRequest, pk: int) -> HttpResponse:
    found = access.ticket(request.user, pk)
    take_for_theirs(request, found, _customer(request))
    return redirect("portal:ticket", pk)


def take_for_theirs(request: HttpRequest, found: Ticket, reader: Person) -> None:
    try:
        actions.confirm_request(found, actor=reader)
    except Refused:
        raise Http404 from None
    messages.success(request, _("Thank you for telling us."))


@never_cache
@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """A new request: by who is signed in, or by a guest, who answers by mail."""
    if access.is_staff(request.user):
        return redirect("admin:index")
    fields = list(CustomField.objects.filter(for_customers=True))
    signed_in = request.user.is_authenticated
    form_class = TicketForm if signed_in else GuestForm
    form = form_class(request.POST or None, fields=fields, categories=list(Category.objects.all()))
    if request.method == "POST" and form.is_valid():
        given, files = form.given(), request.FILES.getlist("files")
        try:
            if signed_in:
                me = _customer(request)
                opened = open_for(me, me, given, files, via=Comment.Via.PORTAL, priority=given["priority"])
                # Who came in by a PIN may open what its issuer does not see.
                is_seen = access.tickets(me).contains(opened)
                return redirect("portal:ticket", opened.pk) if is_seen else redirect("portal:thanks")
            throttle_guest(given["email"], client=str(request.META.get("REMOTE_ADDR", "")))
            guest_ticket(given, files, via=Comment.Via.PORTAL, language=get_language() or "")
            return redirect("portal:thanks")
        except Refused as why:
            name = why.field.replace("custom_fields.", "custom_").replace("attachments", "files")
            form.add_error(name if name in form.fields else None, str(why))
        except ScannerAway:
            form.add_error(None, _scanner_is_away())
        except throttle.Throttled:
            form.add_error(None, _("Too many attempts. Try again later."))
    context = {
        "title": _("New request"), "form": form, "types": settings.ATTACHMENT_TYPES,
        "megabytes": settings.ATTACHMENT_MAX_BYTES // 10**6,
    }  # fmt: skip
    return render(request, "portal/new.html", context)


@require_GET
def thanks(request: HttpRequest) -> HttpResponse:
    return render(request, "portal/thanks.html", {"title": _("Thank you")})


@require_http_methods(["GET", "POST"])
@customers_only
def me(request: HttpRequest) -> HttpResponse:
    """Which mail a customer gets, and in which language."""
    person, kinds = _customer(request), muteable(To.CUSTOMER)
    if request.method == "POST":
        wanted = set(request.POST.getlist("kind"))
        actions.choose_mail(
            person, muted=[kind.slug for kind in kinds if kind.slug not in wanted],
            language=request.POST.get("language", ""),
        )  # fmt: skip
        messages.success(request, _("Saved."))
        return redirect("portal:me")
    context = {
        "title": _("Mail to you"), "kinds": [(kind.slug, kind.title, kind.slug not in person.muted) for kind in kinds],
        "languages": settings.LANGUAGES,
    }  # fmt: skip
    return render(request, "portal/me.html", context)


@require_GET
@customers_only
def file(request: HttpRequest, pk: int) -> HttpResponse:
    return file_of(request, access.attachment(request.user, pk))


@require_GET
@customers_only
def comment_html(request: HttpRequest, pk: int) -> HttpResponse:
    found = access.comment(request.user, pk)
    return frames.comment_page(request, found, found.html)


def conversation(
    request: HttpRequest, found: Ticket, reader: Any, *, token: str = "", until: datetime | None = None
) -> HttpResponse:  # fmt: skip
    """The ticket's page; with the `token` of a link to read alone, `until` it ends."""
    context = {
        "title": found.subject, "ticket": found, "comments": list(access.comments(reader, found)), "token": token,
        "until": until, "reader": reader, "draft": request.session.pop(f"portal-draft-{found.pk}", "") if not token else "",
        "rating": getattr(found, "rating", None), "types": settings.ATTACHMENT_TYPES,
        "megabytes": settings.ATTACHMENT_MAX_BYTES // 10**6,
        "can_rate": found.status in (Ticket.Status.RESOLVED, Ticket.Status.CLOSED)
        and found.first_responded_at is not None
        and not token,
        "is_asked": not found.address_verified and found.requester_id == reader.pk,
        "can_withdraw": found.requester_id == reader.pk and found.status != Ticket.Status.CLOSED and not token,
    }  # fmt: skip
    return render(request, "portal/ticket.html", context)


def file_of(request: HttpRequest, item: Attachment) -> HttpResponse:
    try:
        return download(item, unscanned="unscanned" in request.GET)  # type: ignore[return-value]
    except NotGivenOut:
        return render(request, "portal/file.html", {"title": item.name, "item": item}, status=403)


def _scanner_is_away() -> str:
    return _(
        "Your files cannot be checked for viruses just now. Try again in a moment, or send your message without them."
    )


def _customer(request: HttpRequest) -> Person:
    assert isinstance(request.user, Person)
    return request.user
