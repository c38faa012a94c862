"""Mailboxes: their addresses, whose tickets they bring, and how their mail looks and leaves."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe
from unfold.admin import ModelAdmin, StackedInline
from unfold.decorators import display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from helpdesk.actions import mailboxes as mailbox_actions
from helpdesk.admin.imap_forms import ImapAccountInline
from helpdesk.admin.secrets import KeepsSecrets, KeptSecret
from helpdesk.models import Identity, Team
from helpdesk.request_data import only_keys
from inbound.models import InboundMail, Mailbox
from inbound.transports.webhook.setup import lines as provider_lines


class IdentityForm(KeepsSecrets):
    secret_fields = ("email_url", "dkim_key")
    email_url = KeptSecret(
        label="Mail server",
        help_text="Its own way out: smtp+tls://user:password@host, or "
        "anymail://postmark?server_token=… Never shown "
        "again; empty keeps what is stored, - removes it. Without one the installation's is used.",
    )
    dkim_key = KeptSecret(
        label="DKIM private key",
        rows=4,
        help_text="PEM, for those who send without a provider. Never shown again; empty keeps "
        "it, - removes it.",
    )

    class Meta:
        model = Identity
        exclude: list[str] = []


class IdentityInline(StackedInline):  # type: ignore[misc]
    model = Identity
    form = IdentityForm
    verbose_name = verbose_name_plural = "How its mail looks and leaves"


class MailboxForm(forms.ModelForm):  # type: ignore[type-arg]
    teams = forms.ModelMultipleChoiceField(
        Team.objects.order_by("pk"),
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="Whose its tickets are; new ones go to the first of them. None: they are "
        "everybody's.",
    )

    class Meta:
        model = Mailbox
        exclude: list[str] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["teams"] = self.instance.teams.all()


@admin.register(Mailbox)
class MailboxAdmin(ModelAdmin):  # type: ignore[misc]
    form = MailboxForm
    fields = [
        "address",
        "name",
        "is_active",
        "teams",
        "send_acknowledgement",
        "on_closed",
        "plus_addressing",
        "spam_header",
        "sender_policy",
        "policy_from",
        "authserv_id",
        "agents_forward",
        "by_webhook",
    ]
    readonly_fields = ["by_webhook"]
    inlines = [ImapAccountInline, IdentityInline]

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        only_keys(request, "teams")
        return super().changeform_view(request, *args, **kwargs)  # type: ignore[no-any-return]

    list_display = ["address", "name", "is_active", "on_closed", "send_acknowledgement"]
    search_fields = ["address", "name"]

    @display(description="By a provider's webhook")
    def by_webhook(self, row: Mailbox) -> Any:
        """Where each provider is to post mail, and what it needs; for all mailboxes alike."""
        if not settings.ANYMAIL_WEBHOOK_SECRET:
            return (
                "Off: ANYMAIL_WEBHOOK_SECRET is not set. docs/PROVIDERS.md has the steps "
                "for each provider."
            )
        rows = ((name, url, f" ({todo})" if todo else "") for name, url, todo in provider_lines())
        said = format_html_join(mark_safe("<br>"), "{}: <code>{}</code>{}", rows)
        return format_html(
            "USER:PASSWORD is ANYMAIL_WEBHOOK_SECRET; docs/PROVIDERS.md has the steps.<br>{}", said
        )

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        mailbox_actions.give_to_teams(form.instance, form.cleaned_data["teams"])
        mailbox_actions.way_out_changed(form.instance)

    def has_delete_permission(self, request: HttpRequest, obj: Mailbox | None = None) -> bool:
        """A mailbox with mail is switched off, not deleted: its tickets keep their address."""
        if obj is not None and InboundMail.objects.filter(mailbox=obj).exists():
            return False
        return bool(super().has_delete_permission(request, obj))
