"""How a customer comes in: a code by mail, or a PIN that staff gave them. Staff have their own site."""

import secrets
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django import forms
from django.contrib import messages
from django.contrib.auth import login, logout, update_session_auth_hash, views
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse, reverse_lazy
from django.utils.http import urlencode
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from helpdesk import access, actions, resets, throttle
from helpdesk.actions import Refused, codes, pins
from helpdesk.given import AddressField, page_of_ours
from helpdesk.middleware import PIN_OF_SESSION
from helpdesk.models import EmailCode, Person

BACKEND = "helpdesk.auth.EmailBackend"


P = ParamSpec("P")


def customers_only(
    view: Callable[Concatenate[HttpRequest, P], HttpResponse],
) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
    """For pages of whoever is signed in as a customer; others are asked to, and staff are sent to their site."""

    @wraps(view)
    @never_cache
    def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if access.is_staff(request.user):
            return redirect("admin:index")
        if not request.user.is_authenticated:
            return redirect(f"{reverse('portal:sign_in')}?{urlencode({'next': request.get_full_path()})}")
        return view(request, *args, **kwargs)

    return guarded  # type: ignore[return-value]


class AddressForm(forms.Form):
    email = AddressField(label=gettext_lazy("E-mail address"), widget=forms.EmailInput(attrs={"autocomplete": "email"}))


@never_cache
@require_http_methods(["GET", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Asks for the address; a code goes there if it is a customer's. The page says the same for everyone."""
    if request.method == "GET" and request.user.is_authenticated:
        return redirect("portal:tickets")
    form = AddressForm(request.POST or None)
    if wanted := page_of_ours(request.GET.get("next", "")):
        request.session["portal-next"] = wanted
    if request.method == "POST" and form.is_valid():
        address = form.cleaned_data["email"].lower()
        try:
            codes.send_code(
                EmailCode.Purpose.SIGN_IN, address, asker=_asker(request), client=_client(request),
                language=get_language() or "",
            )  # fmt: skip
        except (throttle.Throttled, Refused) as why:
            form.add_error(
                None, _("Too many attempts. Try again later.") if isinstance(why, throttle.Throttled) else str(why)
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
                EmailCode.Purpose.SIGN_IN, address, request.POST.get("code", "")[:40], asker=_asker(request)
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
            person = pins.take_pin(request.POST.get("pin", "")[:40], client=_client(request))
        except Refused:
            error = _("This PIN is not right, or not valid any more.")
        except throttle.Throttled:
            error = _("Too many attempts. Try again later.")
        else:
            return _let_in(request, person)
    return render(request, "portal/enter_pin.html", {"error": error, "title": _("Sign in with a PIN")})


@never_cache
@require_http_methods(["GET", "POST"])
def end_pin(request: HttpRequest, token: str) -> HttpResponse:
    """From the mail that tells of a PIN. GET asks, POST does it: those who fetch every link in a mail end nothing."""
    pin = pins.pin_to_end(token)
    if pin is None:
        raise Http404
    if request.method == "POST":
        pins.end_pin(pin)
        pin.refresh_from_db()
    context = {"title": _("End the PIN"), "pin": pin, "is_over": pin.revoked_at is not None}
    return render(request, "portal/end_pin.html", context)


@require_http_methods(["GET", "POST"])
@customers_only
def new_address(request: HttpRequest) -> HttpResponse:
    """Asks for the new address, then for the codes that went to it and to the present one."""
    me, error = request.user, ""
    assert isinstance(me, Person)
    wanted = request.session.get("portal-new-address", "")
    form = AddressForm(request.POST if "email" in request.POST else None)
    try:
        if "email" in request.POST and form.is_valid():
            asked = form.cleaned_data["email"].lower()
            actions.ask_for_new_address(me, asked, client=_client(request))
            request.session["portal-new-address"] = wanted = asked
        elif request.method == "POST" and wanted and "email" not in request.POST:
            actions.change_address(
                me, wanted, confirmation=request.POST.get("confirmation", "")[:40],
                verification=request.POST.get("verification", "")[:40],
            )  # fmt: skip
            request.session.pop("portal-new-address", None)
            update_session_auth_hash(request, me)  # this sign-in goes on, the others are over
            messages.success(request, _("Saved."))
            return redirect("portal:me")
    except Refused as why:
        error = _("This code is not right, or not valid any more.") if why.field == "otp" else str(why)
    except throttle.Throttled:
        error = _("Too many attempts. Try again later.")
    context = {"title": _("Another e-mail address"), "form": form, "wanted": wanted, "error": error}
    return render(request, "portal/address.html", context)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect("portal:sign_in")


@never_cache
@require_http_methods(["GET", "POST"])
def registration(request: HttpRequest, token: str) -> HttpResponse:
    """Where the link of a registration leads. Programs follow links, so it asks; and it asks for the password, or a reader
    would open an account to which somebody else has it."""
    address, error = actions.waits_for_link(token), ""
    if request.method == "POST" and address:
        try:
            actions.follow_link(token, request.POST.get("password", "")[:1000])
        except Refused as why:
            if why.field == "password":
                error = _("This is not the password that was chosen.")
            else:
                address = ""
        else:
            messages.success(request, _("Your account is ready. Sign in with a code."))
            return redirect("portal:sign_in")
    context = {"title": _("Confirm your registration"), "address": address, "error": error}
    response = render(request, "portal/registration.html", context)
    response["Referrer-Policy"] = "same-origin"  # the address is the key
    response["X-Robots-Tag"] = "noindex"
    return response


class NewPassword(views.PasswordResetConfirmView):
    """Where the link of a password mail leads: for clients of the API."""

    template_name = "portal/password.html"
    token_generator = resets.tokens
    success_url = reverse_lazy("portal:sign_in")

    def form_valid(self, form: Any) -> HttpResponse:
        messages.success(self.request, _("Your password is set."))
        return super().form_valid(form)


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


def _client(request: HttpRequest) -> str:
    return str(request.META.get("REMOTE_ADDR", ""))
