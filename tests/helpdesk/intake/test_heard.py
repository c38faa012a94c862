"""Every customer is heard: where mail ends that no rule can place, and that words alone drop none."""

import json
import re
from base64 import b64encode
from pathlib import Path

import pytest
from django.db import DataError, IntegrityError, connection
from django.utils import timezone

from helpdesk import actions
from helpdesk.actions import Content
from helpdesk.models import Comment, OutboundMail, Person, PersonAddress, Team, Ticket
from inbound import queue, readers, store
from inbound.addresses import bounce_address, own_mark
from inbound.models import InboundMail
from inbound.reading.message import Envelope
from tasks import inbound as inbound_tasks
from tasks import sweeping
from tasks.inbound import process, process_slow
from tests.inbound.reading.test_classify import DSN
from tests.support.mail import (
    SUPPORT,
    agent,
    arrive,
    customer,
    delivered,
    eml,
    mailbox,
    receive,
    ticket_of,
)

pytestmark = pytest.mark.django_db
ORDINARY = Path(__file__).parents[2] / "inbound" / "reading" / "ordinary.jsonl"
ORDINARY_MAIL = [json.loads(line) for line in ORDINARY.read_text().splitlines()]


def acknowledged() -> int:
    return OutboundMail.objects.filter(kind="acknowledgement", state="queued").count()


def sent(ticket: Ticket) -> OutboundMail:
    """An agent's answer that has gone out."""
    comment = actions.reply(ticket, Content(text="We look into it."), actor=agent())
    mail = OutboundMail.objects.get(comment=comment)
    OutboundMail.objects.filter(pk=mail.pk).update(state="sent")
    return mail


# --- Words


@pytest.mark.parametrize("language", ["en", "de", "fr", "es"])
def test_ordinary_mail_loses_no_word_whatever_its_words_are(language: str) -> None:
    """Each opens a ticket that holds every word of it, and nearly all are acknowledged."""
    mails = [mail for mail in ORDINARY_MAIL if mail["lang"] == language]
    assert len(mails) >= 85
    for number, mail in enumerate(mails):
        row = receive(
            eml(
                mail["text"],
                subject=mail["subject"],
                sender=f"p{number}@example.net",
                message_id=f"{number}@o",
            ),
            mail_from=f"p{number}@example.net",
        )
        assert (row.state, row.reason) == ("done", "open"), mail
        comment = ticket_of(row).comments.get()
        shown = f"{comment.text}\n{comment.quoted_text}"
        assert words(mail["text"]) == words(shown), mail
    assert acknowledged() >= 0.97 * len(mails)


@pytest.mark.parametrize("language", ["en", "de", "fr", "es"])
def test_ordinary_replies_by_a_participant_are_comments_and_no_answer_is_taken_for_bounced(
    language: str,
) -> None:
    ticket = ticket_of(receive(eml("Hello", message_id="first@x")))
    answer = sent(ticket)
    for number, mail in enumerate(
        [mail for mail in ORDINARY_MAIL if mail["lang"] == language][::5]
    ):
        raw = eml(
            mail["text"],
            subject=mail["subject"],
            message_id=f"{number}@o",
            in_reply_to=f"<{answer.message_id}>",
        )
        row = receive(raw, rcpt=bounce_address(SUPPORT, answer.pk) if number % 7 == 0 else SUPPORT)
        assert (row.state, row.reason, row.ticket_number) == ("done", "comment", ticket.pk), mail
    answer.refresh_from_db()
    assert answer.state == "sent"
    assert not ticket.events.filter(kind="mail-bounced").exists()


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


# --- Our own mail


def test_our_own_mail_that_comes_back_is_known_by_its_mark_whatever_its_message_id_is() -> None:
    ticket = ticket_of(receive(eml("Help", message_id="a@x")))
    raw = delivered(OutboundMail.objects.get(ticket=ticket))
    raw = re.sub(rb"Message-ID: <[^>]*>", b"Message-ID: <put-in@by.the.provider>", raw)
    row = receive(raw, mail_from="")
    assert (row.state, row.reason, row.evidence["by"]) == ("ignored", "loop", "our mark")


def test_our_own_mail_that_comes_back_without_its_mark_is_known_by_the_providers_id() -> None:
    ticket = ticket_of(receive(eml("Help", message_id="a@x")))
    OutboundMail.objects.filter(ticket=ticket).update(provider_message_id="put-in@by.the.provider")
    raw = eml("x", sender=SUPPORT, message_id="put-in@by.the.provider")
    assert receive(raw, mail_from="").reason == "loop"
    stranger = eml("A word of mine", sender="eve@example.org", message_id="put-in@by.the.provider")
    assert receive(stranger).reason == "open"


@pytest.mark.parametrize("mark", ["mazy3", "a" * 24, "of none"])
def test_two_companies_with_this_product_can_write_to_each_other(mark: str) -> None:
    mark = own_mark(99_999) if mark == "of none" else mark
    row = receive(eml("Our printer", x_helpdesk_mail="reply", x_helpdesk_mark=mark))
    assert (row.state, row.reason) == ("done", "open")


# --- Who writes


def test_a_form_of_our_own_opens_a_ticket_for_whom_reply_to_names() -> None:
    raw = eml(
        "The form's words",
        sender=f"Website <{SUPPORT}>",
        reply_to="Cleo <cleo@example.net>",
        message_id="f@x",
    )
    row = receive(raw, mail_from="www@example.com")
    assert ticket_of(row).requester.email == "cleo@example.net"
    assert row.evidence["requester_by"] == "behind our own address"
    assert acknowledged() == 1


@pytest.mark.parametrize("header", ["X-Original-From", "X-Original-Sender", "Sender"])
def test_a_group_that_is_our_own_address_does_not_hide_who_writes(header: str) -> None:
    raw = eml(
        "Hello",
        sender=f"Joe via Support <{SUPPORT}>",
        message_id="g@x",
        list_id="<support.example.com>",
        precedence="list",
        list_unsubscribe="<mailto:x@example.com>",
        **{header.replace("-", "_"): "joe@example.net"},
    )
    ticket = ticket_of(receive(raw))
    assert (ticket.requester.email, ticket.requester.name) == ("joe@example.net", "Joe")
    assert not ticket.comments.get().is_automatic
    assert acknowledged() == 1


def test_a_form_mailer_speaks_for_whom_it_names_in_new_tickets_alone() -> None:
    ticket = ticket_of(receive(eml("Mine", message_id="m@x")))
    form = {"sender": "wordpress@shop.example", "reply_to": "cleo@example.net"}
    row = receive(eml("A question", message_id="q@x", subject="Contact", **form))
    assert (row.reason, ticket_of(row).requester.email) == ("open", "cleo@example.net")
    # Whoever fills in a form types any address they like: its words are not mailed there, nor into
    # a ticket.
    assert "A question" not in OutboundMail.objects.latest("pk").text
    row = receive(eml("I am Cleo, believe me", message_id="r@x", in_reply_to="<m@x>", **form))
    assert (row.reason, row.ticket_number) == ("hold", ticket.pk)


def test_a_person_with_another_reply_to_is_who_from_says() -> None:
    ticket = ticket_of(
        receive(eml("Hello", sender="cleo@example.net", reply_to="office@example.net"))
    )
    assert ticket.requester.email == "cleo@example.net"


def test_mail_from_our_own_address_that_names_nobody_lies_where_people_look() -> None:
    row = receive(eml("Hm", sender=SUPPORT))
    assert (row.state, row.reason, row.to_look_at) == (
        "quarantined",
        "from our own address",
        "unplaced",
    )


def test_an_archive_may_hold_what_an_earlier_system_sent_from_our_address() -> None:
    mailbox()
    for number, raw in enumerate(
        (
            eml("My printer", message_id="q@x"),
            eml("Our answer", sender=f"Desk <{SUPPORT}>", message_id="a@old", in_reply_to="<q@x>"),
        )
    ):
        arrival = store.Arrival(
            raw, Envelope(None, (SUPPORT,)), "ingest", f"archive:{number}", is_history=True
        )
        ((pk,),) = store.accept_many([arrival])
        process(pk)
    ticket = Ticket.objects.get()
    assert [comment.text for comment in ticket.comments.all()] == ["My printer", "Our answer"]
    assert not InboundMail.objects.exclude(state="done").exists()


# --- To look at


def test_a_report_about_mail_that_we_did_not_send_lies_where_people_look() -> None:
    row = receive(DSN, mail_from="")
    assert (row.state, row.reason, row.to_look_at) == (
        "quarantined",
        "unknown report",
        "backscatter",
    )


FAILURE = {"subject": "Failure notice", "sender": "MAILER-DAEMON@mx.example"}


def test_a_daemons_words_without_a_returned_mail_are_a_ticket_that_nobody_is_told_of() -> None:
    row = receive(eml("User unknown", **FAILURE), mail_from="")
    assert (row.state, row.reason) == ("done", "open")
    assert not OutboundMail.objects.exists()


def test_a_daemons_words_with_the_mail_that_they_return_lie_where_people_look_if_it_is_none_of_ours() -> (
    None
):
    returned = "User unknown\n\nReceived: from a by b\nFrom: x@example.org\nSubject: Hi\nTo: y@example.org\n"
    row = receive(eml(returned, **FAILURE), mail_from="")
    assert (row.state, row.reason, row.to_look_at) == (
        "quarantined",
        "unknown report",
        "backscatter",
    )


def test_words_of_people_at_our_return_path_mark_no_answer_as_bounced() -> None:
    ticket = ticket_of(receive(eml("Help", message_id="a@x")))
    mail = sent(ticket)
    path = bounce_address(SUPPORT, mail.pk)
    row = receive(eml("User unknown", subject="Failure notice", message_id="p@x"), rcpt=path)
    assert (row.reason, row.ticket_number) == ("comment", ticket.pk)
    receive(eml("Mine", sender="dan@example.net", message_id="d@x"))
    for sender in ("dan@example.net", "eve@example.org"):
        row = receive(eml("User unknown", subject="Failure notice", sender=sender), rcpt=path)
        assert (row.reason, row.ticket_number) == ("hold", ticket.pk)
    mail.refresh_from_db()
    assert mail.state == "sent"
    returned = f"<cleo@example.net>: user unknown\n\nReceived: from a by b\nMessage-ID: <{mail.message_id}>\nSubject: Re: Help\n"
    row = receive(eml(returned, **FAILURE), rcpt=path, mail_from="")
    mail.refresh_from_db()
    assert (row.reason, mail.state) == ("bounce", "bounced")


def test_an_automatic_reply_to_nothing_of_ours_lies_where_people_look() -> None:
    row = receive(eml("Away", auto_submitted="auto-replied", subject="Automatic reply: away"))
    assert (row.state, row.reason, row.to_look_at) == ("quarantined", "auto-reply", "automatic")


def test_a_vacation_notice_to_the_return_path_of_our_answer_joins_the_ticket() -> None:
    ticket = ticket_of(receive(eml("Help", message_id="a@x")))
    mail = sent(ticket)
    raw = eml("I am away until Monday", auto_submitted="auto-replied", subject="Out of office")
    row = receive(raw, rcpt=bounce_address(SUPPORT, mail.pk), mail_from="")
    assert (row.reason, row.ticket_number) == ("comment", ticket.pk)
    mail.refresh_from_db()
    assert mail.state == "sent"


@pytest.mark.parametrize(
    ("raw", "requester"),
    [
        (eml("Nobody", sender="Nobody"), "unknown-1@invalid"),
        (eml("Ours", sender=SUPPORT), "unknown-1@invalid"),
        (eml("Away", auto_submitted="auto-replied"), "cleo@example.net"),
        (eml("Buy", x_spam_flag="YES"), "cleo@example.net"),
        (DSN, "mailer-daemon@mx.example.org"),
    ],
)
def test_whatever_lies_there_becomes_a_ticket_with_one_click(
    client, raw: bytes, requester: str
) -> None:
    row = receive(raw, mail_from="")
    assert row.to_look_at
    client.force_login(agent())
    client.post("/admin/to-look-at/decide/", {"do": f"ticket-{row.pk}", "group": "unplaced"})
    process(row.pk)
    row.refresh_from_db()
    assert (row.state, row.to_look_at) == ("done", None)
    assert ticket_of(row).requester.email == requester.replace("-1@", f"-{row.pk}@")


def test_whoever_decides_about_a_mail_reads_what_it_says(client) -> None:
    head = f"From: {SUPPORT}\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n"
    row = receive(head.encode() + b64encode("Grüße aus Köln".encode()))
    client.force_login(agent())
    assert "Grüße aus Köln" in client.get(f"/admin/mail/{row.pk}/").content.decode()


def test_what_lies_there_is_dismissed_by_itself_or_with_its_group_and_stays(client) -> None:
    first, second = receive(DSN, mail_from=""), receive(DSN.replace(b"cleo", b"carl"), mail_from="")
    spam = receive(eml("Buy", x_spam_flag="YES"))
    unplaced = receive(eml("Hm", sender=SUPPORT))
    client.force_login(agent())
    assert b"1</span>" in client.get("/admin/to-look-at/?group=spam").content
    client.post("/admin/to-look-at/decide/", {"do": f"dismiss-{unplaced.pk}", "group": "unplaced"})
    client.post(
        "/admin/to-look-at/decide/", {"do": "all", "group": "backscatter", "newest": second.pk}
    )
    left = {row.pk: (row.state, row.to_look_at, row.looked_by) for row in InboundMail.objects.all()}
    assert left == {
        first.pk: ("quarantined", None, "Ada"),
        second.pk: ("quarantined", None, "Ada"),
        spam.pk: ("quarantined", "spam", ""),
        unplaced.pk: ("quarantined", None, "Ada"),
    }
    client.post(f"/admin/mail/{unplaced.pk}/again/", {"do": "ticket"})
    process(unplaced.pk)
    unplaced.refresh_from_db()
    assert unplaced.state == "done"


def test_what_somebody_has_dismissed_stays_so_for_whoever_still_has_the_page_open(client) -> None:
    row = receive(eml("Neither here nor there", sender=SUPPORT))
    for name, deed in (("Ada", "dismiss"), ("Bob", "dismiss"), ("Bob", "ticket"), ("Bob", "all")):
        client.force_login(agent(name))
        client.post("/admin/to-look-at/decide/", {"do": deed, "mail": row.pk, "group": "unplaced"})
        client.post(f"/admin/mail/{row.pk}/again/", {"do": "dismiss"})
        row.refresh_from_db()
        assert (row.state, row.to_look_at, row.looked_by) == ("quarantined", None, "Ada"), deed
    assert (
        "Neither here nor there"
        not in client.get("/admin/to-look-at/?group=unplaced").content.decode()
    )
    assert client.get("/api/health/").json()["to_look_at"] == 0


def test_customers_see_nothing_of_it(client) -> None:
    row = receive(eml("Hm", sender=SUPPORT))
    for person in (customer(), None):
        if person:
            client.force_login(person)
        assert client.get("/admin/to-look-at/").status_code == 302
        client.post("/admin/to-look-at/decide/", {"do": f"dismiss-{row.pk}", "group": "unplaced"})
        client.post(f"/admin/mail/{row.pk}/again/", {"do": "ticket"})
        row.refresh_from_db()
        assert (row.state, row.to_look_at) == ("quarantined", "unplaced")


def test_health_counts_it_and_stays_well(client) -> None:
    receive(eml("Hm", sender=SUPPORT))
    answer = client.get("/api/health/")
    assert answer.json()["to_look_at"] == 1
    assert "to_look_at" not in answer.json()["problems"]


# --- Held


def test_held_mail_is_told_to_the_assignee_and_counted(client) -> None:
    ticket = ticket_of(receive(eml("Mine", message_id="m@x")))
    actions.assign(ticket, agent(), actor=agent())
    receive(eml("Let me in", sender="eve@example.org", in_reply_to="<m@x>", message_id="e@x"))
    told = OutboundMail.objects.get(kind="held")
    assert told.to_address == "ada@example.com"
    assert "eve@example.org" in told.text
    client.force_login(agent())
    assert "1 held: somebody waits" in client.get(f"/admin/tickets/{ticket.pk}/").content.decode()
    page = client.get("/admin/tickets/?queue=held").content.decode()
    assert f"/admin/tickets/{ticket.pk}/" in page
    actions.reject(Comment.objects.get(visibility="held"), actor=agent())
    assert (
        f"/admin/tickets/{ticket.pk}/"
        not in client.get("/admin/tickets/?queue=held").content.decode()
    )


def test_held_mail_of_a_ticket_that_nobody_has_is_told_to_its_team() -> None:
    team = Team.objects.create(name="Desk")
    team.mailboxes.add(mailbox())
    team.members.add(agent("Ada"), agent("Bob"), customer("x@example.net"))
    receive(eml("Mine", message_id="m@x"))
    receive(eml("Let me in", sender="eve@example.org", in_reply_to="<m@x>", message_id="e@x"))
    told = OutboundMail.objects.filter(kind="held").values_list("to_address", flat=True)
    assert sorted(told) == ["ada@example.com", "bob@example.com"]


def test_a_second_address_of_a_customer_is_one_click_and_answers_go_there(client) -> None:
    ticket = ticket_of(receive(eml("Mine", message_id="m@x")))
    receive(
        eml("It is me", sender="Cleo <cleo@work.example>", in_reply_to="<m@x>", message_id="w@x")
    )
    held = Comment.objects.get(visibility="held")
    client.force_login(agent())
    client.post(
        f"/admin/comments/{held.pk}/decide/",
        {"decision": f"also-{ticket.requester_id}", "address": "cleo@work.example"},
    )
    held.refresh_from_db()
    assert (held.visibility, held.author) == ("public", ticket.requester)
    assert PersonAddress.objects.get().address == "cleo@work.example"
    assert not Person.objects.filter(email="cleo@work.example").exists()
    assert sent(ticket).to_address == "cleo@work.example"
    row = receive(
        eml("And again", sender="cleo@work.example", in_reply_to="<m@x>", message_id="z@x")
    )
    assert row.reason == "comment"


def test_an_address_with_an_account_of_its_own_is_nobody_elses() -> None:
    ticket = ticket_of(receive(eml("Mine", message_id="m@x")))
    eve = customer("eve@example.org", "Eve")
    eve.set_password("correct horse battery")
    eve.save()
    receive(eml("It is me", sender="eve@example.org", in_reply_to="<m@x>", message_id="w@x"))
    held = Comment.objects.get(visibility="held")
    with pytest.raises(actions.Refused, match="account of its own"):
        actions.admit_as(held, ticket.requester, address="eve@example.org", actor=agent())
    held.refresh_from_db()
    assert (held.visibility, held.author) == ("held", eve)
    outsider = customer("carl@example.org", "Carl")
    with pytest.raises(actions.Refused, match="does not take part"):
        actions.admit_as(held, outsider, address="eve@example.org", actor=agent())


def test_answers_go_to_the_address_that_the_customer_wrote_from_last_while_it_is_theirs() -> None:
    ticket = ticket_of(receive(eml("Mine", message_id="m@x")))
    PersonAddress.objects.create(person=ticket.requester, address="cleo@home.example")
    assert sent(ticket).to_address == "cleo@example.net"
    receive(eml("From home", sender="cleo@home.example", in_reply_to="<m@x>", message_id="h@x"))
    assert sent(ticket).to_address == "cleo@home.example"
    PersonAddress.objects.all().delete()
    assert sent(ticket).to_address == "cleo@example.net"


# --- The same mail again


def test_the_same_mail_without_a_message_id_is_counted_on_its_comment() -> None:
    raw = eml("Alarm: disk full")
    ticket = ticket_of(receive(raw))
    actions.set_status(ticket, "closed", actor=agent())
    OutboundMail.objects.all().delete()
    again = [receive(raw), receive(raw)]
    assert {(row.state, row.reason) for row in again} == {("ignored", "duplicate")}
    comment = ticket.comments.get()
    assert (comment.times, comment.last_came_at) == (3, again[-1].received_at)
    ticket.refresh_from_db()
    assert ticket.status == "closed"
    assert not OutboundMail.objects.exists()
    for hours, expected in ((23, "duplicate"), (25, "open")):  # a day later it is news
        InboundMail.objects.update(received_at=timezone.now() - timezone.timedelta(hours=hours))
        assert receive(raw).reason == expected


# --- What would stop the others


def test_a_first_mail_to_fifteen_hundred_writes_to_nobody_until_an_agent_says_so(client) -> None:
    many = ", ".join(f"p{number}@example.org" for number in range(1500))
    ticket = ticket_of(receive(eml("Hello all", cc=many, message_id="m@x")))
    assert [row.person.email for row in ticket.participants.all()] == ["cleo@example.net"]
    assert Person.objects.count() == 1
    sent(ticket)
    assert OutboundMail.objects.filter(kind="reply").count() == 1
    client.force_login(agent())
    assert "1500 more people" in client.get(f"/admin/tickets/{ticket.pk}/").content.decode()
    client.post(f"/admin/tickets/{ticket.pk}/asked/", {"yes": "1"})
    assert ticket.participants.count() == 1501
    comment = actions.reply(ticket, Content(text="To all"), actor=agent())
    assert OutboundMail.objects.filter(comment=comment).count() == 1501
    comment.refresh_from_db()
    assert len(comment.shown_to) == 1501
    raw = delivered(OutboundMail.objects.filter(comment=comment).latest("pk"))
    assert b"p0@example.org" not in raw.split(b"\r\n\r\n")[0]


def test_twenty_people_take_part_unasked_and_an_agent_can_leave_more_out(client, settings) -> None:
    few = ", ".join(f"p{number}@example.org" for number in range(20))
    assert ticket_of(receive(eml("Hello", cc=few, message_id="m@x"))).participants.count() == 21
    ticket = ticket_of(receive(eml("Hello", cc=few + ", q@example.org", message_id="n@x")))
    assert ticket.participants.count() == 1
    client.force_login(agent())
    client.post(f"/admin/tickets/{ticket.pk}/asked/", {"no": "1"})
    assert ticket.participants.count() == 1
    assert "more people" not in client.get(f"/admin/tickets/{ticket.pk}/").content.decode()


@pytest.mark.parametrize("error", [DataError, IntegrityError])
def test_what_no_column_takes_fails_its_mail_after_some_attempts_and_waits_where_people_look(
    monkeypatch, error
) -> None:
    row = arrive(eml("x"))

    def broken(*args: object, **kwargs: object) -> None:
        raise error("value too long for type character varying(254)")

    monkeypatch.setattr(actions, "open_ticket", broken)
    for _ in range(5):
        InboundMail.objects.update(next_attempt_at=timezone.now())
        process(row.pk)
    row.refresh_from_db()
    assert (row.state, row.to_look_at, row.attempts) == ("failed", "failed", 5)


@pytest.mark.parametrize("length", [255, 300, 400, 100_000])
def test_a_from_that_is_too_long_for_any_column_waits_where_people_look(length: int) -> None:
    row = receive(eml("Hello").replace(b"cleo@example.net", b"c" * (length - 12) + b"@example.net"))
    assert (row.state, row.to_look_at) == ("quarantined", "unplaced")


def test_a_mail_that_outlasts_its_reader_is_tried_apart_and_then_waits_where_people_look(
    monkeypatch, client
) -> None:
    row, other = (
        arrive(eml("slow", subject="Slow one", message_id="s@x")),
        arrive(eml("quick", message_id="q@x")),
    )
    apart: list[bool] = []

    def read(raw: bytes, *args: object, apart: bool = False, **kwargs: object) -> object:
        if b"slow" in raw:
            tried.append(apart)
            raise readers.TooMuch("it was not read within 2 seconds")
        return real(raw, *args, apart=apart, **kwargs)

    tried, real = apart, readers.read
    monkeypatch.setattr(readers, "read", read)
    process(row.pk)
    process(row.pk)  # no ordinary worker takes it again
    process(other.pk)
    other.refresh_from_db()
    assert other.state == "done"
    assert apart == [False]
    process_slow(row.pk)
    row.refresh_from_db()
    assert apart == [False, True]
    assert (row.state, row.to_look_at) == ("failed", "failed")
    client.force_login(agent())
    page = client.get("/admin/to-look-at/").content.decode()
    assert "it was not read within" in page
    assert "slow" in client.get(f"/admin/mail/{row.pk}/").content.decode()
    client.post("/admin/to-look-at/decide/", {"do": f"ticket-{row.pk}", "group": "unplaced"})
    process(row.pk)
    row.refresh_from_db()
    ticket = ticket_of(row)
    assert (ticket.subject, ticket.requester.email) == ("Slow one", "cleo@example.net")
    assert ticket.comments.get().attachments.get().name == "mail.eml"


@pytest.mark.parametrize(
    "head",
    [
        b"=?-idna?q?=ff?=",
        b"=?utf-8?q?" + b"=ff" * 5000,
        b"\xff\xfe\x00",
        b"\x00" * 500,
        b"=?" * 5000,
        b"<" * 9000,
    ],
)
def test_accepting_a_mail_never_fails_for_its_bytes(head: bytes) -> None:
    mailbox()
    raw = (
        b"From: "
        + head
        + b" <cleo@example.net>\nSubject: "
        + head
        + b"\nMessage-ID: "
        + head
        + b"\n\nHello\n"
    )
    (pk,) = store.accept(raw, Envelope(None, (SUPPORT,)), "imap")
    row = InboundMail.objects.get(pk=pk)
    process(pk)
    row.refresh_from_db()
    assert row.state in {"done", "quarantined"}


def test_a_header_at_which_our_own_reading_throws_is_stored_all_the_same(monkeypatch) -> None:
    def broken(value: str) -> list[object]:
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr("inbound.glance.headers.addresses", broken)
    row = arrive(eml("Hello", message_id="a@x"))
    assert (row.from_address, row.subject, row.message_id) == ("", "", "")
    assert len(row.sha256) == 64
    process(row.pk)  # it is read whole in a process of its own, where nothing is broken
    row.refresh_from_db()
    assert (row.state, ticket_of(row).requester.email) == ("done", "cleo@example.net")


# --- The upgrade


def test_what_was_ignored_before_lies_where_people_look_after_the_upgrade(transactional_db) -> None:
    from importlib import import_module

    from django.apps import apps

    upgrade = import_module("inbound.migrations.0007_to_look_at").nobody_is_dropped
    mailbox()
    month = timezone.now() - timezone.timedelta(days=31)
    cases = {
        ("ignored", "auto-reply", "auto-reply-header"): ("quarantined", "automatic"),
        ("ignored", "auto-reply", "auto-reply-subject"): ("quarantined", "unplaced"),
        ("ignored", "unknown bounce", "delivery-status-report"): ("quarantined", "backscatter"),
        ("ignored", "unknown bounce", "bounce-subject"): ("quarantined", "unplaced"),
        ("ignored", "loop", "from-our-mailbox"): ("quarantined", "unplaced"),
        ("ignored", "loop", "our-own-header"): ("ignored", None),
        ("ignored", "duplicate", "bounce-subject"): ("ignored", None),
        ("quarantined", "spam", "x"): ("quarantined", "spam"),
        ("failed", "", "x"): ("failed", "failed"),
        ("done", "open", "x"): ("done", None),
    }
    rows = {}
    for number, ((state, reason, kind), expected) in enumerate(cases.items()):
        for late in (False, True):
            row = arrive(eml(f"{number}{late}"))
            rows[row.pk] = (expected[0], None if late and state == "ignored" else expected[1])
            InboundMail.objects.filter(pk=row.pk).update(
                state=state,
                reason=reason,
                evidence={"kind_reason": kind},
                to_look_at=None,
                **({"received_at": month} if late else {}),
            )
    imap = arrive(eml("imap"))
    InboundMail.objects.filter(pk=imap.pk).update(transport="imap", mail_from="")
    with connection.schema_editor() as editor:
        upgrade(apps, editor)
    assert {
        row.pk: (row.state, row.to_look_at) for row in InboundMail.objects.exclude(pk=imap.pk)
    } == rows
    assert InboundMail.objects.get(pk=imap.pk).mail_from is None


def test_large_mail_waits_in_a_queue_of_its_own_wherever_it_is_rung_for(monkeypatch) -> None:
    rung: list[tuple[str, int]] = []
    for module in (store, queue, sweeping):
        monkeypatch.setattr(
            module, "ring", lambda task, pk: rung.append((task.rpartition(".")[2], pk))
        )
    small, large = arrive(eml("small")), arrive(eml("large " + "x" * queue.LARGE))
    assert rung == [("process", small.pk), ("process_large", large.pk)]
    InboundMail.objects.update(next_attempt_at=timezone.now() - sweeping.LATE * 2)
    rung.clear()
    assert inbound_tasks.sweep() == 2
    assert set(rung) == {("process", small.pk), ("process_large", large.pk)}
    rung.clear()
    inbound_tasks.process_large(large.pk)
    large.refresh_from_db()
    assert large.state == "done"
    InboundMail.objects.update(state="failed")
    queue.requeue([small, large])
    assert set(rung) == {("process", small.pk), ("process_large", large.pk)}
