from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser

from helpdesk import demo


class Command(BaseCommand):
    help = "Fills in sample tickets, customers and agents. None of its mail is sent."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tickets", type=int, default=40)

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", verbosity=0, interactive=False)
        self.stdout.write(f"{demo.fill(options['tickets'])} tickets made")
