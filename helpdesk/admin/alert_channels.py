"""Where a team or an agent is alerted by SMS and chat."""

from unfold.admin import TabularInline

from helpdesk.admin.secrets import KeepsSecrets, KeptSecret
from helpdesk.models import AlertChannel


class ChannelForm(KeepsSecrets):
    secret_fields = ("url",)
    url = KeptSecret(
        label="Address",
        help_text="An Apprise URL, such as slack://… or tgram://… Never shown again.",
    )

    class Meta:
        model = AlertChannel
        exclude: list[str] = []


class ChannelInline(TabularInline):  # type: ignore[misc]
    model = AlertChannel
    form = ChannelForm
    fields = ["name", "url", "is_active"]
    extra = 0
    verbose_name_plural = "Alerts by SMS and chat"
