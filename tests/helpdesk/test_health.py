"""What /api/health/ says, to whom, and for what it is a 503."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.cache import caches
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone

from helpdesk import cached
from helpdesk import health as health_view
from helpdesk.edge import proxies
from helpdesk.health import processes
from helpdesk.models import Attachment, MailServer, OutboundMail, Person, Ticket
from helpdesk.outbound import servers
from helpdesk.outbound.whose_fault import Whose
from inbound.models import ImapAccount, ImapCameBack, ImapCursor, ImapPassedOver, InboundMail
from inbound.store import TOO_LARGE
from inbound.transports.imap.account import read_account
from inbound.transports.imap.accounts import of_row
from tasks import watchdog
from tasks.housekeeping import HEARTBEAT
from tasks.watchdog import SIGNS
from tests.support.api import a_ticket, admin
from tests.support.mail import SUPPORT, agent, arrive, customer, eml, mailbox

pytestmark = pytest.mark.django_db

Words = list[str]


@pytest.fixture(autouse=True)
def _all_is_well(settings, monkeypatch) -> None:
    caches[SIGNS].clear()
    caches[SIGNS].set(HEARTBEAT, timezone.now())
    settings.IMAP_ACCOUNTS = []
    settings.MAILBOX_SILENCE = 600
    settings.CLAMAV_ADDR = ("127.0.0.1", 3310)
    monkeypatch.setattr(proxies, "_untrusted", {})


def ago(**span: float) -> datetime:
    return timezone.now() - timedelta(**span)


def asked(person: Person | None = None) -> tuple[int, dict[str, Any]]:
    client = Client()
    if person is not None:
        client.force_login(person, backend="helpdesk.auth.EmailBackend")
    answer = client.get("/api/health/")
    return answer.status_code, answer.json()


def mail_in(**fields: Any) -> InboundMail:
    row = arrive(eml("x", message_id=f"{InboundMail.objects.count()}@x"))
    InboundMail.objects.filter(pk=row.pk).update(**fields)
    row.refresh_from_db()
    return row


def mail_out(**fields: Any) -> OutboundMail:
    row = OutboundMail.objects.create(
        kind="code",
        mailbox=mailbox(),
        to_address="cleo@example.net",
        message_id=f"{OutboundMail.objects.count()}@x",
        is_automatic=True,
    )
    OutboundMail.objects.filter(pk=row.pk).update(**fields)
    return row


def account(**fields: Any) -> ImapAccount:
    given = {"host": "imap.example.com", "username": "cleo", "secret": "x", **fields}
    return ImapAccount.objects.create(mailbox=mailbox(), **given)


def name_of(row: ImapAccount) -> str:
    return of_row(row).name


# --- What there can be to say, and how it reads


def late_inbound() -> float:
    mail_in(received_at=ago(minutes=5))
    return 300.0


def late_outbound() -> float:
    mail_out(due_at=ago(minutes=5))
    return 300.0


def never_reached() -> Words:
    account(username="ned", created_at=ago(seconds=700))
    return ["ned at imap.example.com: never reached"]


def soon_expired() -> Words:
    at = timezone.now() + timedelta(days=6)
    account(username="sue", auth="xoauth2", token_expires_at=at)
    return [f"sue at imap.example.com: {at:%Y-%m-%d %H:%M} UTC"]


def held_for_long() -> Words:
    now = timezone.now().timestamp()
    caches[SIGNS].set(watchdog.SEEN, {"inbound mail 17": (now - 42, now)})
    return ["inbound mail 17 for 42 s"]


def circuit_open() -> Words:
    mail_out(reason=servers.WAITS)
    soon = timezone.now() + timedelta(seconds=30)
    MailServer.objects.create(name=SUPPORT, error="Connection refused", open_until=soon)
    return [f"{SUPPORT}: Connection refused"]


def unplaced() -> int:
    for group in ("unplaced", "failed", "automatic", "spam", "blocked", "backscatter"):
        mail_in(state=InboundMail.State.QUARANTINED, to_look_at=group)
    return 3  # the first three: the others are looked through now and then


def passed_over() -> Words:
    found = {"account": name_of(account()), "uid_validity": 1, "subject": "Fire"}
    ImapPassedOver.objects.create(**found, uid=7, reason="it has no end", is_final=True)
    ImapPassedOver.objects.create(**found, uid=8, reason="is tried again")
    ImapPassedOver.objects.create(**{**found, "account": "no more"}, uid=9, is_final=True)
    return ["cleo@imap.example.com:993/INBOX: UID 7 (Fire): it has no end"]


def numbered_anew() -> Words:
    at = ago(days=1)
    ImapCursor.objects.create(account="a", note="numbered anew", noted_at=at)
    ImapCursor.objects.create(account="b", note="long ago", noted_at=ago(days=8))
    return [f"a: {at:%Y-%m-%d %H:%M} UTC: numbered anew"]


def too_large() -> Words:
    refused = {"state": InboundMail.State.QUARANTINED, "reason": TOO_LARGE, "size": 31_500_000}
    row = mail_in(**refused, client="mailgun")
    mail_in(**refused, received_at=ago(days=8))
    return [
        f"{row.received_at:%Y-%m-%d %H:%M} UTC: 31.5 MB from cleo@example.net to {SUPPORT} "
        "by mailgun"
    ]


def came_back() -> Words:
    name = name_of(account(username="cora", move_to="Done"))
    ImapCameBack.objects.create(account=name, uid_validity=1, uid=5)
    return [f"{name}: 1 message that had been moved to Done came back into INBOX"]


def not_scanned() -> int:
    comment = a_ticket().comments.get()
    for minutes in (0, 2, 3):
        Attachment.objects.create(
            comment=comment,
            file="a",
            name="a",
            content_type="text/plain",
            size=1,
            scan="waiting",
            created_at=ago(minutes=minutes),
        )
    return 2


def started_again() -> Words:
    old = (time.time() - 2 * processes.NOTICE_SECONDS, "long ago")
    caches[SIGNS].set(processes.ENDED, [old])
    processes.note("the workers (process 7) was ended by SIGKILL")
    return [f"{timezone.now():%Y-%m-%d %H:%M}"]


def untrusted() -> Words:
    proxies._untrusted["192.0.2.9"] = "x-forwarded-for: 198.51.100.1"
    return ["192.0.2.9 says 'x-forwarded-for: 198.51.100.1'"]


@dataclass(frozen=True, slots=True)
class Said:
    """How a key comes to say something, and whether that is a problem."""

    make: Callable[[], Words | float]
    is_problem: bool


KEYS = {
    "oldest_inbound_seconds": Said(late_inbound, is_problem=True),
    "oldest_outbound_seconds": Said(late_outbound, is_problem=True),
    "mailboxes_not_reached": Said(never_reached, is_problem=True),
    "tokens_expiring": Said(soon_expired, is_problem=True),
    "stuck": Said(held_for_long, is_problem=True),
    "mail_servers_failing": Said(circuit_open, is_problem=True),
    "to_look_at": Said(unplaced, is_problem=False),
    "messages_passed_over": Said(passed_over, is_problem=False),
    "folders_numbered_anew": Said(numbered_anew, is_problem=False),
    "mail_refused": Said(too_large, is_problem=False),
    "moved_mail_came_back": Said(came_back, is_problem=False),
    "files_not_scanned": Said(not_scanned, is_problem=False),
    "processes_ended": Said(started_again, is_problem=False),
    "proxies_not_trusted": Said(untrusted, is_problem=False),
}
SECONDS = ("oldest_inbound_seconds", "oldest_outbound_seconds")


def test_when_all_is_well_there_is_nothing_to_say() -> None:
    code, body = asked(admin())
    assert code == 200
    assert set(body) == {"database", "heartbeat", "cache", "status", "problems", *KEYS}
    assert (body["database"], body["cache"], body["status"]) == ("ok", "ok", "ok")
    assert body["problems"] == []
    assert datetime.fromisoformat(body["heartbeat"]) == caches[SIGNS].get(HEARTBEAT)
    assert not any(body[key] for key in KEYS)


@pytest.mark.parametrize("key", KEYS)
def test_each_thing_is_said_under_its_name_and_is_a_problem_or_none(key: str) -> None:
    wanted = KEYS[key].make()
    code, body = asked(admin())
    if isinstance(wanted, list):
        assert len(body[key]) == len(wanted)
        assert all(found.startswith(words) for found, words in zip(body[key], wanted, strict=True))
    else:
        assert body[key] == pytest.approx(wanted, abs=30 if key in SECONDS else 0)
    # A mail that is a moment old is under way.
    others = {name: body[name] for name in KEYS if name != key}
    assert not any(found for name, found in others.items() if name not in SECONDS), others
    problems = [key] if KEYS[key].is_problem else []
    assert body["problems"] == problems
    assert (code, body["status"]) == ((503, "problem") if problems else (200, "ok"))


def test_several_problems_are_all_named() -> None:
    for said in KEYS.values():
        if said.is_problem:
            said.make()
    code, body = asked()
    assert code == 503
    assert body["problems"] == [key for key, said in KEYS.items() if said.is_problem]


# --- Who may read it


@pytest.mark.parametrize("key", [key for key in KEYS if key not in SECONDS])
def test_names_and_words_are_for_who_sees_all_mail_and_others_learn_how_many(
    key: str, settings
) -> None:
    wanted = KEYS[key].make()
    number = len(wanted) if isinstance(wanted, list) else wanted
    ada = agent()
    in_words = asked(admin())[1][key]
    assert asked(ada)[1][key] == in_words
    settings.AGENTS_SEE = "teams"
    assert asked(admin())[1][key] == in_words
    gone = agent("Gone")
    Person.objects.filter(pk=gone.pk).update(is_active=False)
    for person in (None, customer(), ada, gone):
        code, body = asked(person)
        assert body[key] == number
        assert not any(isinstance(value, list) for name, value in body.items() if name in KEYS)
        assert (code, body["problems"]) == ((503, [key]) if KEYS[key].is_problem else (200, []))


# --- What is not said


def quiet(key: str) -> bool:
    code, body = asked(admin())
    return (code, body["problems"]) == (200, []) and not body[key]


def test_mail_that_has_waited_for_less_than_a_minute_is_under_way() -> None:
    mail_in(received_at=ago(seconds=30))
    mail_out(due_at=ago(seconds=30))
    code, body = asked()
    assert (code, body["problems"]) == (200, [])
    assert all(29 <= body[key] < 60 for key in SECONDS)


def test_mail_that_is_done_or_not_due_yet_does_not_wait() -> None:
    mail_in(received_at=ago(minutes=5), state=InboundMail.State.DONE)
    mail_out(due_at=ago(minutes=5), state=OutboundMail.State.SENT)
    mail_out(due_at=timezone.now() + timedelta(minutes=5))
    assert quiet("oldest_inbound_seconds")
    assert quiet("oldest_outbound_seconds")


def test_a_full_mailbox_of_a_recipient_is_nothing_that_anybody_here_could_mend() -> None:
    mail_out(due_at=ago(hours=5), reason=Whose.PASSES.value)
    assert quiet("oldest_outbound_seconds")


def test_an_account_that_was_reached_or_is_new_or_paused_is_no_problem() -> None:
    found = account()
    assert quiet("mailboxes_not_reached")
    ImapAccount.objects.update(created_at=ago(days=1))
    cursor = ImapCursor.objects.create(account=name_of(found), contacted_at=ago(seconds=500))
    assert quiet("mailboxes_not_reached")
    ImapCursor.objects.update(contacted_at=ago(seconds=700), error="wrong password")
    assert asked(admin())[1]["mailboxes_not_reached"] == [f"{found}: wrong password"]
    ImapAccount.objects.update(is_active=False)
    assert quiet("mailboxes_not_reached")
    # Reached, and never getting on.
    ImapAccount.objects.update(is_active=True)
    ImapCursor.objects.filter(pk=cursor.pk).update(
        contacted_at=timezone.now(), failing_since=ago(seconds=700)
    )
    assert asked(admin())[1]["mailboxes_not_reached"] == [f"{found}: wrong password"]
    ImapCursor.objects.update(failing_since=ago(seconds=500))
    assert quiet("mailboxes_not_reached")


def test_an_account_of_imap_urls_for_a_mailbox_that_there_is_not_is_named_at_once(settings) -> None:
    url = "imaps://cleo:secret@imap.example.com/INBOX?mailbox=nobody@example.com"
    settings.IMAP_ACCOUNTS = [read_account(url)]
    code, body = asked(admin())
    assert (code, body["mailboxes_not_reached"]) == (
        503,
        ["cleo@imap.example.com:993/INBOX: there is no mailbox nobody@example.com"],
    )


@pytest.mark.parametrize(
    "fields",
    [{"auth": "password"}, {"is_active": False}, {"days": 8}],
    ids=["signs in with a password", "paused", "in eight days"],
)
def test_no_token_expires_of_an_account_that_needs_none_soon(fields: dict[str, Any]) -> None:
    at = timezone.now() + timedelta(days=fields.pop("days", 6))
    account(**{"auth": "xoauth2", **fields}, token_expires_at=at)
    assert quiet("tokens_expiring")


def test_a_row_whose_workers_did_not_come_back_from_it_is_stuck() -> None:
    mail_in(attempts=2), mail_in(attempts=3, error="it said why"), mail_out(deaths=1)
    assert quiet("stuck")
    came, goes = mail_in(attempts=3), mail_out(deaths=2)
    code, body = asked(admin())
    assert (code, body["stuck"]) == (
        503,
        [
            f"inbound mail {came.pk}: 2 workers did not come back from it",
            f"outgoing mail {goes.pk}: 2 workers did not come back from it",
        ],
    )


def test_a_server_for_which_nothing_waits_is_no_problem() -> None:
    circuit_open()
    OutboundMail.objects.update(state=OutboundMail.State.SENT)
    assert quiet("mail_servers_failing")


def test_several_mails_put_off_and_none_taken_since_are_the_servers_doing() -> None:
    put_off = {"reason": Whose.PASSES.value, "error": "greylisted", "due_at": ago(minutes=11)}
    mail_out(**put_off), mail_out(**put_off), mail_out(**{**put_off, "due_at": ago(minutes=9)})
    assert quiet("mail_servers_failing")
    mail_out(**put_off)
    code, body = asked(admin())
    assert (code, body["mail_servers_failing"]) == (
        503,
        [f"{SUPPORT}: 3 mails put off: greylisted"],
    )
    mail_out(state=OutboundMail.State.SENT)
    assert quiet("mail_servers_failing")


def test_what_came_back_a_while_ago_is_not_said_any_more() -> None:
    came_back()
    ImapCameBack.objects.update(created_at=ago(days=8))
    assert quiet("moved_mail_came_back")


def test_no_file_waits_where_there_is_no_scanner(settings) -> None:
    not_scanned()
    settings.CLAMAV_ADDR = None
    assert quiet("files_not_scanned")


# --- The database, the cache, the workers


@contextmanager
def database_without(table: str) -> Iterator[None]:
    """It goes away when that table is asked; of "", it is away."""

    def goes_away(run: Any, sql: str, *more: Any) -> Any:
        if table in sql:
            raise OperationalError("the database has gone away")
        return run(sql, *more)

    with connection.execute_wrapper(goes_away):
        yield


def test_a_database_that_is_away_is_a_problem_and_the_only_one_known() -> None:
    for said in KEYS.values():
        said.make()
    with database_without(""):
        code, body = asked()
    assert code == 503
    assert (body["database"], body["status"]) == ("down", "problem")
    assert body["problems"] == ["database"]
    assert (body["cache"], body["heartbeat"] is not None) == ("ok", True)


def test_who_has_a_session_is_answered_too_while_the_database_is_away(client) -> None:
    client.force_login(admin(), backend="helpdesk.auth.EmailBackend")
    with database_without(""):
        answer = client.get("/api/health/")
    assert (answer.status_code, answer.json()["database"]) == (503, "down")


def test_of_a_database_that_goes_away_meanwhile_what_was_known_is_said() -> None:
    late_inbound(), circuit_open()
    with database_without(MailServer._meta.db_table):
        code, body = asked()
    assert (code, body["database"]) == (503, "down")
    assert body["problems"] == ["oldest_inbound_seconds", "database"]
    assert body["oldest_inbound_seconds"] == pytest.approx(300, abs=30)
    assert "mail_servers_failing" not in body  # nobody knows


@pytest.fixture
def here_for_long(monkeypatch) -> None:
    """The process has run, and its cache answered, for an hour."""
    monkeypatch.setattr(health_view, "STARTED", ago(hours=1))
    monkeypatch.setattr(cached, "_answers_since", ago(hours=1))


@pytest.mark.usefixtures("here_for_long")
def test_a_cache_that_is_away_is_a_problem_and_says_nothing_of_the_workers(
    settings, monkeypatch
) -> None:
    settings.CAN_RING, settings.CELERY_BROKER_URL = True, "memory://"
    caches[SIGNS].delete(HEARTBEAT)
    monkeypatch.setattr(cached, "_away", True)
    code, body = asked()
    assert (code, body["cache"], body["heartbeat"]) == (503, "down", None)
    assert body["problems"] == ["cache"]


@pytest.mark.usefixtures("here_for_long")
def test_workers_that_are_not_heard_for_a_minute_are_a_problem(settings) -> None:
    settings.CAN_RING, settings.CELERY_BROKER_URL = True, "memory://"
    for heard, problems in (
        (ago(seconds=50), []),
        (ago(seconds=70), ["workers_or_beat"]),
        (None, ["workers_or_beat"]),
    ):
        caches[SIGNS].set(HEARTBEAT, heard)
        code, body = asked()
        assert (code, body["problems"]) == (503 if problems else 200, problems)
        assert body["heartbeat"] == (heard.isoformat() if heard else None)


@pytest.mark.usefixtures("here_for_long")
@pytest.mark.parametrize("what", ["the process", "the cache"])
def test_workers_are_given_a_minute_after_the_process_or_the_cache_came(
    what: str, settings, monkeypatch
) -> None:
    settings.CAN_RING, settings.CELERY_BROKER_URL = True, "memory://"
    caches[SIGNS].delete(HEARTBEAT)
    place = (health_view, "STARTED") if what == "the process" else (cached, "_answers_since")
    monkeypatch.setattr(*place, ago(seconds=50))
    assert asked()[1]["problems"] == []
    monkeypatch.setattr(*place, ago(seconds=70))
    assert asked()[1]["problems"] == ["workers_or_beat"]


@pytest.mark.usefixtures("here_for_long")
def test_workers_whose_cache_is_another_processs_are_not_waited_for(settings) -> None:
    settings.CAN_RING = False
    caches[SIGNS].delete(HEARTBEAT)
    code, body = asked()
    assert (code, body["problems"], body["heartbeat"]) == (200, [], None)


def test_it_is_for_reading_alone() -> None:
    assert Client().post("/api/health/").status_code == 405
    assert not Ticket.objects.exists()
