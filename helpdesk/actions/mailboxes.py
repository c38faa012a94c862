"""What an admin does to a mailbox: whose its tickets are, whether its mail is fetched, and a test
of its own words."""

from collections.abc import Collection, Iterable

from django.contrib.admin.models import CHANGE, LogEntry
from django.db import transaction

from helpdesk.models import MailTemplate, Person, Team
from helpdesk.outbound import notify, servers, texts
from inbound.models import ImapAccount, Mailbox


def give_to_teams(mailbox: Mailbox, teams: Iterable[Team]) -> None:
    """Whose its tickets are; none: everybody's."""
    mailbox.teams.set(teams)


def way_out_changed(mailbox: Mailbox) -> None:
    """What was held against its way out was said of an earlier one: mail that waits for it is tried
    at once."""
    servers.forget(mailbox.address)


def watch_accounts(accounts: Collection[ImapAccount], *, watched: bool, actor: Person) -> int:
    """Whether mail is fetched from them from now on; how many they are. Who said so stands in
    Django's log of each account."""
    with transaction.atomic():
        keys = [account.pk for account in accounts]
        changed = ImapAccount.objects.filter(pk__in=keys).update(is_active=watched)
        words = "It is watched again." if watched else "It is paused."
        LogEntry.objects.log_actions(actor.pk, accounts, CHANGE, words)
    return changed


def send_test_mail(text: MailTemplate, said: texts.Words, *, actor: Person) -> None:
    """`said`, which is `text` with sample values, goes to the admin who asks."""
    notify.test_mail(actor, text.mailbox, said)
