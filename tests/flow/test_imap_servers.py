"""Servers that answer otherwise than Dovecot does: odd, refusing, short of extensions, cut off in
the middle."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from unittest.mock import patch

import pytest
from django.core.management import CommandError, call_command
from django.db import DataError, OperationalError, connections
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError, LoginError

from helpdesk.models import Person
from inbound import store
from inbound.models import ImapAccount, ImapCameBack, ImapCursor, InboundMail
from inbound.transports.imap import checking, leases, session, waiting, watchers
from inbound.transports.imap.account import Account, read_account
from inbound.transports.imap.accounts import of_row
from inbound.transports.imap.checking import fetch, missing, try_out
from inbound.transports.imap.connecting import connect
from inbound.transports.imap.contact import fetch_new
from inbound.transports.imap.session import watch
from inbound.transports.imap.watchers import Watchers
from tests.flow.test_imap import seen_by_health
from tests.support.dovecot import Dovecot, dovecot
from tests.support.imap_server import Message, Server, _Session, imap_server
from tests.support.mail import eml, mailbox
from tests.support.services import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

WITHOUT_MOVE = "IMAP4rev1 UIDPLUS IDLE"
PASSWORD = 'Grüße,世界\\und"so"'


@pytest.fixture(autouse=True)
def database() -> Iterator[None]:
    mailbox()
    yield
    connections.close_all()


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session.random, "uniform", lambda low, high: 0.02)
    monkeypatch.setattr(watchers, "LOOK_SECONDS", 0.1)


def account(server: Server, **fields: str) -> Account:
    found = Account(
        "127.0.0.1",
        server.port,
        "cleo",
        "INBOX",
        "support@example.com",
        "",
        "secret",
        first_contact="all",
    )
    return replace(found, **fields)  # type: ignore[arg-type]


def row(port: int, user: str = "cleo", **fields: object) -> ImapAccount:
    fields = {
        "security": "",
        "host": "127.0.0.1",
        "secret": "secret",
        "created_at": long_ago(),
        **fields,
    }
    return ImapAccount.objects.create(mailbox=mailbox(), port=port, username=user, **fields)


def long_ago() -> object:
    return timezone.now() - timedelta(hours=1)


def contact(found: Account) -> int:
    with connect(found) as client:
        return fetch_new(client, found)


def put(server: Server, *names: str, folder: str = "INBOX") -> None:
    for name in names:
        server.put(eml(name, message_id=f"{name}@imap"), folder=folder)


def stored() -> list[str]:
    return sorted(InboundMail.objects.values_list("message_id", flat=True))


def subjects(folder: dict[int, Message]) -> list[str]:
    return sorted(
        message.raw.split(b"Message-ID: <")[1].split(b"@")[0].decode()
        for message in folder.values()
    )


@contextmanager
def watching(*accounts: Account) -> Iterator[list[threading.Thread]]:
    stop = threading.Event()
    threads = [threading.Thread(target=watch, args=(found, stop)) for found in accounts]
    for thread in threads:
        thread.start()
    try:
        yield threads
    finally:
        stop.set()
        for thread in threads:
            thread.join(15)


@contextmanager
def all_watched() -> Iterator[None]:
    found = Watchers()
    found.start()
    try:
        yield
    finally:
        found.stop()


def page(found: ImapAccount) -> str:
    boss = Person.objects.filter(email="boss@example.com").first() or Person.objects.create_user(
        "boss@example.com", "correct horse battery", role=Person.Role.ADMIN
    )
    admin = Client()
    admin.force_login(boss, backend="helpdesk.auth.EmailBackend")
    return admin.get(reverse("admin:inbound_imapaccount_change", args=[found.pk])).content.decode()


# --- Who signs in, in whatever letters


@pytest.fixture(scope="module")
def umlauts() -> Iterator[Dovecot]:
    """Whose password is no ASCII, and whose users may have any name."""
    passdb = f"passdb {{\n  driver = static\n  args = password={PASSWORD}\n}}"
    with dovecot(f"auth_username_chars =\n{passdb}\n") as server:
        yield server


@pytest.mark.parametrize("user", ["jörg", "cleo@example.com", "two words", "DOMAIN\\cleo", "李"])
@pytest.mark.parametrize("way", ["AUTHENTICATE", "LOGIN"])
def test_a_user_and_a_password_in_any_letters_sign_in_to_a_dovecot(
    umlauts: Dovecot, monkeypatch, user: str, way: str
) -> None:
    has = IMAPClient.has_capability
    if way == "LOGIN":
        monkeypatch.setattr(
            IMAPClient,
            "has_capability",
            lambda self, name: name != "AUTH=PLAIN" and has(self, name),
        )
    found = row(umlauts.port, user, secret=PASSWORD)
    assert try_out(of_row(found)) == "INBOX has 0 messages; it tells of new mail at once."
    found.secret = PASSWORD.replace("ü", "u")
    found.save()
    with pytest.raises(LoginError, match="Authentication failed"):
        try_out(of_row(found))


def test_a_plain_user_and_password_sign_in_as_ever() -> None:
    with imap_server() as server:
        contact(account(server))
        assert server.count("LOGIN cleo") == 1


def test_a_server_that_lets_nobody_log_in_is_asked_by_authenticate() -> None:
    with imap_server(capabilities="IMAP4rev1 LOGINDISABLED AUTH=PLAIN") as server:
        contact(account(server))
        assert (server.passwords, server.count("LOGIN")) == ([("cleo", "secret")], 0)
    with imap_server(capabilities="IMAP4rev1 LOGINDISABLED AUTH=GSSAPI") as server:
        with pytest.raises(LoginError, match="LOGINDISABLED, and offers AUTH=GSSAPI"):
            contact(account(server))
        assert not any("secret" in line for line in server.heard)


def test_a_server_that_takes_no_such_letters_at_all_is_said_to() -> None:
    with imap_server(
        capabilities="IMAP4rev1", answers={"LOGIN": ["BAD invalid literal"]}
    ) as server:
        found = row(server.port, secret="pässword")
        with watching(of_row(found)):
            wait_for(lambda: ImapCursor.objects.exclude(error="").exists(), 10)
        said = page(found)
        assert "invalid literal" in said
        assert "the user name or the password has letters beyond plain ASCII" in said
        assert "pässword" not in said


# --- Whatever goes wrong stands on the account's page and in health, and holds up no other


def test_a_server_without_uidvalidity_is_said_to_be_one_and_nothing_is_taken_in() -> None:
    with imap_server(validity="") as server, imap_server() as other:
        found, well = row(server.port), row(other.port)
        put(server, "a")
        put(other, "b")
        with all_watched():
            wait_for(lambda: ImapCursor.objects.exclude(error="").exists(), 10)
            wait_for(lambda: stored() == ["b@imap"], 10)
        assert "gives no UIDVALIDITY of INBOX" in page(found)
        assert "UIDVALIDITY" not in page(well).partition("Trouble")[2].partition("Passed over")[0]
        code, (words,) = seen_by_health("mailboxes_not_reached")
        assert (code, "gives no UIDVALIDITY of INBOX" in words) == (503, True)


@pytest.mark.parametrize(
    "error",
    [
        AttributeError("'NoneType' object has no attribute 'x'"),
        KeyError("y\0z"),
        UnicodeError("label too long"),
    ],
)
def test_what_nobody_foresaw_stands_on_the_accounts_page_and_in_health(
    monkeypatch, error: Exception
) -> None:
    def broken(found: Account) -> IMAPClient:
        if found.user == "odd":
            raise error
        return connect(found)

    for module in (session, checking):
        monkeypatch.setattr(module, "connect", broken)
    with imap_server() as server:
        odd = row(server.port, "odd")
        row(server.port, "well")
        put(server, "a")
        with all_watched():
            wait_for(lambda: ImapCursor.objects.filter(failing_since__isnull=False).exists(), 10)
            wait_for(lambda: stored() == ["a@imap"], 10)
            said = page(odd)
        assert "nobody foresaw this" in said
        assert type(error).__name__ in said
        code, (words,) = seen_by_health("mailboxes_not_reached")
        assert (code, words.startswith("odd at 127.0.0.1: nobody foresaw this")) == (503, True)
        output = StringIO()
        with pytest.raises(CommandError, match="1 account was not reached"):
            call_command("imapd", check=True, stdout=output)
        bad, good = output.getvalue().splitlines()
        assert (
            f"not reached: nobody foresaw this, and the log says where it came from: {type(error).__name__}"
            in bad
        )
        assert good.endswith("everything is stored")


def test_the_pause_grows_after_what_nobody_foresaw_too(monkeypatch) -> None:
    class Stop(threading.Event):
        pauses: list[float] = []

        def wait(self, timeout: float | None = None) -> bool:
            self.pauses.append(timeout or 0)
            if len(self.pauses) == 4:
                self.set()
            return self.is_set()

    monkeypatch.setattr(session.random, "uniform", lambda low, high: 1.0)
    with imap_server(validity="") as server:
        stop = Stop()
        watch(account(server), stop)
    assert stop.pauses == [2, 4, 8, 16]


def test_an_account_that_is_reached_and_never_gets_on_is_not_healthy(settings) -> None:
    with imap_server(answers={"UID SEARCH": ["NO [SERVERBUG] index is broken"]}) as server:
        found = row(server.port, created_at=timezone.now())
        with watching(of_row(found)):
            wait_for(lambda: ImapCursor.objects.filter(failing_since__isnull=False).exists(), 10)
        assert seen_by_health("mailboxes_not_reached") == (200, [])  # for a moment
        ImapCursor.objects.update(failing_since=long_ago())
        code, (words,) = seen_by_health("mailboxes_not_reached")
        assert (code, "index is broken" in words) == (503, True)
        server.answers.clear()
        contact(of_row(found))
        assert seen_by_health("mailboxes_not_reached") == (200, [])


@pytest.mark.parametrize(
    "error", [OperationalError("the connection is lost"), DataError("value too long")]
)
def test_a_fault_of_our_own_database_is_not_the_servers_and_ends_no_watcher(
    monkeypatch, error: Exception
) -> None:
    real = store.accept_many

    def broken(arrivals: list[store.Arrival]) -> list[list[int]]:
        raise OperationalError("the connection is lost")

    with imap_server() as server, monkeypatch.context() as patched:
        put(server, "a")
        patched.setattr(store, "accept_many", broken)
        found = row(server.port)
        with watching(of_row(found)) as (thread,):
            wait_for(lambda: ImapCursor.objects.exclude(error="").exists(), 10)
            assert "a fault of our own database, not of the mail server: OperationalError" in page(
                found
            )
            with patch.object(
                ImapCursor.objects, "get_or_create", side_effect=error
            ):  # not to be noted either
                time.sleep(0.3)
            patched.setattr(store, "accept_many", real)
            wait_for(lambda: stored() == ["a@imap"], 10)
            assert thread.is_alive()
            wait_for(lambda: ImapCursor.objects.filter(error="", failing_since=None).exists(), 10)


@pytest.mark.parametrize("code", ["INUSE", "LIMIT", "UNAVAILABLE"])
@pytest.mark.parametrize("command", ["LOGIN", "SELECT"])
def test_a_server_that_is_busy_is_tried_again(code: str, command: str) -> None:
    with imap_server(answers={command: [f"NO [{code}] try later", ""]}) as server:
        put(server, "a")
        with watching(account(server)):
            wait_for(lambda: ImapCursor.objects.exclude(error="").exists() or stored(), 10)
            wait_for(lambda: stored() == ["a@imap"], 10)
            wait_for(lambda: ImapCursor.objects.filter(error="").exists(), 10)


@pytest.mark.parametrize("command", ["UID SEARCH", "UID FETCH", "UID STORE", "UID MOVE"])
def test_a_server_that_says_goodbye_in_the_middle_loses_and_doubles_nothing(command: str) -> None:
    with imap_server(answers={command: ["* BYE going down", ""]}) as server:
        put(server, "a", "b", "c")
        with watching(account(server, move_to="Done")):
            wait_for(lambda: len(server.folders.get("Done", {})) == 3, 15)
        assert (stored(), server.folders["INBOX"]) == (["a@imap", "b@imap", "c@imap"], {})


def test_a_folder_that_may_only_be_read_is_read() -> None:
    with imap_server(answers={"SELECT": ["OK [READ-ONLY] selected"]}) as server:
        put(server, "a")
        server.answers["UID STORE"] = ["NO [READ-ONLY] it is"]
        assert contact(account(server)) == 1
    assert stored() == ["a@imap"]
    assert "cannot be marked as read" in ImapCursor.objects.get().error


# --- IDLE


def test_a_server_that_tells_something_before_it_waits_is_no_trouble() -> None:
    with imap_server(lines={"IDLE": "* 1 EXISTS\r\n* OK [ALERT] maintenance tonight"}) as server:
        put(server, "a")
        with watching(account(server)):
            wait_for(lambda: stored() == ["a@imap"], 10)
            time.sleep(0.5)
            assert ImapCursor.objects.get().error == ""
            assert server.count("LOGIN") == 1


def test_a_server_that_names_idle_and_refuses_it_is_asked_now_and_then(monkeypatch) -> None:
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.2)
    with imap_server(answers={"IDLE": ["NO not today"]}) as server, watching(account(server)):
        wait_for(lambda: server.count("SELECT") > 1, 10)
        put(server, "a")
        wait_for(lambda: stored() == ["a@imap"], 10)
        assert server.count("LOGIN") == 1


def test_a_server_that_talks_while_it_waits_is_asked_no_more_than_once_a_second() -> None:
    with imap_server(lines={"IDLING": "* OK still here"}) as server, watching(account(server)):
        wait_for(lambda: server.count("SELECT"), 10)
        time.sleep(2.5)
        assert server.count("SELECT") <= 4


def test_what_a_server_tells_unasked_is_not_taken_for_an_answer() -> None:
    said = "* 1 FETCH (FLAGS (\\Seen \\Recent))\r\n* 2 FETCH (FLAGS () UID 2)\r\n* 3 RECENT"
    with imap_server(lines={"UID FETCH": said, "UID STORE": said, "UID MOVE": said}) as server:
        put(server, "a", "b", "c")
        assert contact(account(server, move_to="Done")) == 3
        assert subjects(server.folders["Done"]) == ["a", "b", "c"]
    assert stored() == ["a@imap", "b@imap", "c@imap"]


# --- Moving what is stored


@pytest.mark.parametrize(
    "capabilities",
    ["IMAP4rev1 MOVE UIDPLUS", "IMAP4rev1 UIDPLUS", "IMAP4rev1"],
    ids=["MOVE", "UIDPLUS", "neither"],
)
def test_mail_is_moved_whatever_the_server_has_for_it(capabilities: str) -> None:
    with imap_server(capabilities=capabilities) as server:
        put(server, "a", "b")
        found = account(server, move_to="Done")
        contact(found)
        put(server, "c")
        contact(found)
        assert (server.folders["INBOX"], subjects(server.folders["Done"])) == ({}, ["a", "b", "c"])
    assert stored() == ["a@imap", "b@imap", "c@imap"]


def test_what_somebody_else_has_marked_as_deleted_is_not_removed() -> None:
    with imap_server(capabilities="IMAP4rev1") as server:
        put(server, "theirs")
        server.folders["INBOX"][1].flags |= {"\\Seen", "\\Deleted"}
        put(server, "a")
        found = account(server, move_to="Done", first_contact="unread")
        contact(found)
        assert 1 in server.folders["INBOX"]
        contact(found)
        assert subjects(server.folders["Done"]) == ["a"]  # once
        del server.folders["INBOX"][1]
        put(server, "b")
        contact(found)
        assert (server.folders["INBOX"], subjects(server.folders["Done"])) == ({}, ["a", "b"])


def test_mail_that_was_refused_for_want_of_room_is_moved_once_there_is_some(monkeypatch) -> None:
    full = "NO [OVERQUOTA] Quota exceeded"
    with imap_server(answers={"UID MOVE": [full]}) as server:
        put(server, *"abcdef")
        found = account(server, move_to="Done")
        assert contact(found) == 6
        assert "Quota exceeded" in ImapCursor.objects.get().error
        assert server.count("UID MOVE") == 4  # all, and then three alone
        put(server, "g")
        contact(found)
        assert len(stored()) == 7
        del server.answers["UID MOVE"]
        contact(found)
        assert (server.folders["INBOX"], subjects(server.folders["Done"])) == ({}, list("abcdefg"))
        assert ImapCursor.objects.get().error == ""


def test_one_message_that_cannot_be_moved_holds_up_no_other() -> None:
    with imap_server(
        answers={"UID MOVE": ["NO one of them is broken", "", "NO it is broken", ""]}
    ) as server:
        put(server, *"abc")
        contact(account(server, move_to="Done"))
        assert (subjects(server.folders["INBOX"]), subjects(server.folders["Done"])) == (
            ["b"],
            ["a", "c"],
        )


@pytest.mark.parametrize("capabilities", [WITHOUT_MOVE, "IMAP4rev1 IDLE"])
@pytest.mark.parametrize("command", ["UID COPY", "UID STORE", "UID EXPUNGE", "EXPUNGE"])
def test_a_connection_that_ends_in_the_middle_of_copying_doubles_nothing(
    capabilities: str, command: str
) -> None:
    with imap_server(capabilities=capabilities) as server:
        put(server, *"abc")
        found = account(server, move_to="Done")
        server.cuts[command] = 1
        if command == "UID STORE":
            server.cuts[command] = 0
            server.answers[command] = [
                "",
                "* BYE",
                "",
            ]  # the first marks as read, the second as deleted
        with watching(found):
            wait_for(lambda: len(stored()) == 3, 10)
            wait_for(
                lambda: ImapCursor.objects.filter(is_unfinished=False, moved_uid__gte=3).exists(),
                10,
            )
        assert subjects(server.folders["Done"]) == ["a", "b", "c"]
        assert all("\\Deleted" in message.flags for message in server.folders["INBOX"].values())


def test_mail_that_lay_there_before_the_account_moved_any_stays() -> None:
    with imap_server() as server:
        put(server, "a")
        contact(account(server))
        put(server, "b")
        contact(account(server, move_to="Done"))
        assert (subjects(server.folders["INBOX"]), subjects(server.folders["Done"])) == (
            ["a"],
            ["b"],
        )


# --- Mail that comes back


def test_mail_that_is_moved_to_another_name_of_its_own_folder_is_taken_in_once(monkeypatch) -> None:
    monkeypatch.setattr(waiting, "IDLE_SECONDS", 0.2)  # this server tells nobody of new mail
    with imap_server(aliases={"Support": "INBOX"}) as server:
        found = row(server.port, move_to="Support", first_contact="all")
        put(server, "a", "b")
        with watching(of_row(found)):
            wait_for(lambda: ImapCameBack.objects.count() == 2, 10)
            put(server, "c")
            wait_for(lambda: ImapCameBack.objects.count() == 3, 10)
            selected = server.count("SELECT")
            wait_for(lambda: server.count("SELECT") > selected + 2, 10)
        assert stored() == ["a@imap", "b@imap", "c@imap"]
        assert server.count("UID MOVE") == 2  # each mail once
        assert missing(of_row(found)) == []
        assert "3 messages that had been moved to Support came back into INBOX" in page(found)
        code, (words,) = seen_by_health("moved_mail_came_back")
        assert (code, "came back into INBOX" in words) == (200, True)


def test_a_rule_of_the_servers_that_puts_mail_back_ends_with_the_second_time() -> None:
    with imap_server() as server:
        found = account(server, move_to="Done")
        put(server, "a")
        contact(found)
        for _ in range(3):
            put(server, *subjects(server.folders["Done"]))
            server.folders["Done"].clear()
            contact(found)
        assert (stored(), server.count("UID MOVE")) == (["a@imap"], 1)
        uids = sorted(server.folders["INBOX"])
        assert missing(found) == []
        assert fetch(found, uids) == len(uids)  # known, and so not stored
    assert stored() == ["a@imap"]


# --- Servers whose numbers are ahead, or begin again


def test_the_cursor_goes_no_further_than_what_was_seen(monkeypatch) -> None:
    with imap_server() as server:
        found = account(server)
        put(server, "a")
        server.newest = 900  # UIDNEXT is ahead
        contact(found)
        server.newest = 1
        put(server, "b")
        with monkeypatch.context() as patched:  # SEARCH is behind
            patched.setattr(_Session, "matching", lambda session, words: [])
            contact(found)
        assert stored() == ["a@imap"]
        contact(found)
        assert (stored(), missing(found)) == (["a@imap", "b@imap"], [])
        assert ImapCursor.objects.get().note == ""


@pytest.mark.parametrize("cut", [False, True])
def test_a_folder_that_is_made_anew_under_the_same_uidvalidity_is_begun_again(cut: bool) -> None:
    with imap_server() as server:
        found = row(server.port, first_contact="all")
        put(server, "a", "b", "c")
        contact(of_row(found))
        server.folders["INBOX"].clear()
        server.newest = 0
        put(server, "d", "b")
        if cut:
            server.cuts["UID FETCH"] = 1
            with pytest.raises(IMAPClientError):
                contact(of_row(found))
        contact(of_row(found))
        put(server, "e")
        contact(of_row(found))
        assert stored() == [f"{name}@imap" for name in "abcde"]
        assert missing(of_row(found)) == []
        assert "UIDNEXT is 3, and UID 3 was read before, under the same UIDVALIDITY" in page(found)


DISK_FULL = b"From: alarm@host.example\r\nTo: support@example.com\r\nSubject: Disk full\r\n\r\nDisk full\r\n"


def test_a_device_that_says_the_same_again_is_heard_again() -> None:
    """No trace field and no Message-ID: the bytes alone do not say that it is the mail that was
    moved."""
    with imap_server() as server:
        found = account(server, move_to="Done")
        server.folders["Done"] = {}
        server.put(DISK_FULL)
        assert contact(found) == 1
        server.folders["INBOX"][server.put(DISK_FULL)].date += timedelta(seconds=2)
        contact(found)
        assert InboundMail.objects.count() == len(server.folders["Done"]) == 2
        assert (server.folders["INBOX"], ImapCameBack.objects.count()) == ({}, 0)


def test_a_devices_mail_that_comes_back_is_told_by_when_it_came() -> None:
    with imap_server(aliases={"Support": "INBOX"}) as server:
        found = account(server, move_to="Support")
        server.folders["INBOX"][server.put(DISK_FULL)].date -= timedelta(hours=1)
        for _ in range(3):
            contact(found)
        assert (
            InboundMail.objects.count(),
            ImapCameBack.objects.count(),
            server.count("UID MOVE"),
        ) == (1, 1, 1)


def test_a_copy_that_differs_and_a_second_delivery_without_moving_are_arrivals() -> None:
    """The reply address in Delivered-To may name another ticket: what has the same id is not yet
    the same mail."""
    with imap_server() as server:
        found = account(server, move_to="Done")
        put(server, "a")
        contact(found)
        server.put(b"Delivered-To: support+other@example.com\r\n" + eml("a", message_id="a@imap"))
        contact(found)
        assert (stored(), server.folders["INBOX"]) == (["a@imap"] * 2, {})
    with imap_server() as server:
        put(server, "b", "b")
        contact(account(server))
        put(server, "b")
        contact(account(server))
    assert stored() == ["a@imap"] * 2 + ["b@imap"] * 3


@pytest.mark.parametrize(
    ("folder", "to"), [("INBOX.Support", "Support"), ("Support", "INBOX.Support")]
)
def test_a_folder_to_move_to_that_is_the_watched_one_by_the_servers_prefix_is_not_moved_to(
    folder: str, to: str
) -> None:
    with imap_server(prefix="INBOX.", aliases={"Support": "INBOX.Support"}) as server:
        server.folders["INBOX.Support"] = {}
        put(server, "a", folder="INBOX.Support")
        assert contact(account(server, folder=folder, move_to=to)) == 1
        assert server.count("UID MOVE") == 0
    assert (
        ImapCursor.objects.get().error
        == f"what is stored is not moved: {to} is the watched folder itself"
    )


def test_a_dovecot_with_a_prefix_says_which_folder_is_the_watched_one() -> None:
    with dovecot(
        "namespace inbox {\n  prefix = INBOX.\n  separator = .\n  inbox = yes\n}\n"
    ) as server:
        found = replace(read_account(server.url("cleo")), folder="INBOX.Support", move_to="Support")
        with connect(found) as client:
            client.create_folder("INBOX.Support")
            client.append("INBOX.Support", eml("a", message_id="a@imap"))
            assert fetch_new(client, found) == 1
        assert ImapCursor.objects.get().error.endswith("Support is the watched folder itself")
        found = replace(found, move_to="INBOX.Done")
        with connect(found) as client:
            client.append("INBOX.Support", eml("b", message_id="b@imap"))
            fetch_new(client, found)
            # What could not be moved is, now that the account names another folder.
            assert client.select_folder("INBOX.Done")[b"EXISTS"] == 2
    assert (stored(), ImapCursor.objects.get().error) == (["a@imap", "b@imap"], "")


def test_a_lease_that_another_process_took_stops_before_anything_is_written_or_moved() -> None:
    with imap_server() as server:
        found = account(server, move_to="Done")
        put(server, "a")
        lease = leases.acquire(found.name, threading.Event())
        assert lease
        with connect(found) as client:
            fetch_new(client, found, lease)
            put(server, "b")
            InboundMail.objects.all().delete()
            leases.ImapLease.objects.update(token="another")
            with pytest.raises(leases.Lost):
                fetch_new(client, found, lease)
        assert (stored(), subjects(server.folders["INBOX"])) == ([], ["b"])
        leases.release(lease)
    assert leases.ImapLease.objects.get().token == "another"


def test_the_accounts_page_says_who_watches_it() -> None:
    with imap_server() as server:
        found = row(server.port)
        assert "nobody" in page(found).partition("Watched by")[2][:300]
        with watching(of_row(found)):
            wait_for(lambda: leases.held(), 10)
            lease = leases.ImapLease.objects.get()
            assert (
                f"{lease.host}, process {lease.pid}, since {lease.since:%Y-%m-%d %H:%M} UTC"
                in page(found)
            )
        assert "nobody" in page(found).partition("Watched by")[2][:300]
