"""What is in an outbox row from the moment that it is written, and for which rows the bell rings."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from helpdesk.models import Comment, Identity, MessageRef, OutboundMail, Person, Suppression, Ticket
from helpdesk.outbound import outbox_row
from helpdesk.outbound.outbox_row import Draft, queue, reader_of
from inbound.secrets import decrypt
from tests.support.api import a_ticket
from tests.support.mail import agent, customer, mailbox

pytestmark = pytest.mark.django_db

CODE = {"code": "123456", "minutes": 10}


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """For what the bell has rung."""
    tasks: list[str] = []
    monkeypatch.setattr(outbox_row, "ring", lambda task, pk: tasks.append(task))
    return tasks


def code(**changes: bool) -> OutboundMail:
    mail = queue(Draft("code", reader_of(customer()), mailbox(), CODE, **changes))
    assert mail is not None
    return OutboundMail.objects.get(pk=mail.pk)


def on(ticket: Ticket, kind: str = "reply", **changes: object) -> OutboundMail:
    """A mail to the ticket's customer about what was said in it last."""
    comment = ticket.comments.latest("pk")
    reader, context = reader_of(ticket.requester), {"comment": comment}
    mail = queue(Draft(kind, reader, ticket.mailbox, context, ticket, comment, **changes))  # type: ignore[arg-type]
    assert mail is not None
    return OutboundMail.objects.get(pk=mail.pk)


# --- What is secret


def test_a_code_that_is_sent_is_nowhere_but_under_seal(rung: list[str]) -> None:
    mail = code()
    assert (mail.state, mail.text, mail.html) == ("queued", "", "")
    assert "123456" not in mail.subject + mail.sealed
    assert "123456" in json.loads(decrypt(mail.sealed))[0]
    assert rung == ["tasks.codes.deliver"]


def test_a_code_to_an_address_that_takes_none_is_kept_nowhere(rung: list[str]) -> None:
    """Nobody will read it, and it would still sign in whoever reads the row."""
    Suppression.objects.create(address=customer().email, reason="bounce")
    mail = code()
    assert (mail.state, mail.sealed, mail.text, mail.html) == ("suppressed", "", "", "")
    assert rung == ["tasks.codes.deliver"]  # as for any other: who asked can't tell by the time


def test_a_code_that_is_not_sent_is_kept_nowhere_and_the_bell_rings_as_for_one_that_is(
    rung: list[str],
) -> None:
    """Whoever asked for it can't tell by the time that it took."""
    mail = code(hold_back=True)
    assert (mail.state, mail.sealed, mail.text, mail.html) == ("cancelled", "", "", "")
    code()
    assert rung == ["tasks.codes.deliver"] * 2


def test_of_an_address_that_takes_none_a_code_that_is_not_sent_says_nothing(
    rung: list[str],
) -> None:
    Suppression.objects.create(address=customer().email, reason="bounce")
    mail = code(hold_back=True)
    assert (mail.state, mail.sealed) == ("cancelled", "")
    assert rung == ["tasks.codes.deliver"]


# --- When it is due


def test_what_is_due_at_once_is_rung_for_and_what_can_be_taken_back_waits(rung: list[str]) -> None:
    now = on(a_ticket())
    assert now.next_attempt_at <= timezone.now()
    assert rung == ["tasks.outbound.deliver"]
    later = on(a_ticket(), delay=timedelta(seconds=20))
    wait = later.next_attempt_at - timezone.now()
    assert (later.state, timedelta(seconds=10) < wait <= timedelta(seconds=20)) == ("queued", True)
    assert rung == ["tasks.outbound.deliver"]


# --- What it is an answer to


def test_it_answers_the_last_of_its_parents_and_is_found_by_its_own_id() -> None:
    ticket = a_ticket()
    mail = on(ticket, parents=["first@x", "second@x", "third@x"])
    assert (mail.in_reply_to, mail.references) == ("third@x", "first@x second@x third@x")
    alone = on(ticket)
    assert (alone.in_reply_to, alone.references) == ("", "")
    for found in (mail, alone):
        assert MessageRef.objects.get(message_id=found.message_id).ticket_id == ticket.pk


# --- Whose words it carries


def words(mail: OutboundMail) -> str:
    return f"{mail.subject}\n{mail.text}\n{mail.html}"


@pytest.mark.parametrize("kind", ["acknowledgement", "reply", "status_changed"])
def test_a_strangers_words_are_not_carried_to_an_address_that_nobody_verified(kind: str) -> None:
    ticket = a_ticket("Cheap pills", text="Buy at evil.example")
    ticket.guest_name = "Anybody"
    mail = on(ticket, kind)
    assert "pills" not in words(mail)
    assert "evil.example" not in words(mail)
    assert f"#{ticket.pk}" in mail.subject
    assert ticket.subject == "Cheap pills"  # of the ticket itself nothing is changed
    ticket.guest_name = None
    assert "Cheap pills" in words(on(ticket, kind))


def test_what_an_agent_writes_is_carried_there_and_staff_read_all_of_it() -> None:
    ticket = a_ticket("Cheap pills", text="Buy at evil.example")
    ticket.guest_name = "Anybody"
    ada: Person = agent()
    Comment.objects.create(ticket=ticket, author=ada, text="We look into it", via="web")
    assert "We look into it" in on(ticket).text
    told = queue(Draft("assigned", reader_of(ada), ticket.mailbox, {"actor": ada}, ticket))
    assert told is not None
    assert "Cheap pills" in told.subject + told.text


# --- Who wants none


def test_who_turned_a_kind_off_gets_no_row_of_it_but_what_they_must_know(rung: list[str]) -> None:
    ticket = a_ticket()
    Person.objects.update(muted=["status_changed", "reply", "code"])
    reader = reader_of(Person.objects.get(pk=ticket.requester_id))
    assert queue(Draft("status_changed", reader, ticket.mailbox, {}, ticket)) is None
    assert (OutboundMail.objects.count(), rung) == (0, [])
    assert code().state == "queued"


def test_an_address_that_had_its_share_gets_no_more_automatic_mail_and_staff_do(settings) -> None:
    """The end of every loop, whatever the address writes; what people's work brings about is none."""
    settings.AUTOMATIC_MAILS_PER_ADDRESS = 2
    ticket, ada = a_ticket(), agent()
    kinds = ["acknowledgement", "status_changed", "acknowledgement", "reply"]
    states = [on(ticket, kind).state for kind in kinds]
    assert states == ["queued", "queued", "suppressed", "queued"]
    assert code().state == "queued"
    for _ in range(4):
        told = queue(Draft("assigned", reader_of(ada), ticket.mailbox, {"actor": ada}, ticket))
        assert told is not None
        assert told.state == "queued"


# --- Its language


@pytest.mark.parametrize(
    ("theirs", "of_the_mailbox", "is_german"),
    [("", "", False), ("", "de", True), ("en", "de", False), ("de", "en", True)],
)
def test_it_is_in_its_readers_language_or_else_in_the_mailboxs(
    theirs: str, of_the_mailbox: str, is_german: bool
) -> None:
    Identity.objects.update_or_create(mailbox=mailbox(), defaults={"language": of_the_mailbox})
    customer()
    Person.objects.update(language=theirs)
    person = Person.objects.get(email=customer().email)
    mail = queue(Draft("code", reader_of(person), mailbox(), CODE))
    assert mail is not None
    assert ("Minuten" in json.loads(decrypt(mail.sealed))[0]) is is_german
