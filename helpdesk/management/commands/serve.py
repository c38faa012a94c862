import sys
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from helpdesk import setup
from helpdesk.celery import app
from helpdesk.checks import mail_backend
from helpdesk.processes.serve import run
from inbound.default_mailbox import default_mailbox


class Command(BaseCommand):
    help = (
        "Runs the whole helpdesk in one process: web, SMTP listener, workers and beat. "
        "Migrates first."
    )
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
        call_command("migrate", verbosity=0, interactive=False)
        made = setup.first_rows()
        setup.void_leases()
        code = run(app, announce=lambda: self._announce(made))
        if code:
            sys.exit(code)

    def _announce(self, made: setup.Made) -> None:
        say = self.stdout.write
        mailbox = default_mailbox()
        say(f"\n  Staff site     {settings.PUBLIC_URL}/admin/")
        if made.admin:
            shown = (
                f"   password {made.password}   (shown this once)"
                if made.password
                else "   (ADMIN_PASSWORD)"
            )
            say(f"  First admin    {made.admin}{shown}")
        for name, listens in (("SMTP", settings.SMTP_ADDR), ("LMTP", settings.LMTP_ADDR)):
            if listens:
                say(f"  {name}           {listens[0]}:{listens[1]}   for {mailbox}")
        if settings.EMAIL_BACKEND == "helpdesk.outbound.to_files.EmailBackend":
            say(
                f"  Mail we send   {settings.EMAIL_FILE_PATH}   (set EMAIL_URL to send it for real)"
            )
        if settings.SMTP_ADDR and mailbox:
            host, port = settings.SMTP_ADDR
            say(
                "\n  Send a first mail:\n\n"
                f"  printf 'From: Cleo <cleo@example.net>\\nTo: {mailbox}\\nSubject: My printer is "
                "on fire\\n"
                "Message-ID: <first@example.net>\\n\\nPlease help.\\n' | "
                f"curl smtp://{host}:{port} --mail-from cleo@example.net --mail-rcpt {mailbox} "
                "--crlf -T -\n"
            )
        self.stdout.flush()
