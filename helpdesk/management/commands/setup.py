from typing import Any

from django.core.management.base import BaseCommand

from helpdesk import setup


class Command(BaseCommand):
    help = "Makes the first mailbox and the first admin, where there is none. Changes nothing else."

    def handle(self, *args: Any, **options: Any) -> None:
        made = setup.first_rows()
        if made.mailbox:
            self.stdout.write(f"Mailbox {made.mailbox}")
        if made.admin:
            self.stdout.write(
                f"Admin {made.admin}"
                + (f", password {made.password} (shown this once)" if made.password else "")
            )
