"""Hosts that an admin enters, from the side of one who would like to look around in the helpdesk's
own network."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from helpdesk import actions
from helpdesk.actions import Content
from helpdesk.models import Alert, AlertChannel, Identity, OutboundMail, Team
from helpdesk.outbound import alerts
from inbound import hosts
from inbound.models import ImapAccount
from inbound.transports.imap import checking, connecting, oauth
from inbound.transports.imap.account import read_account
from inbound.transports.imap.accounts import of_row
from tasks.outbound import deliver
from tests.support.mail import agent, eml, mailbox, receive, ticket_of
from tests.support.services import smtp_sink

pytestmark = pytest.mark.django_db


@contextmanager
def listener(host: str = "127.0.0.1") -> Iterator[tuple[int, list[object]]]:
    """A service of the own network, and who has got through to it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family, dualstack_ipv6=host == "::") as server:
        met: list[object] = []

        def meet() -> None:
            while True:
                try:
                    client, address = server.accept()
                except OSError:
                    return
                met.append(address)
                client.close()

        threading.Thread(target=meet, daemon=True).start()
        yield server.getsockname()[1], met


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104
        "224.0.0.1",
        "255.255.255.255",
        "192.0.0.1",
        "198.18.0.1",
        "240.0.0.1",
        "::",
        "::1",
        "::7f00:1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fec0::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::10.0.0.1",
        "2002:7f00:1::1",
        "2001:db8::1",
        "fd00:ec2::254",
        "localhost",
        "metadata.google.internal",
        "2130706433",
        "0x7f.1",
        "",
    ],
)
def test_this_is_no_public_address(address: str) -> None:
    assert not hosts.is_public(address)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1"]
)
def test_this_is_a_public_address(address: str) -> None:
    assert hosts.is_public(address)


def test_an_own_mail_server_inside_is_not_connected_to_and_the_installations_is(settings) -> None:
    settings.OUTGOING_HOSTS = "public"
    receive(eml("Help"))
    with smtp_sink() as sink:
        settings.EMAIL_BACKEND = "helpdesk.outbound.to_smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", sink.port
        mail = OutboundMail.objects.get()
        deliver(mail.pk)
        assert len(sink.mails) == 1  # the operator's own
    actions.reply(ticket_of(receive(eml("Again"))), Content(text="x"), actor=agent())
    mail = OutboundMail.objects.get(kind="reply")
    with listener() as (port, met):
        Identity.objects.create(mailbox=mailbox(), email_url=f"smtp://127.0.0.1:{port}")
        deliver(mail.pk)
    mail.refresh_from_db()
    assert (mail.state, mail.reason, met) == ("queued", "cannot reach the mail server", [])
    assert "OUTGOING_HOSTS=public: 127.0.0.1 is no public address" in mail.error


def test_a_provider_whose_address_is_inside_is_not_connected_to(settings) -> None:
    settings.OUTGOING_HOSTS = "public"
    receive(eml("Help"))
    mail = OutboundMail.objects.get()
    with listener() as (port, met):
        url = f"anymail://postmark?server_token=x&api_url=http://127.0.0.1:{port}/"
        Identity.objects.create(mailbox=mailbox(), email_url=url)
        deliver(mail.pk)
    mail.refresh_from_db()
    assert (mail.state, met) == ("queued", [])
    assert "OUTGOING_HOSTS=public" in mail.error


@pytest.mark.parametrize("to", ["127.0.0.1", "::ffff:127.0.0.1", "::1"])
def test_a_name_that_leads_inside_leads_nowhere(
    settings, monkeypatch: pytest.MonkeyPatch, to: str
) -> None:
    """However it was looked up before: what is connected to counts."""
    settings.OUTGOING_HOSTS = "public"
    with listener("::" if ":" in to else to) as (port, met):
        family = socket.AF_INET6 if ":" in to else socket.AF_INET
        found = [(family, socket.SOCK_STREAM, 6, "", (to, port))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)
        row = ImapAccount.objects.create(
            mailbox=mailbox(),
            host="rebinds.example.org",
            port=port,
            username="x",
            secret="x",
            security="tls",
        )
        with pytest.raises(hosts.NotPublic, match="OUTGOING_HOSTS=public"):
            checking.try_out(of_row(row))
        assert met == []
        with pytest.raises(OSError) as failed:  # IMAP_URLS are the operator's
            connecting.connect(read_account(f"imaps://u:p@rebinds.example.org:{port}/INBOX"))
        assert not isinstance(failed.value, hosts.NotPublic)
        assert len(met) == 1


def test_a_token_endpoint_inside_is_not_connected_to(settings) -> None:
    settings.OUTGOING_HOSTS = "public"
    with listener() as (port, met):
        row = ImapAccount.objects.create(
            mailbox=mailbox(),
            host="imap.example.com",
            username="x",
            secret="refresh",
            auth="xoauth2",
            token_url=f"http://127.0.0.1:{port}/token",
            client_id="us",
        )
        with pytest.raises(
            OSError, match=r"OUTGOING_HOSTS=public: 127\.0\.0\.1 is no public address"
        ):
            oauth.access_token(row.pk)
    assert met == []


def an_alert(url: str) -> Alert:
    channel = AlertChannel.objects.create(
        name="chat", url=url, team=Team.objects.create(name="First line")
    )
    return Alert.objects.create(channel=channel, kind="sla_breach", title="Late", body="x")


@pytest.mark.parametrize(
    "url",
    [
        "json://127.0.0.1:{}/",
        "json://localhost:{}/",
        "mailto://u:p@localhost:{}/?smtp=127.0.0.1&from=a@b.cc&to=a@b.cc",
        "rsyslog://127.0.0.1:{}",
        "json://127.0.0.1:{0}/, json://localhost:{0}/",
    ],
)
def test_an_alert_goes_nowhere_inside(settings, url: str) -> None:
    settings.OUTGOING_HOSTS = "public"
    with listener() as (port, met), pytest.raises(alerts.NotSent, match="OUTGOING_HOSTS=public"):
        alerts.send(an_alert(url.format(port)))
    assert met == []


def test_a_redirect_leads_nowhere_inside_either(settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.OUTGOING_HOSTS = "public"

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(302)
            self.send_header("Location", f"http://127.0.0.1:{inside}/")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    # As if the first server were a public one: what it leads to is not.
    first, is_public = HTTPServer(("127.0.0.2", 0), Handler), hosts.is_public
    monkeypatch.setattr(
        hosts, "is_public", lambda address: address == "127.0.0.2" or is_public(address)
    )
    threading.Thread(target=first.serve_forever, daemon=True).start()
    with listener() as (inside, met), pytest.raises(alerts.NotSent):
        alerts.send(an_alert(f"json://127.0.0.2:{first.server_port}/"))
    first.shutdown()
    first.server_close()
    assert met == []


def test_with_any_and_outside_of_what_admins_name_nothing_is_refused(settings) -> None:
    with listener() as (port, met):
        for allowed in ("any", "public"):
            settings.OUTGOING_HOSTS = allowed
            with hosts.named_by_an_admin():
                pass
            socket.create_connection(("127.0.0.1", port)).close()
        settings.OUTGOING_HOSTS = "any"
        with hosts.named_by_an_admin():
            socket.create_connection(("127.0.0.1", port)).close()
        deadline: Any = threading.Event()
        while len(met) < 3 and not deadline.wait(0.05):
            pass
    assert len(met) == 3


def test_another_word_stops_the_start_with_the_settings_name(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
        env={"PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path), "OUTGOING_HOSTS": "inside"},
        check=False,
    )
    assert done.returncode != 0
    assert done.stderr == "OUTGOING_HOSTS: must be one of any, public\n"
