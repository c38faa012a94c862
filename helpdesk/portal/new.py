"""A new request, by a customer or a guest."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from helpdesk import access, throttle
from helpdesk.actions import Refused
from helpdesk.files.scanner import ScannerAway
from helpdesk.models import Category, Comment, CustomField
from helpdesk.portal.customers import client, customer
from helpdesk.portal.forms import GuestForm, TicketForm
from helpdesk.portal.tickets import scanner_is_away
from helpdesk.submissions import guest_ticket, open_for, throttle_guest


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
                me = customer(request)
                opened = open_for(
                    me, me, given, files, via=Comment.Via.PORTAL, priority=given["priority"]
                )
                # Who came in by a PIN may open what its issuer does not see.
                is_seen = access.tickets(me).contains(opened)
                return (
                    redirect("portal:ticket", opened.pk) if is_seen else redirect("portal:thanks")
                )
            throttle_guest(given["email"], client=client(request))
            guest_ticket(given, files, via=Comment.Via.PORTAL, language=get_language() or "")
            return redirect("portal:thanks")
        except Refused as why:
            name = why.field.replace("custom_fields.", "custom_").replace("attachments", "files")
            form.add_error(name if name in form.fields else None, str(why))
        except ScannerAway:
            form.add_error(None, scanner_is_away())
        except throttle.Throttled:
            form.add_error(None, _("Too many attempts. Try again later."))
    context = {
        "title": _("New request"),
        "form": form,
        "types": settings.ATTACHMENT_TYPES,
        "megabytes": settings.ATTACHMENT_MAX_BYTES // 10**6,
    }
    return render(request, "portal/new.html", context)


@require_GET
def thanks(request: HttpRequest) -> HttpResponse:
    return render(request, "portal/thanks.html", {"title": _("Thank you")})
