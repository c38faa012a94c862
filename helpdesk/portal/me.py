"""Which mail a customer gets, and in which language."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from helpdesk import actions
from helpdesk.models.mail_kinds import To, muteable
from helpdesk.portal.customers import customer, customers_only


@require_http_methods(["GET", "POST"])
@customers_only
def me(request: HttpRequest) -> HttpResponse:
    """Which mail a customer gets, and in which language."""
    person, kinds = customer(request), muteable(To.CUSTOMER)
    if request.method == "POST":
        wanted = set(request.POST.getlist("kind"))
        actions.choose_mail(
            person,
            muted=[kind.slug for kind in kinds if kind.slug not in wanted],
            language=request.POST.get("language", ""),
        )
        messages.success(request, _("Saved."))
        return redirect("portal:me")
    context = {
        "title": _("Mail to you"),
        "kinds": [(kind.slug, kind.title, kind.slug not in person.muted) for kind in kinds],
        "languages": settings.LANGUAGES,
    }
    return render(request, "portal/me.html", context)
