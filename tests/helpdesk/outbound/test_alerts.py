"""Alerts by SMS and chat: a row for each channel, sent through Apprise to a real HTTP server, and
tried again."""

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone

from helpdesk import actions, escalation
from helpdesk.actions import Content
from helpdesk.models import Alert, AlertChannel, BusinessCalendar, SLAPolicy, Team
from tasks.alerts import deliver
from tests.support.mail import agent, customer, mailbox

pytestmark = pytest.mark.django_db


class Service(HTTPServer):
    taken: list[dict[str, str]]
    status = 200


@pytest.fixture
def service() -> Iterator[Service]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert isinstance(self.server, Service)
            if self.server.status == 200:
                self.server.taken.append(json.loads(body))
            self.send_response(self.server.status)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = Service(("127.0.0.1", 0), Handler)
    server.taken = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def channel(service: Service, **owner: object) -> AlertChannel:
    return AlertChannel.objects.create(
        name="chat", url=f"json://127.0.0.1:{service.server_port}/secret-token", **owner
    )


def deliver_all() -> None:
    Alert.objects.filter(state="queued").update(next_attempt_at=timezone.now())
    for pk in list(Alert.objects.filter(state="queued").values_list("pk", flat=True)):
        deliver(pk)


def test_a_team_hears_of_new_tickets_and_breaches_and_an_agent_of_their_own(
    service: Service,
) -> None:
    ada, team = agent(), Team.objects.create(name="First line")
    mailbox().teams.add(team)
    channel(service, team=team), channel(service, person=ada)
    calendar = BusinessCalendar.objects.create(name="all", weekly="always")
    SLAPolicy.objects.create(name="fast", calendar=calendar, first_response=5)
    ticket, _ = actions.open_ticket(
        actions.NewTicket(
            requester=customer(),
            mailbox=mailbox(),
            subject="Fire",
            content=Content(text="x"),
            via="email",
            actor=None,
            at=timezone.now() - timedelta(hours=1),
        )
    )
    actions.assign(ticket, ada, actor=None)
    escalation.sweep()
    deliver_all()
    assert sorted(Alert.objects.values_list("kind", flat=True)) == [
        "assigned",
        "opened",
        "sla_breach",
        "sla_breach",
    ]
    assert any("First response missed" in message["title"] for message in service.taken)
    assert len(service.taken) == 4


def test_a_service_that_fails_is_tried_again_later_and_its_address_is_told_nowhere(
    service: Service, caplog
) -> None:
    ada = agent()
    channel(service, person=ada)
    with connection.cursor() as cursor:
        cursor.execute("select url from helpdesk_alertchannel")
        assert "secret-token" not in cursor.fetchone()[0]
    ticket, _ = actions.open_ticket(
        actions.NewTicket(
            requester=customer(),
            mailbox=mailbox(),
            subject="Fire",
            content=Content(text="x"),
            via="email",
            actor=None,
        )
    )
    actions.assign(ticket, ada, actor=None)
    service.status = 500
    deliver_all()
    alert = Alert.objects.get()
    assert (alert.state, alert.attempts) == ("queued", 1)
    assert alert.next_attempt_at > timezone.now()
    assert "secret-token" not in alert.error + caplog.text
    service.status = 200
    deliver_all()
    alert.refresh_from_db()
    assert alert.state == "sent"


@pytest.mark.parametrize("url", ["nonsense", "syslog://", "dbus://", "file:///etc/passwd"])
def test_an_address_that_apprise_does_not_know_or_that_stays_on_the_machine_is_refused(
    url: str,
) -> None:
    with pytest.raises(ValidationError, match="Apprise"):
        AlertChannel(name="x", person=agent(), url=url).clean()
