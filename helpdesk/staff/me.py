"""An agent's own affairs: which mail they get, and a new password."""

from datetime import timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth import views
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse, reverse_lazy
from django.views.decorators.http import require_http_methods
from django.views.generic import FormView, TemplateView

from helpdesk import access, actions, people, resets, throttle
from helpdesk.kinds import To, muteable
from inbound.models import Mailbox


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
    email = forms.EmailField(label="E-mail address", widget=forms.EmailInput(attrs={"autocomplete": "email"}))


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
        address = form.cleaned_data["email"].lower()
        client = throttle.client_key(self.request.META.get("REMOTE_ADDR", ""))
        try:
            throttle.take(f"reset-from {client}", 10, timedelta(hours=1))
            throttle.take(f"reset-to {address}", 3, timedelta(hours=1))
        except throttle.Throttled:
            form.add_error(None, "Too many attempts. Try again later.")
            return self.form_invalid(form)
        person = people.who_signs_in(address)
        mailbox = Mailbox.objects.filter(is_active=True).order_by("pk").first()
        if person is not None and person.is_staff and mailbox is not None:
            page = reverse("admin:password_reset_confirm", args=["UID", "TOKEN"])
            resets.send_link(
                person, mailbox, settings.PUBLIC_URL + page.replace("UID", "{uid}").replace("TOKEN", "{token}")
            )
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
