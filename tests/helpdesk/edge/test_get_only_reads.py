"""GET is safe (RFC 9110 9.2.1): whoever is made to open an address of ours changes nothing by it."""

import re
import socket
from collections.abc import Iterator

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.support.routes import World, routes, world

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_counts_yet")]


@pytest.fixture
def imap_server() -> Iterator[socket.socket]:
    """It only listens: who connects has acted."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


@pytest.fixture
def here(imap_server: socket.socket) -> World:
    return world(imap_server.getsockname()[1])


def test_no_address_acts_when_it_is_opened_whoever_opens_it(
    here: World, imap_server: socket.socket
) -> None:
    wrote, broken, found = [], [], set()
    clients = here.clients()
    for route in routes():
        url = route.url(here.values(route))
        for who, client in clients.items():
            with CaptureQueriesContext(
                connection,
            ) as seen:
                answer = client.get(url)
            if answer.status_code >= 500:
                broken.append((who, url, answer.status_code))
            if answer.status_code == 200:
                found.add(route.path)
            wrote += [
                (who, url, query["sql"][:200])
                for query in seen.captured_queries
                # A message is shown once, a page remembered until the sign-in: that is of the
                # browser's own session.
                if re.match(
                    r"\s*(INSERT|UPDATE|DELETE)(?! (INTO |FROM )?\"django_session\")", query["sql"]
                )
            ]
    assert (wrote, broken) == ([], [])
    # Most lead to something, or this would say little.
    assert len(found) > 90
    with pytest.raises(BlockingIOError):
        imap_server.accept()


def test_what_acts_at_a_mail_server_is_posted_and_by_an_admin_alone(
    here: World, imap_server: socket.socket
) -> None:
    clients = here.clients()
    for deed in ("try", "compare"):
        url = f"/admin/inbound/imapaccount/{here.imap.pk}/{deed}/"
        assert clients["admin"].get(url).status_code == 405
        assert clients["agent"].post(url).status_code == 403
        assert clients["customer"].post(url).status_code == 302
        with pytest.raises(BlockingIOError):
            imap_server.accept()
    page = (
        clients["admin"].get(f"/admin/inbound/imapaccount/{here.imap.pk}/change/").content.decode()
    )
    assert f'formaction="/admin/inbound/imapaccount/{here.imap.pk}/compare/"' in page
    imap_server.close()
    answer = clients["admin"].post(f"/admin/inbound/imapaccount/{here.imap.pk}/try/", follow=True)
    assert "nothing listens at that host and port" in answer.content.decode()
