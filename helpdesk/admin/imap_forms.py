"""How an IMAP account is entered: on its own page, and on its mailbox's."""

from django import forms
from unfold.admin import StackedInline

from helpdesk.admin.secrets import KeepsSecrets, KeptSecret
from helpdesk.env import addresses
from inbound.models import ImapAccount


class ImapAccountForm(KeepsSecrets):
    secret_fields = ("secret", "client_secret")
    goes_to = {
        "secret": ("host", "port", "security", "username", "auth", "token_url"),
        "client_secret": ("token_url", "client_id"),
    }
    secret = KeptSecret(
        label="Password or refresh token",
        help_text="Never shown again; empty keeps what is stored.",
    )
    client_secret = KeptSecret(
        label="Client secret",
        help_text="For OAuth 2. Never shown again; empty keeps it, - removes it.",
    )

    class Meta:
        model = ImapAccount
        exclude: list[str] = []

    def clean_host(self) -> str:
        try:
            return addresses.host(self.cleaned_data["host"].strip())
        except ValueError as error:
            raise forms.ValidationError(f"The host {error}.") from None

    def clean_port(self) -> int:
        port = int(self.cleaned_data["port"])
        if not 0 < port < 65536:
            raise forms.ValidationError(
                "A port is a number from 1 to 65535; IMAP's are 993 with TLS, and 143."
            )
        return port


class ImapAccountInline(StackedInline):  # type: ignore[misc]
    model = ImapAccount
    form = ImapAccountForm
    extra = 0
    show_change_link = True  # there: testing it, and how it stands
    verbose_name_plural = (
        "Fetched by IMAP (none: its mail comes by SMTP, LMTP, a webhook or a pipe)"
    )
    fields = [
        "host",
        "port",
        "security",
        "username",
        "auth",
        "secret",
        "folder",
        "move_to",
        "first_contact",
        "is_active",
    ]
