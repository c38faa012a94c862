import pytest

from helpdesk import actions, search
from helpdesk.actions import Conflict, Content, Refused
from helpdesk.models import BlockedSender, OutboundMail, Ticket
from tests.support.mail import agent, customer, eml, receive, ticket_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def ticket() -> Ticket:
    return ticket_of(receive(eml("The walrus ate my homework", message_id="first@example.net")))


def test_the_status_goes_its_way_and_every_step_is_an_event(ticket: Ticket) -> None:
    ada = agent()
    actions.assign(ticket, ada, actor=ada)
    for status in ("pending", "open", "resolved", "closed", "open"):
        assert actions.set_status(ticket, status, actor=ada)
    assert ticket.status == "assigned"  # reopening gives assigned where an assignee remains
    assert [e.data["to"] for e in ticket.events.filter(kind="status").order_by("id")] == [
        "pending",
        "assigned",
        "resolved",
        "closed",
        "assigned",
    ]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("resolved", "assign it first"),
        ("pending", "assign it first"),
        ("nonsense", "There is no status"),
    ],
)
def test_an_illegal_move_is_refused_with_a_reason(ticket: Ticket, status: str, words: str) -> None:
    with pytest.raises(Refused, match=words):
        actions.set_status(ticket, status, actor=agent())
    ticket.refresh_from_db()
    assert ticket.status == "open"


def test_staff_may_close_from_any_state(ticket: Ticket) -> None:
    actions.set_status(ticket, "closed", actor=agent())
    assert ticket.closed_at is not None


def test_only_agents_can_be_assigned_to(ticket: Ticket) -> None:
    with pytest.raises(Refused, match="not an agent"):
        actions.assign(ticket, ticket.requester, actor=agent())


def test_a_new_assignee_is_told_unless_they_took_it_themselves(ticket: Ticket) -> None:
    ada, ben = agent("Ada"), agent("Ben")
    actions.assign(ticket, ada, actor=ada)
    assert not OutboundMail.objects.filter(kind="assigned").exists()
    actions.assign(ticket, ben, actor=ada)
    assert OutboundMail.objects.get(kind="assigned").person == ben


def test_a_stale_version_is_a_conflict_and_comments_do_not_bump_it(ticket: Ticket) -> None:
    ada = agent()
    seen = ticket.version
    actions.note(ticket, Content(text="note"), actor=ada)
    actions.set_priority(ticket, 4, actor=ada, version=seen)
    with pytest.raises(Conflict) as conflict:
        actions.set_priority(ticket, 1, actor=ada, version=seen)
    assert conflict.value.current.priority == 4


def test_an_answer_takes_the_ticket_and_a_closed_one_takes_none(ticket: Ticket) -> None:
    ada = agent()
    actions.reply(ticket, Content(text="Water helps"), actor=ada)
    ticket.refresh_from_db()
    assert (ticket.assignee, ticket.status) == (ada, "assigned")
    assert ticket.customer_waits_since is None
    actions.set_status(ticket, "closed", actor=ada)
    with pytest.raises(Refused, match="closed"):
        actions.reply(ticket, Content(text="again"), actor=ada)


def test_a_note_is_mailed_to_nobody(ticket: Ticket) -> None:
    before = OutboundMail.objects.count()
    actions.note(ticket, Content(text="he is right"), actor=agent())
    assert OutboundMail.objects.count() == before


def test_spam_closes_blocks_and_cancels_and_can_be_undone(ticket: Ticket) -> None:
    ada = agent()
    actions.mark_spam(ticket, actor=ada)
    assert (ticket.status, ticket.is_spam) == ("closed", True)
    assert OutboundMail.objects.get().state == "cancelled"
    assert receive(eml("more", message_id="n@n")).reason == "blocked sender"
    actions.not_spam(ticket, actor=ada)
    assert not BlockedSender.objects.exists()


def test_words_of_comments_and_subjects_are_found_by_prefix(ticket: Ticket) -> None:
    assert search.ticket_ids("walr homework") == [ticket.pk]
    assert search.ticket_ids("walrus elephant") == []
    assert search.ticket_ids('"*') == []


def test_a_persons_second_address_is_the_same_person(ticket: Ticket) -> None:
    ticket.requester.addresses.create(address="cleo@private.example")
    row = receive(
        eml("from home", sender="Cleo@Private.example", in_reply_to="<first@example.net>")
    )
    assert ticket.comments.get(mail=row).visibility == "public"
    assert actions.person_for("CLEO@private.example") == ticket.requester
    assert customer().pk == ticket.requester_id
