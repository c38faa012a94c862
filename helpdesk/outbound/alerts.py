"""Alerts by SMS, Slack, Teams, Telegram and whatever else Apprise knows: a row for each channel,
sent by a task."""

import logging
from collections.abc import Sequence

from helpdesk import changes
from helpdesk.config_cache import kept_for_a_moment
from helpdesk.models import Alert, AlertChannel, Person, Team, Ticket
from inbound import hosts
from inbound.secrets import unsealed
from tasks.ring import ring


class NotSent(Exception):
    """The service did not take it."""


def for_person(person: Person, kind: str, ticket: Ticket, title: str, body: str) -> None:
    _queue(_channels("person", person.pk), kind, ticket, title, body)


def for_team(team: Team | None, kind: str, ticket: Ticket, title: str, body: str) -> None:
    if team is not None:
        _queue(_channels("team", team.pk), kind, ticket, title, body)


def send(alert: Alert) -> None:
    """Raises NotSent with what the service said."""
    import apprise  # slow to import, and a pipe starts a process for each mail

    with apprise.LogCapture(level=logging.WARNING) as log:  # type: ignore[no-untyped-call]
        service = apprise.Apprise()
        if not service.add(unsealed(alert.channel.url)):
            raise NotSent("Apprise does not know the channel's address")
        with hosts.named_by_an_admin() as refused:
            if not service.notify(title=alert.title, body=alert.body):
                # Its plugins keep to themselves what a socket raised.
                why = str(refused[0]) if refused else log.getvalue().strip()[:2000]
                raise NotSent(why or "the service did not take it")


def _queue(
    channels: Sequence[AlertChannel], kind: str, ticket: Ticket, title: str, body: str
) -> None:
    for channel in channels:
        alert = Alert(
            pk=changes.number_for(Alert, ahead=1),
            channel=channel,
            ticket=ticket,
            kind=kind,
            title=title[:300],
            body=body[:2000],
        )
        ring("tasks.alerts.deliver", changes.insert(alert).pk)


@kept_for_a_moment
def _channels(owner: str, pk: int) -> list[AlertChannel]:
    return list(AlertChannel.objects.filter(**{owner: pk}, is_active=True))
