import sys
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from helpdesk import setup
from helpdesk.celery import app
from helpdesk.checks import mail_backend
from helpdesk.processes.serve import run
from helpdesk.processes.supervisor import in_a_child
from inbound.default_mailbox import default_mailbox
from inbound.models import Mailbox


class Command(BaseCommand):
    help = "Runs the whole helpdesk: web, SMTP listener, workers and beat. Migrates first."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.CELERY_BROKER_URL != "memory://localhost":
            raise CommandError(
                "CELERY_BROKER_URL: `serve` brings its own broker. With Redis, run the parts as "
                "processes: "
                "uvicorn helpdesk.asgi:application, manage.py smtpd, celery -A helpdesk worker, "
                "celery -A helpdesk beat"
            )
        if problems := mail_backend.way_out():
            raise CommandError("\n".join(problem.msg for problem in problems))
        said = in_a_child(_prepare)
        if code := run(app, announce=lambda: self._announce(said)):
            sys.exit(code)

    def _announce(self, words: str) -> None:
        self.stdout.write(words)
        self.stdout.flush()


def _prepare() -> str:
    """The tables and the first rows; what is said once everything is up."""
    call_command("migrate", verbosity=0, interactive=False)
    made, mailbox = setup.first_rows(), default_mailbox()
    return "\n".join([*_where(made, mailbox), *_first_mail(mailbox)])


def _where(made: setup.Made, mailbox: Mailbox | None) -> Iterator[str]:
    yield f"\n  Staff site     {settings.PUBLIC_URL}/admin/"
    if made.admin:
        shown = (
            f"   password {made.password}   (shown this once)"
            if made.password
            else "   (ADMIN_PASSWORD)"
        )
        yield f"  First admin    {made.admin}{shown}"
    for name, listens in (("SMTP", settings.SMTP_ADDR), ("LMTP", settings.LMTP_ADDR)):
        if listens:
            yield f"  {name}           {listens[0]}:{listens[1]}   for {mailbox}"
    if settings.EMAIL_BACKEND == "helpdesk.outbound.to_files.EmailBackend":
        yield f"  Mail we send   {settings.EMAIL_FILE_PATH}   (set EMAIL_URL to send it for real)"


def _first_mail(mailbox: Mailbox | None) -> Iterator[str]:
    if settings.SMTP_ADDR and mailbox:
        host, port = settings.SMTP_ADDR
        yield (
            "\n  Send a first mail:\n\n"
            f"  printf 'From: Cleo <cleo@example.net>\\nTo: {mailbox}\\nSubject: My printer is "
            "on fire\\n"
            "Message-ID: <first@example.net>\\n\\nPlease help.\\n' | "
            f"curl smtp://{host}:{port} --mail-from cleo@example.net --mail-rcpt {mailbox} "
            "--crlf -T -\n"
        )
