"""`imapd`'s session against a real Dovecot."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from datetime import timezone as tz
from unittest.mock import patch

import pytest
from django.db import connections
from django.test import RequestFactory
from django.utils import timezone
from imapclient import SEEN, IMAPClient
from imapclient.exceptions import IMAPClientError

from helpdesk.health import health
from helpdesk.models import Person
from inbound import store
from inbound.models import ImapCursor, InboundMail, RawMail
from inbound.transports.imap import session
from inbound.transports.imap.account import Account, read_account
from inbound.transports.imap.session import fetch, fetch_new, missing, watch
from tests.dovecot import Dovecot, dovecot
from tests.mail import eml, mailbox
from tests.services import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    with dovecot() as found:
        yield found


@pytest.fixture
def account(server: Dovecot, request: pytest.FixtureRequest) -> Iterator[Account]:
    mailbox()
    yield read_account(server.url(f"cleo{abs(hash(request.node.name))}"))  # a mailbox of its own
    connections.close_all()


def connect(account: Account) -> IMAPClient:
    client = IMAPClient(account.host, account.port, ssl=False, timeout=10)
    client.login(account.user, account.password)
    return client


def put(client: IMAPClient, *names: str, flags: tuple[bytes, ...] = ()) -> None:
    for name in names:
        client.append("INBOX", eml(name, message_id=f"{name}@imap"), flags)


@contextmanager
def without(words: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Mail with those words cannot be stored, alone or with others."""
    real = store.accept_many

    def broken(arrivals: list[store.Arrival]) -> list[list[int]]:
        if any(words in arrival.raw for arrival in arrivals):
            raise OSError("disk full")
        return real(arrivals)

    with monkeypatch.context() as patched:
        patched.setattr(store, "accept_many", broken)
        yield


def stored() -> list[str]:
    return sorted(InboundMail.objects.values_list("message_id", flat=True))


def test_new_mail_is_fetched_once_and_marked_seen_only_then(account: Account) -> None:
    with connect(account) as client:
        put(client, "a", "b")
        assert fetch_new(client, account) == 2
        assert fetch_new(client, account) == 0
        assert all(SEEN in flags for flags in client.get_flags(client.search(["ALL"])).values())
    assert stored() == ["a@imap", "b@imap"]


def test_mail_that_another_client_has_read_is_not_skipped(account: Account) -> None:
    with connect(account) as client:
        fetch_new(client, account)
        put(client, "read-elsewhere", flags=(SEEN,))
        assert fetch_new(client, account) == 1
    assert stored() == ["read-elsewhere@imap"]


def test_a_fault_of_the_database_leaves_the_mail_unseen_for_the_next_time(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(account) as client:
        put(client, "a", "b", "c")
        with without(b"b@imap", monkeypatch), pytest.raises(OSError, match="disk full"):
            fetch_new(client, account)
        assert stored() == ["a@imap"]
        assert len(client.search(["UNSEEN"])) == 2
        fetch_new(client, account)
    assert stored() == ["a@imap", "b@imap", "c@imap"]


def test_a_crash_in_the_first_contact_does_not_bring_in_old_mail_that_was_read(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(account) as client:
        put(client, "new-1")
        client.append("INBOX", eml("old", message_id="old@imap"), (SEEN,), timezone.now() - timedelta(days=3))
        put(client, "new-2")
        with without(b"new-2@imap", monkeypatch), pytest.raises(OSError, match="disk full"):
            fetch_new(client, account)
        fetch_new(client, account)
        fetch_new(client, account)
    assert stored() == ["new-1@imap", "new-2@imap"]


@pytest.mark.parametrize(
    ("choice", "taken"),
    [("recent", {"unread", "seen"}), ("unread", {"unread"}), ("all", {"unread", "seen", "old"}), ("nothing", set())],
)
def test_the_first_contact_takes_what_was_chosen_and_then_all_that_comes(
    account: Account, choice: str, taken: set[str]
) -> None:
    account = replace(account, first_contact=choice)
    with connect(account) as client:
        client.append("INBOX", eml("x", message_id="old@imap"), (SEEN,), timezone.now() - timedelta(days=30))
        put(client, "unread")
        put(client, "seen", flags=(SEEN,))
        fetch_new(client, account)
        assert stored() == sorted(f"{name}@imap" for name in taken)
        put(client, "later", flags=(SEEN,))
        fetch_new(client, account)
    assert "later@imap" in stored()
    # What the first contact passed over is behind it; nothing else is missing.
    assert missing(account) == []
    InboundMail.objects.filter(message_id="later@imap").delete()
    (uid,) = missing(account)
    assert fetch(account, [uid]) == 1
    assert missing(account) == []


def test_what_is_stored_moves_to_the_folder_that_was_chosen(account: Account) -> None:
    account = replace(account, move_to="Done")
    with connect(account) as client:
        client.create_folder("Done")
        put(client, "a", "b")
        fetch_new(client, account)
        assert client.select_folder("INBOX")[b"EXISTS"] == 0
        assert client.select_folder("Done")[b"EXISTS"] == 2
    assert stored() == ["a@imap", "b@imap"]


def test_a_crash_between_commit_and_cursor_stores_nothing_twice(account: Account) -> None:
    with connect(account) as client:
        put(client, "a")
        fetch_new(client, account)
        ImapCursor.objects.update(last_uid=0)
        fetch_new(client, account)
    assert stored() == ["a@imap"]


def test_the_cursor_does_not_pass_over_what_is_not_stored(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    with connect(account) as client:
        fetch_new(client, account)
        cursor = ImapCursor.objects.get(account=account.name)
        put(client, "earlier", "later")
        # Somebody has fetched the later one by hand, and the earlier one does not go in.
        client.select_folder("INBOX")
        fetch(account, [client.search(["ALL"])[-1]])
        with without(b"earlier@imap", monkeypatch), pytest.raises(OSError, match="disk full"):
            fetch_new(client, account)
        assert ImapCursor.objects.get(pk=cursor.pk).last_uid == cursor.last_uid
        fetch_new(client, account)
    assert stored() == ["earlier@imap", "later@imap"]


def test_the_watcher_hears_of_new_mail_and_stops_when_told(account: Account) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=watch, args=(account, stop))
    thread.start()
    with connect(account) as client:
        wait_for(lambda: ImapCursor.objects.filter(contacted_at__isnull=False).exists(), 10)
        put(client, "pushed")
        wait_for(lambda: stored() == ["pushed@imap"], 10)
    stop.set()
    thread.join(15)
    assert not thread.is_alive()


# --- Large folders


@pytest.fixture
def large(account: Account, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[IMAPClient, Account]]:
    """Three hundred messages, of which every other one is unread: far more than one answer to SEARCH can name. The
    UIDs have a gap, as where much was deleted."""
    account = replace(account, folder="Large")
    with connect(account) as client:
        client.create_folder("Large")
        old = timezone.now() - timedelta(days=9)
        for number in range(320):
            flags = (SEEN,) if number % 2 else ()
            client.append("Large", eml(f"{number}", message_id=f"m{number}@imap"), flags, old)
        client.select_folder("Large")
        client.delete_messages(list(range(101, 121)))
        client.uid_expunge(list(range(101, 121)))
        with monkeypatch.context() as patched:
            patched.setattr("imaplib._MAXLINE", 400)
            with connect(account) as short:
                short.select_folder("Large")
                with pytest.raises(IMAPClientError, match="more than 400 bytes"):
                    short.search(["ALL"])
                short.shutdown()
            yield client, account


@pytest.mark.parametrize(("choice", "taken"), [("recent", 151), ("unread", 150), ("all", 301), ("nothing", 0)])
def test_a_folder_larger_than_an_answer_may_be_is_read_as_any_other(
    large: tuple[IMAPClient, Account], choice: str, taken: int
) -> None:
    client, account = large
    account = replace(account, first_contact=choice)
    client.append("Large", eml("read today", message_id="today@imap"), (SEEN,))
    assert fetch_new(client, account) == taken
    assert len(set(stored())) == taken
    assert fetch_new(client, account) == 0
    for number in range(50):  # more than one answer can name, again
        client.append("Large", eml("later", message_id=f"later{number}@imap"))
    assert fetch_new(client, account) == 50
    assert missing_here(client, account) == []
    InboundMail.objects.filter(message_id__in=["later7@imap", "later44@imap"]).delete()
    assert missing_here(client, account) == [329, 366]


def missing_here(client: IMAPClient, account: Account) -> list[int]:
    """`missing`, in a session that is signed in: the list of what a server can do is a long line, too."""
    with patch.object(session, "connect", lambda account: nullcontext(client)):
        return missing(account)


def test_little_is_asked_of_a_large_folder_where_little_is_new(large: tuple[IMAPClient, Account]) -> None:
    client, account = large
    fetch_new(client, replace(account, first_contact="nothing"))
    client.append("Large", eml("later", message_id="later@imap"))
    with patch.object(IMAPClient, "search", autospec=True, side_effect=IMAPClient.search) as search:
        assert fetch_new(client, account) == 1
    assert search.call_count <= 2


# --- A folder that its server has numbered anew


def fill(client: IMAPClient, messages: list[tuple[str, datetime]], *, flags: tuple[bytes, ...] = (SEEN,)) -> int:
    """Makes the folder "Moved" anew, with those messages, the date of arrival of each as given; its UIDVALIDITY."""
    if client.folder_exists("Moved"):
        client.unselect_folder()
        client.delete_folder("Moved")
    client.create_folder("Moved")
    for name, arrived in messages:
        client.append("Moved", eml(name, message_id=f"{name}@imap"), flags, arrived)
    return int(client.folder_status("Moved", ["UIDVALIDITY"])[b"UIDVALIDITY"])


def seen_by_health() -> tuple[int, list[str]]:
    request = RequestFactory().get("/")
    request.user = Person(role=Person.Role.AGENT)
    answer = health(request)
    return answer.status_code, json.loads(answer.content)["folders_numbered_anew"]


def test_a_folder_that_is_numbered_anew_brings_in_what_is_new_and_nothing_else(account: Account) -> None:
    account = replace(account, folder="Moved")
    long_ago = [(f"old{number}", timezone.now() - timedelta(days=400 - number)) for number in range(30)]
    with connect(account) as client:
        first = fill(client, long_ago)
        assert fetch_new(client, account) == 0
        client.append("Moved", eml("answered", message_id="answered@imap"))
        client.append("Moved", eml("twin", message_id="twin@imap"))
        client.append("Moved", eml("no id"))
        assert fetch_new(client, account) == 3
        RawMail.objects.all().delete()  # as housekeeping does, after RAW_MAIL_DAYS
        now = timezone.now()
        again = [*long_ago[:15], ("answered", now), ("new", now), *long_ago[15:], ("twin", now)]
        assert fill(client, again, flags=()) != first
        client.append("Moved", eml("no id"))
        fetch_new(client, account)
        assert stored() == ["", "answered@imap", "new@imap", "twin@imap"]
        # What was passed over is left as it was; what is stored is read.
        client.select_folder("Moved")
        assert len(client.search(["UNSEEN"])) == 30
        assert fetch_new(client, account) == 0
        client.append("Moved", eml("later", message_id="later@imap"))
        assert fetch_new(client, account) == 1
        assert missing(account) == []
    code, (words,) = seen_by_health()
    assert code == 200
    assert "30 messages from before the first contact" in words
    assert account.name in words


def test_a_folder_numbered_anew_is_read_on_where_it_was_cut_off(account: Account, monkeypatch) -> None:
    account = replace(account, folder="Moved")
    with connect(account) as client:
        fill(client, [])
        fetch_new(client, account)
        for name in ("a", "b"):
            client.append("Moved", eml(name, message_id=f"{name}@imap"))
        fetch_new(client, account)
        now = timezone.now()
        fill(client, [("b", now), ("new", now), ("newer", now), ("a", now)])
        with without(b"newer@imap", monkeypatch), pytest.raises(OSError, match="disk full"):
            fetch_new(client, account)
        assert stored() == ["a@imap", "b@imap", "new@imap"]
        fetch_new(client, account)
        assert stored() == ["a@imap", "b@imap", "new@imap", "newer@imap"]
        assert InboundMail.objects.exclude(transport_key__contains=str(validity(client))).count() == 0


def validity(client: IMAPClient) -> int:
    return int(client.select_folder("Moved")[b"UIDVALIDITY"])


@pytest.mark.parametrize("zone", [-12, 0, 14])
def test_the_servers_date_counts_in_whatever_zone_it_is_given(account: Account, zone: int) -> None:
    account = replace(account, folder="Moved")
    with connect(account) as client:
        fill(client, [])
        fetch_new(client, account)
        first = ImapCursor.objects.get().first_contact_at
        assert first is not None
        there = first.astimezone(tz(timedelta(hours=zone)))
        fill(client, [("before", there - timedelta(seconds=2)), ("after", there + timedelta(seconds=2))])
        fetch_new(client, account)
    assert stored() == ["after@imap"]
