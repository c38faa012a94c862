"""Under which ids a customer's mailer shows our answer where it belongs."""

from datetime import UTC, datetime, timedelta

import pytest

from helpdesk import actions
from helpdesk.actions import Content
from helpdesk.models import OutboundMail
from helpdesk.outbound.thread_ids import fits_header, sent_to, thread
from tests.support.api import a_ticket
from tests.support.mail import agent

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def at(minutes: int, name: str) -> tuple[datetime, str]:
    return NOON + timedelta(minutes=minutes), name


def test_the_last_mail_that_we_received_is_what_we_answer_though_we_have_sent_one_since() -> None:
    received = [at(10, "question-2@x"), at(0, "question-1@x")]  # the newest first
    ours = [at(1, "acknowledgement@us"), at(20, "answer@us")]
    assert thread(None, received, ours) == [
        "question-1@x",
        "acknowledgement@us",
        "answer@us",
        "question-2@x",
    ]


def test_where_nothing_was_received_the_last_mail_of_ours_is_answered() -> None:
    assert thread(None, [], [at(20, "two@us"), at(10, "one@us")]) == ["one@us", "two@us"]


def test_of_a_long_thread_the_first_mail_and_the_latest_twelve_are_named_once_each() -> None:
    received = [at(minute, f"{minute}@x") for minute in range(30, 0, -1)]
    latest = [f"{minute}@x" for minute in range(19, 31)]
    assert thread("first@x", received, []) == ["first@x", *latest]
    assert thread("30@x", received, []) == ["30@x", *latest[:-1]]


def test_an_id_that_would_break_the_header_is_left_out() -> None:
    bad = ["a b@x", "a@x\r\nBcc: eve@evil.example", "<a@x", "a@x>", "ä@x", "", "a" * 251]
    received = [at(number, name) for number, name in enumerate([*bad, "good@x"])][::-1]
    assert thread(None, received, [at(99, "ours@us")]) == ["ours@us", "good@x"]
    assert not any(fits_header(name) for name in bad)


@pytest.mark.django_db
def test_a_mail_that_a_provider_gave_an_id_of_its_own_is_known_by_that_to_its_reader() -> None:
    ticket = a_ticket()
    actions.reply(ticket, Content(text="One"), actor=agent())
    OutboundMail.objects.filter(kind="reply").update(provider_message_id="theirs@provider")
    second = actions.reply(ticket, Content(text="Two"), actor=agent())
    own = OutboundMail.objects.get(comment=second)
    assert own.references.split()[-1] == "theirs@provider"
    (had,) = sent_to(ticket, [ticket.requester_id]).values()
    assert [name for _, name in had] == [own.message_id, "theirs@provider"]
