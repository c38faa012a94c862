"""What is configured on the staff site, and the two mail queues. Tickets have pages of their own."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin, StackedInline, TabularInline
from unfold.decorators import action, display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.paginator import InfinitePaginator
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from helpdesk import access, ledger, people, routes
from helpdesk.actions import due_times, outbox, suppression
from helpdesk.given import only_keys, whole
from helpdesk.kinds import KINDS
from helpdesk.models import (
    AlertChannel,
    BlockedSender,
    BusinessCalendar,
    Category,
    Identity,
    MailTemplate,
    OutboundMail,
    Person,
    PersonAddress,
    SLAPolicy,
    SLAStep,
    SupportPin,
    Suppression,
    Team,
    TrustedWay,
)
from helpdesk.wording import PLACEHOLDERS
from inbound import store
from inbound.models import ImapAccount, ImapCursor, InboundMail, Mailbox
from inbound.transports.imap import passed_over, session
from inbound.transports.imap.account import of_row

STATE_COLOURS = {
    "received": "info", "done": "success", "ignored": "", "quarantined": "warning", "failed": "danger",
    "queued": "info", "sent": "success", "suppressed": "warning", "cancelled": "", "bounced": "danger",
}  # fmt: skip


admin.site.unregister(Group)  # nobody's rights hang on one: helpdesk.access decides


class LargeTableAdmin(ModelAdmin):  # type: ignore[misc]
    """For tables with millions of rows: no exact count, newest first by the key."""

    show_full_result_count = False
    paginator = InfinitePaginator
    ordering = ["-pk"]
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class KeptSecret(forms.CharField):
    """A secret that is written and never shown again: left empty it stays, "-" takes it away."""

    def __init__(self, *, rows: int = 1, **kwargs: Any) -> None:
        widget = UnfoldAdminTextareaWidget(attrs={"rows": rows, "autocomplete": "off", "spellcheck": "false"})
        super().__init__(required=False, widget=widget, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return ""


class KeepsSecrets(forms.ModelForm):  # type: ignore[type-arg]
    """A secret is for those alone whom it was entered for: who changes where it goes must know it."""

    secret_fields: tuple[str, ...] = ()
    goes_to: dict[str, tuple[str, ...]] = {}  # the fields that say to whom a secret is handed

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        for name in self.secret_fields:
            given = cleaned.get(name, "").strip()
            # `initial` is what the database holds.
            cleaned[name] = "" if given == "-" else given or self.initial.get(name, "")
            changed = [field for field in self.goes_to.get(name, ()) if field in self.changed_data]
            if changed and not given and cleaned[name]:
                what = ", ".join(str(self.fields[field].label or field).lower() for field in changed)
                self.add_error(name, f"Enter it again: it was stored for another {what}.")
        return cleaned


class IdentityForm(KeepsSecrets):
    secret_fields = ("email_url", "dkim_key")
    email_url = KeptSecret(
        label="Mail server",
        help_text="Its own way out: smtp+tls://user:password@host, or anymail://postmark?server_token=… Never shown "
        "again; empty keeps what is stored, - removes it. Without one the installation's is used.",
    )
    dkim_key = KeptSecret(
        label="DKIM private key", rows=4,
        help_text="PEM, for those who send without a provider. Never shown again; empty keeps it, - removes it.",
    )  # fmt: skip

    class Meta:
        model = Identity
        exclude: list[str] = []


class IdentityInline(StackedInline):  # type: ignore[misc]
    model = Identity
    form = IdentityForm
    verbose_name = verbose_name_plural = "How its mail looks and leaves"


class ChannelForm(KeepsSecrets):
    secret_fields = ("url",)
    url = KeptSecret(label="Address", help_text="An Apprise URL, such as slack://… or tgram://… Never shown again.")

    class Meta:
        model = AlertChannel
        exclude: list[str] = []


class ChannelInline(TabularInline):  # type: ignore[misc]
    model = AlertChannel
    form = ChannelForm
    fields = ["name", "url", "is_active"]
    extra = 0
    verbose_name_plural = "Alerts by SMS and chat"


class MailTemplateForm(forms.ModelForm):  # type: ignore[type-arg]
    kind = forms.ChoiceField(
        choices=[(kind.slug, kind.title) for kind in KINDS.values()], widget=UnfoldAdminSelectWidget
    )

    class Meta:
        model = MailTemplate
        fields = ["mailbox", "kind", "language", "subject", "body"]


@admin.register(MailTemplate)
class MailTemplateAdmin(ModelAdmin):  # type: ignore[misc]
    form = MailTemplateForm
    list_display = ["kind", "mailbox", "language", "subject"]
    list_filter = ["mailbox"]
    actions_detail = ["preview"]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and db_field.name == "body":
            known = ", ".join(f"{{{{{name}}}}}" for name in PLACEHOLDERS)
            field.help_text = f"Markdown. The quoted history goes below by itself. Placeholders: {known}."
        return field

    @action(description="Preview and test", icon="visibility", permissions=["change"])
    def preview(self, request: HttpRequest, object_id: str) -> HttpResponse:
        if (pk := whole(object_id)) is None:
            raise Http404
        return redirect("admin:mail_text_preview", pk)


@admin.register(Suppression)
class SuppressionAdmin(LargeTableAdmin):
    list_display = ["address", "reason", "detail", "created_at"]
    search_fields = ["=address"]
    search_help_text = "A whole address."
    actions = ["lift"]

    def has_lift_permission(self, request: HttpRequest) -> bool:
        return access.is_admin(request.user)

    @action(description="Let mail go there again", permissions=["lift"])
    def lift(self, request: HttpRequest, queryset: QuerySet[Suppression]) -> None:
        assert access.is_admin(request.user)
        for row in queryset:
            suppression.lift(row.address, actor=request.user)
        messages.success(request, "Mail goes there again; answers that were kept back go out.")


class ImapAccountForm(KeepsSecrets):
    secret_fields = ("secret", "client_secret")
    goes_to = {
        "secret": ("host", "port", "security", "username", "auth", "token_url"),
        "client_secret": ("token_url", "client_id"),
    }
    secret = KeptSecret(label="Password or refresh token", help_text="Never shown again; empty keeps what is stored.")
    client_secret = KeptSecret(
        label="Client secret", help_text="For OAuth 2. Never shown again; empty keeps it, - removes it."
    )

    class Meta:
        model = ImapAccount
        exclude: list[str] = []


class ImapAccountInline(StackedInline):  # type: ignore[misc]
    model = ImapAccount
    form = ImapAccountForm
    extra = 0
    show_change_link = True  # there: testing it, and how it stands
    verbose_name_plural = "Fetched by IMAP (none: its mail comes by SMTP, LMTP, a webhook or a pipe)"
    fields = [
        "host", "port", "security", "username", "auth", "secret", "folder", "move_to", "first_contact", "is_active",
    ]  # fmt: skip


class MailboxForm(forms.ModelForm):  # type: ignore[type-arg]
    teams = forms.ModelMultipleChoiceField(
        Team.objects.order_by("pk"), required=False, widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="Whose its tickets are; new ones go to the first of them. None: they are everybody's.",
    )  # fmt: skip

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
        "address", "name", "is_active", "teams", "send_acknowledgement", "on_closed", "plus_addressing", "spam_header",
        "sender_policy", "policy_from", "authserv_id", "agents_forward",
    ]  # fmt: skip
    inlines = [ImapAccountInline, IdentityInline]

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        only_keys(request, "teams")
        return super().changeform_view(request, *args, **kwargs)  # type: ignore[no-any-return]

    list_display = ["address", "name", "is_active", "on_closed", "send_acknowledgement"]
    search_fields = ["address", "name"]

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        form.instance.teams.set(form.cleaned_data["teams"])

    def has_delete_permission(self, request: HttpRequest, obj: Mailbox | None = None) -> bool:
        """A mailbox with mail is switched off, not deleted: its tickets keep their address."""
        if obj is not None and InboundMail.objects.filter(mailbox=obj).exists():
            return False
        return bool(super().has_delete_permission(request, obj))


@admin.register(ImapAccount)
class ImapAccountAdmin(ModelAdmin):  # type: ignore[misc]
    form = ImapAccountForm
    list_display = ["username", "host", "folder", "mailbox", "is_active", "last_contact", "waiting", "trouble"]
    list_select_related = ["mailbox"]
    actions = ["pause", "resume"]
    change_form_outer_before_template = "staff/imap_deeds.html"
    readonly_fields = ["last_contact", "cursor", "waiting", "trouble", "passed_over", "note"]
    fieldsets = [
        (None, {"fields": ["mailbox", "is_active", "first_contact", "folder", "move_to"]}),
        ("Server", {"fields": ["host", "port", "security", "username", "auth", "secret"]}),
        ("OAuth 2", {"fields": ["token_url", "client_id", "client_secret", "scope", "token_expires_at"]}),
        ("How it stands", {"fields": ["last_contact", "cursor", "waiting", "trouble", "passed_over", "note"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> Any:
        self._cursors = {cursor.account: cursor for cursor in ImapCursor.objects.all()}
        self._backlog = ledger.backlog()
        return super().get_queryset(request)

    def _cursor(self, row: ImapAccount) -> ImapCursor | None:
        return self._cursors.get(of_row(row).name)

    @display(description="Last contact")
    def last_contact(self, row: ImapAccount) -> Any:
        cursor = self._cursor(row)
        return cursor.contacted_at if cursor and cursor.contacted_at else "never"

    @display(description="Read so far")
    def cursor(self, row: ImapAccount) -> str:
        cursor = self._cursor(row)
        return f"up to UID {cursor.last_uid} of UIDVALIDITY {cursor.uid_validity}" if cursor else "nothing"

    @display(description="Backlog")
    def waiting(self, row: ImapAccount) -> int:
        return self._backlog.get(row.mailbox_id, 0)

    @display(description="Trouble")
    def trouble(self, row: ImapAccount) -> str:
        cursor = self._cursor(row)
        return cursor.error[:300] if cursor else ""

    @display(description="Passed over")
    def passed_over(self, row: ImapAccount) -> Any:
        """Each on a line of its own; they lie unread on the server."""
        lines = passed_over.named([of_row(row).name])
        return format_html_join(mark_safe("<br>"), "{}", ((line,) for _, line in lines))

    @display(description="Note")
    def note(self, row: ImapAccount) -> str:
        cursor = self._cursor(row)
        return f"{cursor.noted_at:%Y-%m-%d}: {cursor.note}" if cursor and cursor.noted_at else ""

    def get_urls(self) -> Any:
        def deed(route: str, view: Any) -> Any:
            return path(f"<key:pk>/{route}/", self.admin_site.admin_view(require_POST(view)), name=f"imap_{route}")

        return [deed("try", self.try_it), deed("compare", self.compare), *super().get_urls()]

    def _account(self, request: HttpRequest, pk: int) -> ImapAccount:
        row = get_object_or_404(ImapAccount.objects.select_related("mailbox"), pk=pk)
        if not self.has_change_permission(request, row):
            raise PermissionDenied
        return row

    def try_it(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Signs in to the server, and says what is there."""
        row = self._account(request, pk)
        try:
            messages.success(request, f"It works. {session.try_out(of_row(row))}")
        except Exception as error:  # whatever it is, it is what the admin asked for
            messages.error(request, f"{type(error).__name__}: {error}")
        return redirect("admin:inbound_imapaccount_change", pk)

    def compare(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Looks for what was never stored, and takes it in."""
        row = self._account(request, pk)
        try:
            uids = session.missing(of_row(row))
            taken = session.fetch(of_row(row), uids) if uids else 0
        except Exception as error:
            messages.error(request, f"{type(error).__name__}: {error}")
        else:
            said = f"{len(uids)} messages were never stored; {taken} are now." if uids else "Everything is stored."
            (messages.warning if uids else messages.success)(request, said)
        return redirect("admin:inbound_imapaccount_change", pk)

    @action(description="Pause")
    def pause(self, request: HttpRequest, queryset: QuerySet[ImapAccount]) -> None:
        messages.success(request, f"{queryset.update(is_active=False)} paused.")

    @action(description="Resume")
    def resume(self, request: HttpRequest, queryset: QuerySet[ImapAccount]) -> None:
        messages.success(request, f"{queryset.update(is_active=True)} are watched again.")


@admin.register(Team)
class TeamAdmin(ModelAdmin):  # type: ignore[misc]
    list_display = ["name", "strategy", "lead"]
    search_fields = ["name"]
    autocomplete_fields = ["members", "lead", "mailboxes"]
    inlines = [ChannelInline]

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        only_keys(request, *self.autocomplete_fields)
        return super().changeform_view(request, *args, **kwargs)  # type: ignore[no-any-return]


class ChangesDueTimes(ModelAdmin):  # type: ignore[misc]
    """What is saved here decides about due times of tickets that are there already."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        waiting = due_times.work_out_again()
        if waiting:
            messages.info(request, f"The due times of {waiting} unsolved tickets are being worked out again.")


@admin.register(BusinessCalendar)
class BusinessCalendarAdmin(ChangesDueTimes):
    list_display = ["name", "zone", "weekly", "country"]


class SLAStepInline(TabularInline):  # type: ignore[misc]
    model = SLAStep
    extra = 0
    verbose_name_plural = "Escalation: what happens when a breach goes on"


@admin.register(SLAPolicy)
class SLAPolicyAdmin(ChangesDueTimes):
    list_display = ["name", "position", "is_active", "first_response", "next_response", "resolution", "calendar"]
    inlines = [SLAStepInline]
    fieldsets = [
        (None, {"fields": ["name", "position", "is_active"]}),
        ("For which tickets", {"fields": ["team", "category", "priority", "customer"]}),
        ("Within which time", {"fields": ["calendar", "first_response", "next_response", "resolution", "warn_at"]}),
    ]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(super().has_delete_permission(request, obj)) and (obj is None or not obj.is_active)


@admin.register(Category)
class CategoryAdmin(ModelAdmin):  # type: ignore[misc]
    list_display = ["name", "team"]
    search_fields = ["name"]


@admin.register(BlockedSender)
class BlockedSenderAdmin(ModelAdmin):  # type: ignore[misc]
    list_display = ["pattern", "note", "created_at"]
    search_fields = ["pattern"]


@admin.register(SupportPin)
class SupportPinAdmin(LargeTableAdmin):
    """Who could come in as whom, and has: to be read."""

    list_display = ["created_at", "issued_by", "person", "ticket", "used_at", "used_from", "revoked_at"]
    list_display_links = None
    list_select_related = ["issued_by", "person", "ticket"]
    search_fields = ["=person__email", "=issued_by__email"]
    search_help_text = "A whole address: the customer's, or the agent's."
    fields = ["person", "issued_by", "ticket", "created_at", "expires_at", "used_at", "used_from", "revoked_at"]


class AddressInline(TabularInline):  # type: ignore[misc]
    model = PersonAddress
    extra = 0
    readonly_fields = ["given_up_at"]


class PersonCreationForm(UserCreationForm):  # type: ignore[misc]
    class Meta:
        model = Person
        fields = ["email", "name", "role"]

    def clean_email(self) -> str:
        return _free_address(self.cleaned_data["email"], None)


class PersonForm(UserChangeForm):  # type: ignore[misc]
    class Meta:
        model = Person
        fields = "__all__"

    def clean_email(self) -> str:
        return _free_address(self.cleaned_data["email"], self.instance)


@admin.register(Person)
class PersonAdmin(UserAdmin, ModelAdmin):  # type: ignore[misc, type-arg]
    form = PersonForm
    add_form = PersonCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["email", "name", "role", "is_active"]
    list_filter = ["role", "is_active"]
    search_fields = ["email", "name"]
    ordering = ["-pk"]
    show_full_result_count = False
    paginator = InfinitePaginator
    filter_horizontal = []
    autocomplete_fields = ["skills"]
    inlines = [AddressInline, ChannelInline]
    readonly_fields = ["last_login", "created_at"]
    fieldsets = [
        (None, {"fields": ["email", "name", "role", "is_active", "language", "password"]}),
        ("At work", {"fields": ["is_away", "calendar", "skills"]}),
        ("Dates", {"fields": ["last_login", "created_at"]}),
    ]
    add_fieldsets = [(None, {"classes": ["wide"], "fields": ["email", "name", "role", "password1", "password2"]})]

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        only_keys(request, *self.autocomplete_fields)
        return super().changeform_view(request, *args, **kwargs)

    def has_delete_permission(self, request: HttpRequest, obj: Person | None = None) -> bool:
        return False  # switched off instead: what they wrote stays

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        # Members of a team are chosen among agents.
        if "autocomplete" in request.path:
            queryset = queryset.filter(role__in=[Person.Role.AGENT, Person.Role.ADMIN], is_active=True)
        return super().get_search_results(request, queryset, search_term)  # type: ignore[no-any-return]


class WouldBeHeld(admin.SimpleListFilter):
    """What the policy about senders will do, where it only looks on."""

    title = "sender"
    parameter_name = "would_hold"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Would have been held")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[InboundMail]) -> QuerySet[InboundMail]:
        return queryset.filter(would_hold__isnull=False) if self.value() == "yes" else queryset


@admin.register(TrustedWay)
class TrustedWayAdmin(LargeTableAdmin):
    list_display = ["address", "way", "trusted_by", "trusted_at"]
    list_select_related = ["trusted_by"]
    search_fields = ["=address"]
    search_help_text = "A whole address."

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return access.is_admin(request.user)


@admin.register(InboundMail)
class InboundMailAdmin(LargeTableAdmin):
    list_display = ["subject_link", "from_address", "mailbox", "received_at", "shown_state", "reason", "ticket_link"]
    list_display_links = None
    list_filter = ["state", "mailbox", WouldBeHeld]
    list_select_related = ["mailbox"]
    search_fields = ["=message_id", "=from_address"]
    search_help_text = "A whole address or Message-ID."
    actions = ["run_again"]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request) & access.mails(request.user)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return access.is_staff(request.user)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return access.is_staff(request.user)

    def has_run_again_permission(self, request: HttpRequest) -> bool:
        return access.is_staff(request.user)

    @display(description="Subject")
    def subject_link(self, mail: InboundMail) -> str:
        return format_html(
            '<a href="{}">{}</a>', reverse("admin:inbound_mail", args=[mail.pk]), mail.subject or "(no subject)"
        )

    @display(description="State", label=STATE_COLOURS)
    def shown_state(self, mail: InboundMail) -> tuple[str, str]:
        return mail.state, str(mail.get_state_display())

    @display(description="Ticket")
    def ticket_link(self, mail: InboundMail) -> str:
        if not mail.ticket_number:
            return ""
        return format_html(
            '<a href="{}">#{}</a>', reverse("admin:ticket", args=[mail.ticket_number]), mail.ticket_number
        )

    @action(description="Process again", permissions=["run_again"])
    def run_again(self, request: HttpRequest, queryset: QuerySet[InboundMail]) -> None:
        changed = store.requeue(queryset.exclude(state=InboundMail.State.QUARANTINED))
        changed += store.requeue(queryset.filter(state=InboundMail.State.QUARANTINED), force=True)
        messages.success(request, f"{changed} will be processed again; what is done stays done.")


@admin.register(OutboundMail)
class OutboundMailAdmin(LargeTableAdmin):
    list_display = [
        "subject",
        "to_address",
        "shown_kind",
        "created_at",
        "shown_state",
        "attempts",
        "reason",
        "due",
    ]
    list_filter = ["state"]
    list_select_related = ["mailbox"]
    search_fields = ["=to_address", "=message_id"]
    search_help_text = "A whole address or Message-ID."
    fields = [
        "kind", "ticket", "to_address", "subject", "shown_text", "message_id", "in_reply_to", "references", "is_automatic",
        "state", "reason", "error", "attempts", "next_attempt_at", "created_at", "sent_at", "bounced_at",
    ]  # fmt: skip
    actions = ["retry", "cancel"]

    @display(description="Kind")
    def shown_kind(self, mail: OutboundMail) -> str:
        return str(KINDS[mail.kind].title) if mail.kind in KINDS else mail.kind

    @display(description="Next attempt")
    def due(self, mail: OutboundMail) -> Any:
        return mail.next_attempt_at if mail.state == OutboundMail.State.QUEUED else ""

    @display(description="Text")
    def shown_text(self, mail: OutboundMail) -> str:
        return "withheld: it holds a code or a link that signs in" if mail.is_secret else mail.text

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        for route in routes.failing():
            messages.warning(
                request,
                f"{route.name or 'The mail server'} has been failing since {route.failing_since:%d %b %H:%M}; mail "
                f"waits and nothing is lost. It says: {route.error[:300]}",
            )
        return super().changelist_view(request, extra_context)  # type: ignore[no-any-return]

    @display(description="State", label=STATE_COLOURS)
    def shown_state(self, mail: OutboundMail) -> tuple[str, str]:
        return mail.state, str(mail.get_state_display())

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return access.is_admin(request.user)

    @action(description="Send now", permissions=["retry"])
    def retry(self, request: HttpRequest, queryset: QuerySet[OutboundMail]) -> None:
        assert access.is_admin(request.user)
        changed = outbox.send_now(queryset.select_related("ticket"), actor=request.user)
        messages.success(request, f"{changed} will be sent now.")

    @action(description="Cancel", permissions=["retry"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[OutboundMail]) -> None:
        assert access.is_admin(request.user)
        changed = outbox.cancel(queryset.select_related("ticket"), actor=request.user)
        messages.success(request, f"{changed} cancelled.")


def _free_address(address: str, person: Person | None) -> str:
    owner = people.find(address)
    if owner is not None and (person is None or owner.pk != person.pk):
        raise forms.ValidationError(f"{address} belongs to {owner} already.")
    return address.lower()
