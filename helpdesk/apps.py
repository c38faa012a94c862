from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig
from django.core import checks


class HelpdeskConfig(AppConfig):
    name = "helpdesk"
    default = True
    verbose_name = "Helpdesk"

    def ready(self) -> None:
        from helpdesk.checks import mail_backend
        from helpdesk.outbound import provider_events
        from inbound.transports.webhook import arrivals

        checks.register(mail_backend.way_out)
        provider_events.connect()
        arrivals.connect()


class StaffSiteConfig(AdminConfig):
    """Django's admin app with our one staff site in the place of its default."""

    default = False
    default_site = "helpdesk.staff.site.StaffSite"
