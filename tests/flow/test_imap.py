"""`imapd`'s session against a real Dovecot."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from datetime import timezone as tz
from typing import Any
from unittest.mock import patch

import pytest
from django.db import DataError, InterfaceError, OperationalError, connections
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone
from imapclient import SEEN, IMAPClient
from imapclient.exceptions import IMAPClientError

from helpdesk.health import health
from helpdesk.models import Person
from inbound import store
from inbound.models import ImapAccount, ImapCursor, ImapPassedOver, InboundMail, RawMail
from inbound.transports.imap import checking, passed_over, session, taking_in
from inbound.transports.imap.account import Account, read_account
from inbound.transports.imap.accounts import of_row
from inbound.transports.imap.checking import fetch, missing
from inbound.transports.imap.contact import fetch_new
from inbound.transports.imap.session import watch
from tests.support.dovecot import Dovecot, dovecot
from tests.support.mail import eml, mailbox
from tests.support.services import wait_for

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
def without(
    words: bytes, monkeypatch: pytest.MonkeyPatch, error: Exception | None = None
) -> Iterator[None]:
    """Mail with those words cannot be stored, alone or with others."""
    real = store.accept_many

    def broken(arrivals: list[store.Arrival]) -> list[list[int]]:
        if any(words in arrival.raw for arrival in arrivals):
            raise error or OSError("disk full")
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


def test_mail_whose_lines_end_in_cr_has_its_row(server: Dovecot, account: Account) -> None:
    raw = eml("It smokes\n\nCleo\n", message_id="mac@imap", subject="From an old Mac").replace(
        b"\n", b"\r"
    )
    with connect(account) as client:
        server.put(account.user, "1.x", raw)
        assert fetch_new(client, account) == 1
    row = InboundMail.objects.get()
    assert (row.message_id, row.subject, row.from_address) == (
        "mac@imap",
        "From an old Mac",
        "cleo@example.net",
    )
    assert row.raw is not None
    assert row.raw.content.rstrip() == raw.rstrip()


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
        client.append(
            "INBOX", eml("old", message_id="old@imap"), (SEEN,), timezone.now() - timedelta(days=3)
        )
        put(client, "new-2")
        with without(b"new-2@imap", monkeypatch), pytest.raises(OSError, match="disk full"):
            fetch_new(client, account)
        fetch_new(client, account)
        fetch_new(client, account)
    assert stored() == ["new-1@imap", "new-2@imap"]


@pytest.mark.parametrize(
    ("choice", "taken"),
    [
        ("recent", {"unread", "seen"}),
        ("unread", {"unread"}),
        ("all", {"unread", "seen", "old"}),
        ("nothing", set()),
    ],
)
def test_the_first_contact_takes_what_was_chosen_and_then_all_that_comes(
    account: Account, choice: str, taken: set[str]
) -> None:
    account = replace(account, first_contact=choice)
    with connect(account) as client:
        client.append(
            "INBOX", eml("x", message_id="old@imap"), (SEEN,), timezone.now() - timedelta(days=30)
        )
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


def test_the_cursor_does_not_pass_over_what_is_not_stored(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
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
def large(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[IMAPClient, Account]]:
    """Three hundred messages, of which every other one is unread: far more than one answer to
    SEARCH can name. The UIDs have a gap, as where much was deleted."""
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


@pytest.mark.parametrize(
    ("choice", "taken"), [("recent", 151), ("unread", 150), ("all", 301), ("nothing", 0)]
)
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
    """`missing`, in a session that is signed in: the list of what a server can do is a long line,
    too."""
    with patch.object(checking, "connect", lambda account: nullcontext(client)):
        return missing(account)


def test_little_is_asked_of_a_large_folder_where_little_is_new(
    large: tuple[IMAPClient, Account],
) -> None:
    client, account = large
    fetch_new(client, replace(account, first_contact="nothing"))
    client.append("Large", eml("later", message_id="later@imap"))
    with patch.object(IMAPClient, "search", autospec=True, side_effect=IMAPClient.search) as search:
        assert fetch_new(client, account) == 1
    assert search.call_count <= 2


# --- A folder that its server has numbered anew


def fill(
    client: IMAPClient, messages: list[tuple[str, datetime]], *, flags: tuple[bytes, ...] = (SEEN,)
) -> int:
    """Makes the folder "Moved" anew, with those messages, the date of arrival of each as given; its
    UIDVALIDITY."""
    if client.folder_exists("Moved"):
        client.unselect_folder()
        client.delete_folder("Moved")
    client.create_folder("Moved")
    for name, arrived in messages:
        client.append("Moved", eml(name, message_id=f"{name}@imap"), flags, arrived)
    return int(client.folder_status("Moved", ["UIDVALIDITY"])[b"UIDVALIDITY"])


def seen_by_health(check: str) -> tuple[int, list[str]]:
    request = RequestFactory().get("/")
    request.user = Person(role=Person.Role.AGENT)
    answer = health(request)
    return answer.status_code, json.loads(answer.content)[check]


def test_a_folder_that_is_numbered_anew_brings_in_what_is_new_and_nothing_else(
    account: Account,
) -> None:
    account = replace(account, folder="Moved")
    long_ago = [
        (f"old{number}", timezone.now() - timedelta(days=400 - number)) for number in range(30)
    ]
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
    code, (words,) = seen_by_health("folders_numbered_anew")
    assert code == 200
    assert "30 messages from before the first contact" in words
    assert account.name in words


def test_a_folder_numbered_anew_is_read_on_where_it_was_cut_off(
    account: Account, monkeypatch
) -> None:
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
        assert (
            InboundMail.objects.exclude(transport_key__contains=str(validity(client))).count() == 0
        )


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
        fill(
            client,
            [("before", there - timedelta(seconds=2)), ("after", there + timedelta(seconds=2))],
        )
        fetch_new(client, account)
    assert stored() == ["after@imap"]


# --- Messages that cannot be taken in for their own sake


def unread(client: IMAPClient) -> list[int]:
    client.select_folder("INBOX")
    return list(client.search(["UNSEEN"]))


def test_a_message_over_the_limit_is_not_fetched_and_lies_unread_until_somebody_has_seen_it(
    account: Account, settings
) -> None:
    settings.MAX_MAIL_BYTES = 10_000
    settings.IMAP_ACCOUNTS = [account]
    account = replace(account, move_to="Done")
    with connect(account) as client:
        put(client, "a")
        client.append(
            "INBOX", eml("x" * 20_000, subject="Grüße vom Scanner", message_id="big@imap")
        )
        put(client, "b")
        with patch.object(
            IMAPClient, "fetch", autospec=True, side_effect=IMAPClient.fetch
        ) as fetched:
            assert fetch_new(client, account) == 2
        assert [
            call.args[1] for call in fetched.call_args_list if call.args[2] == ["BODY.PEEK[]"]
        ] == [[1, 3]]
        put(client, "c")
        assert fetch_new(client, account) == 1
        assert stored() == ["a@imap", "b@imap", "c@imap"]
        assert unread(client) == [2]
        code, (words,) = seen_by_health("messages_passed_over")
        assert code == 200
        assert "UID 2 (Grüße vom Scanner): it has 21," in words
        assert "MAX_MAIL_BYTES (10,000)" in words
        assert ImapCursor.objects.get().error == ""

        client.select_folder("INBOX")
        client.add_flags([2], [SEEN])
        fetch_new(client, account)
        assert seen_by_health("messages_passed_over") == (200, [])
        assert stored() == ["a@imap", "b@imap", "c@imap"]


def test_the_limit_holds_where_the_server_guesses_the_size(account: Account, settings) -> None:
    settings.MAX_MAIL_BYTES = 10_000
    real = IMAPClient.fetch

    def guesses(client: IMAPClient, uids: list[int], what: list[str]) -> Any:
        answer = real(client, uids, what)
        return (
            {uid: {**said, b"RFC822.SIZE": 7} for uid, said in answer.items()}
            if what == ["RFC822.SIZE"]
            else answer
        )

    with connect(account) as client:
        put(client, "a")
        client.append("INBOX", eml("x" * 20_000, message_id="big@imap"))
        with patch.object(IMAPClient, "fetch", guesses):
            assert fetch_new(client, account) == 1
        assert unread(client) == [2]
    assert stored() == ["a@imap"]


@pytest.mark.parametrize(
    "error", [DataError("invalid byte sequence"), ValueError("embedded null"), KeyError("x")]
)
def test_a_mail_that_cannot_be_stored_for_its_own_sake_is_named_and_holds_up_no_other(
    account: Account, settings, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    settings.IMAP_ACCOUNTS = [account]
    with connect(account) as client, without(b"bad@imap", monkeypatch, error):
        put(client, "a", "bad", "b")
        fetch_new(client, account)
        assert stored() == ["a@imap", "b@imap"]
        assert seen_by_health("messages_passed_over") == (200, [])  # it is tried again
        for _ in range(passed_over.TRIES):
            put(client, "later")
            fetch_new(client, account)
        assert ImapPassedOver.objects.get().attempts == passed_over.TRIES
        code, (words,) = seen_by_health("messages_passed_over")
        assert (code, unread(client)) == (200, [2])
        assert f"UID 2 (Help): {type(error).__name__}: " in words
    # Somebody asks for it once more, after an update.
    assert missing(account) == [2]
    assert fetch(account, [2]) == 1
    assert stored().count("bad@imap") == 1
    assert seen_by_health("messages_passed_over") == (200, [])


def test_a_mail_that_can_be_stored_at_the_second_contact_is_stored(
    account: Account, monkeypatch
) -> None:
    with connect(account) as client:
        fetch_new(client, account)
        put(client, "a", "slow", "b")
        with without(b"slow@imap", monkeypatch, ValueError("not yet")):
            fetch_new(client, account)
        fetch_new(client, account)
        assert stored() == ["a@imap", "b@imap", "slow@imap"]
        assert unread(client) == []
        assert not ImapPassedOver.objects.exists()


@pytest.mark.parametrize(
    "error", [OperationalError("the server closed the connection"), InterfaceError("gone")]
)
def test_a_database_that_is_away_is_no_fault_of_the_mails(
    account: Account, monkeypatch, error: Exception
) -> None:
    with connect(account) as client:
        put(client, "a", "b", "c")
        for _ in range(passed_over.TRIES + 1):
            with without(b"b@imap", monkeypatch, error), pytest.raises(type(error)):
                fetch_new(client, account)
        assert not ImapPassedOver.objects.exists()
        fetch_new(client, account)
    assert stored() == ["a@imap", "b@imap", "c@imap"]


def test_a_mail_that_the_server_itself_cannot_read_stops_its_account_for_a_moment_only(
    server: Dovecot, account: Account, settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dovecot hangs up where it is asked for such a message, or for its size, whatever else is
    asked for with it."""
    monkeypatch.setattr(session.random, "uniform", lambda low, high: 0.01)  # the pauses
    settings.IMAP_ACCOUNTS = [account]
    names = [f"m{number}" for number in range(12)]
    for name in names:
        server.put(account.user, name, eml(name, message_id=f"{name}@imap"))
    with connect(account) as client:
        client.select_folder("INBOX")
        assert len(client.search()) == 12
    box = server.folder / "mail" / account.user
    (unreadable,) = [path for path in box.rglob("m5*") if path.is_file()]
    unreadable.chmod(0)
    stop = threading.Event()
    thread = threading.Thread(target=watch, args=(account, stop))
    thread.start()
    wait_for(lambda: len(stored()) == 11, 20, "the others")
    wait_for(lambda: ImapPassedOver.objects.filter(is_final=True).exists(), 20, "it to be named")
    server.put(account.user, "later", eml("later", message_id="later@imap"))
    wait_for(lambda: "later@imap" in stored(), 20, "what comes after it")
    wait_for(lambda: not ImapCursor.objects.get().is_unfinished, 20)
    stop.set()
    thread.join(15)
    code, (words,) = seen_by_health("messages_passed_over")
    assert code == 200
    assert "Internal error occurred" in words
    assert ImapPassedOver.objects.get().attempts == passed_over.TRIES
    assert ImapCursor.objects.get().error == ""
    unreadable.chmod(0o666)
    (uid,) = missing(account)
    assert fetch(account, [uid]) == 1
    assert stored() == sorted(["later@imap", *(f"{name}@imap" for name in names)])


@pytest.mark.parametrize("way", ["NO", "rubbish", "NIL", "left out"])
@pytest.mark.parametrize("asked_for", ["RFC822.SIZE", "BODY.PEEK[]"])
def test_a_mail_that_the_server_does_not_give_is_passed_over(
    account: Account, way: str, asked_for: str
) -> None:
    real = IMAPClient.fetch

    def fails(client: IMAPClient, uids: list[int], what: list[str]) -> Any:
        if what != [asked_for] or 2 not in uids:
            return real(client, uids, what)
        if way == "NO":
            raise IMAPClientError("fetch failed: NO [SERVERBUG] it is corrupt")
        if way == "rubbish":
            raise ValueError("invalid literal")
        answer = real(client, uids, what)
        answer[2] = {b"SEQ": 2, asked_for.replace(".PEEK", "").encode(): None}
        return {uid: said for uid, said in answer.items() if way == "NIL" or uid != 2}

    with connect(account) as client, patch.object(IMAPClient, "fetch", fails):
        put(client, "a", "bad", "b")
        for _ in range(passed_over.TRIES):
            fetch_new(client, account)
            assert stored() == ["a@imap", "b@imap"]
        assert unread(client) == [2]
    row = ImapPassedOver.objects.get()
    assert (row.uid, row.is_final, row.subject) == (2, True, "Help")


def test_a_connection_that_is_lost_again_and_again_at_one_mail_is_given_more_time(
    account: Account,
) -> None:
    real = IMAPClient.fetch

    def breaks(client: IMAPClient, uids: list[int], what: list[str]) -> Any:
        if what == ["BODY.PEEK[]"] and 2 in uids:
            raise ConnectionResetError("connection reset by peer")
        return real(client, uids, what)

    with connect(account) as client:
        put(client, "a", "b", "c")
        with patch.object(IMAPClient, "fetch", breaks):
            for number in range(
                passed_over.LOST_TRIES + 1
            ):  # the first time three were asked for together
                with pytest.raises(ConnectionResetError):
                    fetch_new(client, account)
                assert ImapPassedOver.objects.filter(is_final=True).count() == (
                    number == passed_over.LOST_TRIES
                )
            assert stored() == ["a@imap", "c@imap"]
            fetch_new(client, account)


def test_a_folder_where_nothing_may_be_marked_as_read_is_read_to_its_end(
    account: Account, monkeypatch
) -> None:
    def denied(client: IMAPClient, *args: Any, **options: Any) -> None:
        raise IMAPClientError("store failed: NO [NOPERM] Permission denied")

    monkeypatch.setattr(IMAPClient, "add_flags", denied)
    monkeypatch.setattr(taking_in, "BATCH", 2)
    with connect(account) as client:
        put(client, "a", "b", "c", "d", "e")
        assert fetch_new(client, account) == 5
    assert len(stored()) == 5
    assert "cannot be marked as read" in ImapCursor.objects.get().error


def test_a_mail_that_is_gone_before_it_is_fetched_is_no_trouble(account: Account) -> None:
    real = IMAPClient.fetch

    def deleted(client: IMAPClient, uids: list[int], what: list[str]) -> Any:
        if what == ["BODY.PEEK[]"] and 2 in uids:
            with connect(account) as other:
                other.select_folder("INBOX")
                other.delete_messages([2])
                other.uid_expunge([2])
        return real(client, uids, what)

    with connect(account) as client, patch.object(IMAPClient, "fetch", deleted):
        put(client, "a", "b", "c")
        for _ in range(2):
            client.noop()
            fetch_new(client, account)
    assert {"a@imap", "c@imap"} <= set(stored())
    assert not ImapPassedOver.objects.filter(is_final=True).exists()


def test_the_accounts_page_names_what_was_passed_over_and_how_the_folder_was_numbered(
    account: Account,
) -> None:
    row = ImapAccount.objects.create(
        mailbox=mailbox(),
        host=account.host,
        port=account.port,
        security="",
        username=account.user,
        secret="secret",
    )
    name = of_row(row).name
    ImapCursor.objects.create(
        account=name, uid_validity=3, note="numbered anew", noted_at=timezone.now()
    )
    for uid, is_final in ((7, True), (8, False)):
        ImapPassedOver.objects.create(
            account=name,
            uid_validity=3,
            uid=uid,
            subject="<b>Scan</b>",
            reason="broken",
            is_final=is_final,
        )
    admin = Client()
    boss = Person.objects.create_user(
        "boss@example.com", "correct horse battery", role=Person.Role.ADMIN
    )
    admin.force_login(boss, backend="helpdesk.auth.EmailBackend")
    page = admin.get(reverse("admin:inbound_imapaccount_change", args=[row.pk])).content.decode()
    assert "UID 7 (&lt;b&gt;Scan&lt;/b&gt;): broken" in page
    assert "UID 8" not in page
    assert "numbered anew" in page
    # Who watches from outside learns how many, and no words.
    assert json.loads(health(RequestFactory().get("/")).content)["messages_passed_over"] == 1
