"""How a customer comes in: a code by mail, or a PIN that staff gave them. Staff have their own
site."""

import secrets

from django.contrib.auth import login, logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from helpdesk import throttle
from helpdesk.actions import Refused, codes, pins
from helpdesk.edge.middleware import PIN_OF_SESSION
from helpdesk.models import EmailCode, Person
from helpdesk.portal.customers import client
from helpdesk.portal.forms import AddressForm
from helpdesk.request_data import page_of_ours

BACKEND = "helpdesk.auth.EmailBackend"


@never_cache
@require_http_methods(["GET", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Asks for the address; a code goes there if it is a customer's. The page says the same for
    everyone."""
    if request.method == "GET" and request.user.is_authenticated:
        return redirect("portal:tickets")
    form = AddressForm(request.POST or None)
    if wanted := page_of_ours(request.GET.get("next", "")):
        request.session["portal-next"] = wanted
    if request.method == "POST" and form.is_valid():
        address = form.cleaned_data["email"].lower()
        try:
            codes.send_code(
                EmailCode.Purpose.SIGN_IN,
                address,
                asker=_asker(request),
                client=client(request),
                language=get_language() or "",
            )
        except (throttle.Throttled, Refused) as why:
            form.add_error(
                None,
                _("Too many attempts. Try again later.")
                if isinstance(why, throttle.Throttled)
                else str(why),
            )
        else:
            request.session["portal-address"] = address
            return redirect("portal:enter_code")
    return render(request, "portal/sign_in.html", {"form": form, "title": _("Sign in")})


@never_cache
@require_http_methods(["GET", "POST"])
def enter_code(request: HttpRequest) -> HttpResponse:
    address = request.session.get("portal-address", "")
    if not address:
        return redirect("portal:sign_in")
    error = ""
    if request.method == "POST":
        try:
            person = codes.take_code(
                EmailCode.Purpose.SIGN_IN,
                address,
                request.POST.get("code", "")[:40],
                asker=_asker(request),
            )
        except Refused:
            error = _("This code is not right, or not valid any more.")
        else:
            return _let_in(request, person)
    context = {"address": address, "error": error, "title": _("Enter the code")}
    return render(request, "portal/enter_code.html", context)


@never_cache
@require_http_methods(["GET", "POST"])
def enter_pin(request: HttpRequest) -> HttpResponse:
    error = ""
    if request.method == "POST":
        try:
            person = pins.take_pin(request.POST.get("pin", "")[:40], client=client(request))
        except Refused:
            error = _("This PIN is not right, or not valid any more.")
        except throttle.Throttled:
            error = _("Too many attempts. Try again later.")
        else:
            return _let_in(request, person)
    return render(
        request, "portal/enter_pin.html", {"error": error, "title": _("Sign in with a PIN")}
    )


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect("portal:sign_in")


def _let_in(request: HttpRequest, person: Person | None) -> HttpResponse:
    assert person is not None
    wanted = request.session.get("portal-next", "")
    login(request, person, backend=BACKEND)
    # Not what an earlier sign-in of theirs has left in the session.
    request.session[PIN_OF_SESSION] = person.let_in_by.pk if person.let_in_by else None
    request.session.pop("portal-address", None)
    request.session.pop("portal-asker", None)
    request.session.pop("portal-next", None)
    return redirect(wanted or "portal:tickets")


def _asker(request: HttpRequest) -> str:
    """This session: nobody else can try its code, or use up its tries."""
    return f"session {request.session.setdefault('portal-asker', secrets.token_urlsafe(24))}"
