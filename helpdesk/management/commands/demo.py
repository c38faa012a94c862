from typing import Any

from django.core.management import CommandError, call_command
from django.core.management.base import BaseCommand, CommandParser

from helpdesk import demo
from helpdesk.demo import years

FEW = 1000  # so many are played through, one by one


class Command(BaseCommand):
    help = (
        "Fills in sample tickets, customers and agents. None of its mail is sent. More than "
        f"{FEW} are a helpdesk after years: they are written straight into the tables, in a "
        "helpdesk that has none and does not run."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tickets", type=int, default=40)

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", verbosity=0, interactive=False)
        count = options["tickets"]
        if count <= FEW:
            self.stdout.write(f"{demo.fill(count)} tickets made")
            return
        try:
            for made in years.fill(count):
                self.stdout.write(f"{made:,} of {count:,} tickets written", ending="\r")
        except ValueError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{count:,} tickets made" + " " * 20)
