from django.apps import AppConfig

from inbound import connections


class InboundConfig(AppConfig):
    name = "inbound"
    verbose_name = "Mail in"

    def ready(self) -> None:
        connections.connect()
