from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class HelpdeskConfig(AppConfig):
    name = "helpdesk"
    default = True
    verbose_name = "Helpdesk"

    def ready(self) -> None:
        from helpdesk import provider
        from inbound.transports import webhook

        provider.connect()
        webhook.connect()


class StaffSiteConfig(AdminConfig):
    """Django's admin app with our one staff site in the place of its default."""

    default = False
    default_site = "helpdesk.staff.site.StaffSite"
