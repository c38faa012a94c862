from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from helpdesk.intake import understood
from helpdesk.intake.decide import decide
from helpdesk.intake.plan import Plan
from inbound import queue
from inbound.models import InboundMail


class Command(BaseCommand):
    help = (
        "Processes mail again that failed, was ignored or quarantined; with --dry-run "
        "says what today's rules would do."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", nargs="+", type=int)
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="change nothing; say what would be done, and what was",
        )
        parser.add_argument("--force", action="store_true", help="let quarantined mail through")

    def handle(self, *args: Any, **options: Any) -> None:
        mails = list(
            InboundMail.objects.select_related("mailbox", "raw")
            .filter(pk__in=options["id"])
            .order_by("pk")
        )
        if missing := sorted(set(options["id"]) - {mail.pk for mail in mails}):
            raise CommandError(f"there is no mail {', '.join(map(str, missing))}")
        if options["dry_run"]:
            for mail in mails:
                self._explain(mail)
            return
        changed = queue.requeue(mails, force=options["force"])
        self.stdout.write(
            f"{changed} of {len(mails)} will be processed again; what is done stays done"
        )

    def _explain(self, mail: InboundMail) -> None:
        if mail.raw is None:
            self.stdout.write(f"mail {mail.pk}: its bytes have been deleted")
            return
        then = f"{mail.state} {mail.reason}".strip() + (
            f", #{mail.ticket_number}" if mail.ticket_number else ""
        )
        plan = decide(understood.read(mail, mail.raw.content))
        now = (
            f"{plan.do} ({plan.rule})"
            + (f", #{plan.ticket}" if plan.ticket else "")
            + (f": {plan.reason}" if plan.reason else "")
        )
        self._compare(mail, then, now, plan)

    def _compare(self, mail: InboundMail, then: str, now: str, plan: Plan) -> None:
        before, after = mail.evidence.get("rule", ""), plan.rule
        self.stdout.write(f"mail {mail.pk}: was {then} by rule {before or '-'}; would be {now}")
        if before and before != after:
            self.stdout.write(f"    the rule changed from {before} to {after}")
        for candidate in plan.evidence.get("candidates", []):
            self.stdout.write(
                f"    refused #{candidate['ticket']} by {candidate['rule']}: {candidate['why']}"
            )
