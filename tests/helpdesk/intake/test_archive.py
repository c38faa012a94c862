"""What we wrote ourselves, as an old archive has it: an agent's answer, in its customer's ticket."""

from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from helpdesk import actions
from helpdesk.actions import Content
from helpdesk.models import Comment, OutboundMail, Participant, Person, SLAClock, Ticket
from inbound import queue, store
from inbound.addresses import own_mark
from inbound.models import InboundMail
from inbound.reading.message import Envelope
from inbound.reading.ours import MARK_HEADER
from tasks.inbound import process
from tests.support.mail import (
    SUPPORT,
    agent,
    arrive,
    customer,
    deliver_all,
    eml,
    mailbox,
    receive,
    ticket_of,
)

pytestmark = pytest.mark.django_db(transaction=True)

DATE = "Wed, 07 May 2014 10:00:00 +0000"
CLEO = "Cleo <cleo@example.net>"


def imported(*raws: bytes) -> list[InboundMail]:
    """Stored together, then processed in their order, as often as one waits for another."""
    mailbox()
    envelope = Envelope(None, (SUPPORT,), "ingest")
    pks = [
        pk
        for found in store.accept_many(
            [store.Arrival(raw, envelope, "ingest", is_history=True) for raw in raws]
        )
        for pk in found
    ]
    for _ in range(3):
        for pk in pks:
            if InboundMail.objects.get(pk=pk).state == "received":
                process(pk)
    return list(InboundMail.objects.filter(pk__in=pks).order_by("pk"))


def question(message_id: str = "q@old") -> bytes:
    return eml("It smokes", message_id=message_id, date="Tue, 06 May 2014 10:00:00 +0000")


def answer(
    text: str = "Unplug it.", *, sender: str = f"Desk <{SUPPORT}>", to: str = CLEO, **headers: str
) -> bytes:
    headers = {"message_id": "a@old", "date": DATE, "subject": "Re: Help", **headers}
    return eml(text, sender=sender, to=to, **headers)


def said(row: InboundMail) -> Comment:
    return Comment.objects.select_related("author", "ticket").get(mail=row)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_an_answer_from_our_address_is_in_its_ticket_with_its_own_date(
    order: tuple[int, int],
) -> None:
    raws = (question(), answer(in_reply_to="<q@old>"))
    rows = imported(*(raws[number] for number in order))
    first, second = (rows[number] for number in order)
    assert (first.reason, second.reason, second.state) == ("open", "comment", "done")
    assert first.ticket_number == second.ticket_number
    comment = said(second)
    assert (comment.author, comment.visibility, comment.is_ours, comment.who) == (
        None,
        "public",
        True,
        "Example Support",
    )
    assert comment.created_at == datetime(2014, 5, 7, 10, tzinfo=UTC)
    assert comment.ticket.status == "closed"
    assert not OutboundMail.objects.exists()
    assert not SLAClock.objects.exists()
    assert list(Person.objects.values_list("email", flat=True)) == ["cleo@example.net"]


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ({"sender": "Ada <ada@example.com>"}, "Unplug it."),
        ({"sender": f"Ada <{SUPPORT}>"}, "Unplug it."),
        ({"sender": f"Ada at Support <{SUPPORT}>"}, "Unplug it."),
        ({"sender": f'"Support (Ada)" <{SUPPORT}>'}, "Unplug it."),
        ({"sender": f"Support <{SUPPORT}>"}, "Unplug it.\n\nBest regards,\nAda\n"),
        (
            {"sender": f"Support <{SUPPORT}>"},
            "Unplug it.\n\n-- \nAda, Example Support\n+49 30 1234\n",
        ),
        (
            {"sender": f"Support <{SUPPORT}>"},
            "Unplug it.\n\n-- \nExample Support\nada@example.com\n",
        ),
        ({"sender": f"Support <{SUPPORT}>", "Sender": "ada@example.com"}, "Unplug it."),
    ],
)
@pytest.mark.parametrize("has_left", [False, True])
def test_the_agent_whom_it_names_has_written_it(
    headers: dict[str, str], text: str, has_left: bool
) -> None:
    ada, ben = agent("Ada"), agent("Ben")
    if has_left:
        Person.objects.filter(pk=ada.pk).update(is_active=False)
    _, row = imported(question(), answer(text, in_reply_to="<q@old>", **headers))
    assert (row.reason, said(row).author, said(row).visibility) == ("comment", ada, "public")
    assert row.evidence["answered_by"]["author"] == "ada@example.com"
    assert ben != ada


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Adam", "Unplug it."),
        ("Support", "I have asked Ada.\n\nAda, could you look?\n"),
        ("Support", "Unplug it.\n\nAda\nBen\n"),
        ("Support", "Unplug it.\n\nOn Monday Cleo wrote:\n> Ada\n"),
    ],
)
def test_nobody_is_named_who_may_not_have_written_it(name: str, text: str) -> None:
    agent("Ada")
    agent("Ben")
    _, row = imported(question(), answer(text, sender=f"{name} <{SUPPORT}>", in_reply_to="<q@old>"))
    assert (row.reason, said(row).author, row.evidence["answered_by"]["by"]) == (
        "comment",
        None,
        "mailbox",
    )


@pytest.mark.parametrize("sender", ["Ada <ada@example.com>", f"Desk <{SUPPORT}>"])
@pytest.mark.parametrize("headers", [{}, {"in_reply_to": "<lost@old>"}])
def test_one_whose_question_is_not_there_opens_a_closed_ticket_for_its_customer(
    sender: str, headers: dict[str, str]
) -> None:
    ada = agent()
    to = f"{CLEO}, Ben <ben@example.org>, Ada <ada@example.com>, {SUPPORT}"
    (row,) = imported(answer(sender=sender, to=to, **headers))
    ticket = ticket_of(row)
    assert (row.reason, row.evidence["rule"]) == ("open", "archived-answer")
    assert (ticket.requester.email, ticket.requester.name, ticket.status) == (
        "cleo@example.net",
        "Cleo",
        "closed",
    )
    assert (ticket.subject, ticket.created_at) == ("Re: Help", datetime(2014, 5, 7, 10, tzinfo=UTC))
    assert set(Participant.objects.values_list("person__email", "role")) == {
        ("cleo@example.net", "requester"),
        ("ben@example.org", "cc"),
    }
    assert said(row).author == (ada if "ada" in sender else None)
    assert not OutboundMail.objects.exists()
    # What the customer wrote is found later, and says that it was before.
    (late,) = imported(
        eml("It smokes", message_id="lost@old", date="Tue, 06 May 2014 10:00:00 +0000")
    )
    if headers:
        assert (late.reason, late.ticket_number) == ("comment", ticket.pk)
        ticket.refresh_from_db()
        assert ticket.created_at == datetime(2014, 5, 6, 10, tzinfo=UTC)
    (thanks,) = imported(eml("Thanks", in_reply_to="<a@old>", message_id="t@old"))
    assert (thanks.reason, thanks.ticket_number) == ("comment", ticket.pk)


def test_what_agents_say_among_themselves_or_to_others_is_a_note() -> None:
    agent("Ada")
    agent("Ben")
    _, inside, supplier, back = imported(
        question(),
        answer(
            "She is angry.",
            sender="Ada <ada@example.com>",
            to="Ben <ben@example.com>",
            in_reply_to="<q@old>",
        ),
        answer(
            "Has it a fuse?", to="sales@supplier.example", message_id="s@old", in_reply_to="<q@old>"
        ),
        answer("Unplug it.", sender="ben@example.com", message_id="b@old", in_reply_to="<a@old>"),
    )
    assert [said(row).visibility for row in (inside, supplier, back)] == [
        "internal",
        "internal",
        "public",
    ]
    assert Ticket.objects.count() == 1


def test_an_id_that_others_mention_leads_no_answer_into_a_strangers_ticket() -> None:
    other, row = imported(
        eml(
            "About your newsletter",
            sender="eve@example.org",
            message_id="e@old",
            references="<news@old>",
        ),
        answer("Yours is 4711.", in_reply_to="<cleos@old>", references="<news@old> <cleos@old>"),
    )
    assert ticket_of(row).requester.email == "cleo@example.net"
    assert other.ticket_number != row.ticket_number


def test_a_reply_address_of_an_earlier_system_is_no_customer_and_a_form_is_one() -> None:
    (sent,) = imported(answer(to=CLEO, reply_to="desk+4711@earlier.example"))
    assert (ticket_of(sent).requester.email, said(sent).author) == ("cleo@example.net", None)
    (form,) = imported(answer(to=SUPPORT, reply_to="Eve <eve@example.org>", message_id="f@old"))
    assert (ticket_of(form).requester.email, said(form).author) == (
        "eve@example.org",
        form.comment.author,
    )
    (group,) = imported(
        answer(
            to="list@example.org",
            message_id="g@old",
            **{"X-Original-From": "Eve <eve@example.org>"},
        )
    )
    assert ticket_of(group).requester.email == "eve@example.org"


def test_a_colleague_in_cc_is_no_customer_of_an_answer() -> None:
    agent("Ben")
    (row,) = imported(answer(to=f"Ben <ben@example.com>, {CLEO}"))
    ticket = ticket_of(row)
    assert ticket.requester.email == "cleo@example.net"
    assert not Participant.objects.filter(ticket=ticket, person__email="ben@example.com").exists()


def test_what_a_list_hands_on_under_our_address_is_whose_it_says() -> None:
    headers = {"reply_to": "Eve <eve@example.org>", "list_id": "<all.example.org>"}
    (row,) = imported(answer("I ask.", to="list@example.org", message_id="l@old", **headers))
    assert (ticket_of(row).requester.email, said(row).author) == (
        "eve@example.org",
        ticket_of(row).requester,
    )


def test_a_form_that_names_an_agent_is_no_answer_of_theirs() -> None:
    ada = agent()
    words = {"reply_to": "Ada <ada@example.com>", "message_id": "f@old"}
    (row,) = imported(
        answer("My name is Ada.", sender="no-reply@web.example", to=f"{SUPPORT}, {CLEO}", **words)
    )
    assert row.evidence.get("answered_by") is None
    assert ticket_of(row).requester == ada


def test_an_agents_own_question_is_theirs_and_mail_to_nobody_lies_where_people_look() -> None:
    ada = agent()
    (asked,) = imported(answer("The coffee is out.", sender="ada@example.com", to=SUPPORT))
    assert (ticket_of(asked).requester, said(asked).author) == (ada, ada)
    for headers in ({}, {"in_reply_to": "<lost@old>"}):
        (row,) = imported(answer(f"Hm {len(headers)}", to=SUPPORT, message_id="n@old", **headers))
        assert (row.state, row.reason, row.to_look_at) == (
            "quarantined",
            "from our own address",
            "unplaced",
        )


def test_an_acknowledgement_of_an_earlier_system_is_automatic_and_opens_nothing() -> None:
    headers = {"auto_submitted": "auto-replied", "in_reply_to": "<q@old>"}
    (alone,) = imported(answer("We have got your mail.", **headers))
    assert (alone.state, alone.to_look_at) == ("quarantined", "automatic")
    _, row = imported(question(), answer("We have got it.", message_id="a2@old", **headers))
    assert (said(row).is_automatic, said(row).visibility) == (True, "public")


def test_a_newsletter_of_ours_lets_nobody_take_part_unasked() -> None:
    to = ", ".join(f"p{number}@example.org" for number in range(30))
    (row,) = imported(answer(to=to))
    assert Participant.objects.count() == 1
    assert len(said(row).asks_to_add) == 29


def test_a_replay_decides_the_same() -> None:
    agent()
    rows = imported(
        question(),
        answer(in_reply_to="<q@old>"),
        answer(message_id="alone@old", to="Eve <eve@example.org>", in_reply_to="<lost@old>"),
        answer(
            "note",
            sender="ada@example.com",
            to="ben@supplier.example",
            message_id="n@old",
            in_reply_to="<q@old>",
        ),
    )
    told = StringIO()
    call_command("reprocess", "--dry-run", *[row.pk for row in rows], stdout=told)
    assert "changed" not in told.getvalue()
    would = [line.partition("would be ")[2] for line in told.getvalue().splitlines()]
    ticket = rows[0].ticket_number
    assert would == [
        "open (new)",
        f"comment (in-reply-to), #{ticket}",
        "open (archived-answer)",
        f"note (in-reply-to), #{ticket}",
    ]
    assert queue.requeue(rows) == 0
    assert Comment.objects.count() == 4


def test_mail_that_we_sent_ourselves_is_in_its_ticket_already() -> None:
    ticket = ticket_of(receive(eml("Help", message_id="first@example.net")))
    actions.reply(ticket, Content("Unplug it."), actor=agent())
    sent = OutboundMail.objects.get(kind="reply")
    (row,) = imported(deliver_all()[-1].split(b"\r\n", 2)[2])
    assert (row.state, row.reason) == ("ignored", "loop")
    # Of another installation with the same keys: what it sent has a number that is another mail's
    # here.
    mark = {MARK_HEADER: own_mark(sent.pk, is_secret=False)}
    (other,) = imported(answer(to="Eve <eve@example.org>", **mark))
    assert (other.reason, ticket_of(other).requester.email) == ("open", "eve@example.org")


@pytest.mark.parametrize("to", [CLEO, SUPPORT])
@pytest.mark.parametrize("headers", [{}, {"in_reply_to": "<first@example.net>"}])
def test_such_mail_that_comes_in_is_treated_as_before(to: str, headers: dict[str, str]) -> None:
    agent()
    ticket = ticket_of(receive(eml("Help", message_id="first@example.net")))
    ours = receive(answer(to=to, **headers), mail_from=SUPPORT)
    assert (ours.state, ours.reason) == ("quarantined", "from our own address")
    row = receive(
        answer("From Ada", sender="Ada <ada@example.com>", to=to, message_id="x@y", **headers),
        mail_from="ada@example.com",
    )
    assert row.reason in ({"hold"} if headers else {"open"})
    assert ticket.comments.filter(visibility="public").count() == 1
    marked = arrive(
        eml("x", sender=SUPPORT, **{MARK_HEADER: own_mark(OutboundMail.objects.earliest("pk").pk)})
    )
    process(marked.pk)
    marked.refresh_from_db()
    assert marked.reason == "loop"


def test_its_pages_show_who_wrote_it(client: Client) -> None:
    imported(question(), answer(in_reply_to="<q@old>"))
    ticket = Ticket.objects.get()
    client.force_login(agent())
    page = client.get(reverse("admin:ticket", args=[ticket.pk])).content.decode()
    assert "<strong>Example Support</strong>" in page
    assert "nothing proves" not in page
    client.force_login(customer())
    page = client.get(reverse("portal:ticket", args=[ticket.pk])).content.decode()
    assert 'comment ours"' in page
    assert "Unplug it." in page


def test_an_answer_that_is_written_now_quotes_it_as_ours() -> None:
    imported(question(), answer(in_reply_to="<q@old>"))
    ticket = Ticket.objects.get()
    actions.set_status(ticket, Ticket.Status.OPEN, actor=agent())
    actions.reply(ticket, Content("Does it smoke again?"), actor=agent())
    assert b"Example Support wrote:" in deliver_all()[-1]


@pytest.mark.parametrize(
    ("to", "visibility"),
    [
        (SUPPORT, "public"),  # its customer in Bcc, or by the program of before
        (f"Ben <ben@example.com>, {SUPPORT}", "internal"),
        (f"sales@supplier.example, {SUPPORT}", "internal"),
    ],
)
def test_what_an_agent_wrote_to_us_alone_is_an_answer_and_to_others_as_well_a_note(
    to: str, visibility: str
) -> None:
    agent("Ada")
    agent("Ben")
    _, row = imported(
        question(), answer("Unplug it.", sender="ada@example.com", to=to, in_reply_to="<q@old>")
    )
    assert said(row).visibility == visibility
    assert Ticket.objects.count() == 1
