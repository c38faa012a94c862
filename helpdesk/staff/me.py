"""An agent's own affairs: which mail they get, and a new password."""

from typing import Any
from urllib.parse import unquote

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth import views
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse, reverse_lazy
from django.views.decorators.http import require_http_methods
from django.views.generic import FormView, TemplateView

from helpdesk import access, actions, throttle
from helpdesk.actions import Refused
from helpdesk.auth import resets
from helpdesk.models.mail_kinds import To, muteable
from helpdesk.request_data import AddressField


@require_http_methods(["GET", "POST"])
def my_mail(request: HttpRequest) -> HttpResponse:
    assert access.is_staff(request.user)
    me, kinds = request.user, muteable(To.STAFF)
    if request.method == "POST":
        wanted = set(request.POST.getlist("kind"))
        muted = [kind.slug for kind in kinds if kind.slug not in wanted]
        actions.choose_mail(me, muted=muted, language=request.POST.get("language", ""))
        actions.set_away(me, "away" in request.POST, actor=me)
        messages.success(request, "Saved.")
        return redirect("admin:me")
    context = {
        **admin.site.each_context(request),
        "title": "Mail to me",
        "kinds": [(kind.slug, kind.title, kind.slug not in me.muted) for kind in kinds],
        "languages": settings.LANGUAGES,
    }
    return render(request, "staff/me.html", context)


class AddressForm(forms.Form):
    email = AddressField(
        label="E-mail address", widget=forms.EmailInput(attrs={"autocomplete": "email"})
    )


class _OurLook:
    """The staff site's colours and name."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found: dict[str, Any] = super().get_context_data(**kwargs)  # type: ignore[misc]
        return {**admin.site.each_context(self.request), **found}  # type: ignore[attr-defined]


class PasswordReset(_OurLook, FormView):  # type: ignore[type-arg]
    """Sends staff a link. The answer is the same whoever asks for whomever."""

    template_name = "staff/password_reset.html"
    form_class = AddressForm
    success_url = reverse_lazy("admin:password_reset_done")
    extra_context = {"title": "Forgotten your password?"}

    def form_valid(self, form: AddressForm) -> HttpResponse:
        link = settings.PUBLIC_URL + unquote(
            reverse("admin:password_reset_confirm", args=["{uid}", "{token}"])
        )
        try:
            actions.send_password_link(
                form.cleaned_data["email"],
                link=link,
                client=str(self.request.META.get("REMOTE_ADDR", "")),
                for_staff=True,
            )
        except (throttle.Throttled, Refused) as why:
            form.add_error(None, str(why))
            return self.form_invalid(form)
        return super().form_valid(form)


class PasswordResetDone(_OurLook, TemplateView):
    template_name = "staff/password_reset.html"
    extra_context = {"title": "Look into your mail", "is_sent": True}


class PasswordResetConfirm(_OurLook, views.PasswordResetConfirmView):
    template_name = "staff/password_reset.html"
    token_generator = resets.tokens
    success_url = reverse_lazy("admin:login")

    def form_valid(self, form: Any) -> HttpResponse:
        messages.success(self.request, "Your password is set. Sign in with it.")
        return super().form_valid(form)
