"""What an account rests on: a new address; and by links in mail a registration, a new password, and
the end of a PIN."""

from typing import Any

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash, views
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from helpdesk import actions, throttle
from helpdesk.actions import Refused, pins
from helpdesk.auth import resets
from helpdesk.models import Person
from helpdesk.portal.customers import client, customers_only
from helpdesk.portal.forms import AddressForm


@never_cache
@require_http_methods(["GET", "POST"])
def end_pin(request: HttpRequest, token: str) -> HttpResponse:
    """From the mail that tells of a PIN. GET asks, POST does it: those who fetch every link in a
    mail end nothing."""
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
            actions.ask_for_new_address(me, asked, client=client(request))
            request.session["portal-new-address"] = wanted = asked
        elif request.method == "POST" and wanted and "email" not in request.POST:
            actions.change_address(
                me,
                wanted,
                confirmation=request.POST.get("confirmation", "")[:40],
                verification=request.POST.get("verification", "")[:40],
            )
            request.session.pop("portal-new-address", None)
            update_session_auth_hash(request, me)  # this sign-in goes on, the others are over
            messages.success(request, _("Saved."))
            return redirect("portal:me")
    except Refused as why:
        error = (
            _("This code is not right, or not valid any more.") if why.field == "otp" else str(why)
        )
    except throttle.Throttled:
        error = _("Too many attempts. Try again later.")
    context = {"title": _("Another e-mail address"), "form": form, "wanted": wanted, "error": error}
    return render(request, "portal/address.html", context)


@never_cache
@require_http_methods(["GET", "POST"])
def registration(request: HttpRequest, token: str) -> HttpResponse:
    """Where the link of a registration leads. Programs follow links, so it asks; and it asks for
    the password, or a reader would open an account to which somebody else has it."""
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
