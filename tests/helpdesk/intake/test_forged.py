"""What a forger, a slip or an odd program cannot do: drop somebody's mail, speak for them, have
their answer taken for bounced, take their address, or have us write without end."""

import pytest

from helpdesk import access, actions
from helpdesk.actions import Content, pins
from helpdesk.models import Comment, OutboundMail, Participant, Person, Suppression, Team, Ticket
from inbound import queue, readers
from inbound.addresses import bounce_address, own_mark
from inbound.models import InboundMail
from tasks.inbound import process
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
QUOTED = "It could not be delivered, he says.\n\nFrom: Ada\nSent: Monday\nTo: Cleo\nSubject: Re: Help\n\nWe look into it."


def opened(sender: str = "cleo@example.net", message_id: str = "first@x", **headers: str) -> Ticket:
    return ticket_of(receive(eml("Hello", sender=sender, message_id=message_id, **headers)))


def answered(ticket: Ticket) -> OutboundMail:
    """An agent's answer, sent."""
    comment = actions.reply(ticket, Content(text="We look into it."), actor=agent())
    OutboundMail.objects.filter(comment=comment).update(state="sent", attempts=1)
    return OutboundMail.objects.filter(comment=comment).order_by("pk")[0]


# --- A participant's words are no report


@pytest.mark.parametrize(
    ("sender", "mail_from", "headers"),
    [
        ("System Administrator <sysadmin@cust.example>", "sysadmin@cust.example", {}),
        ("postmaster@cust.example", "postmaster@cust.example", {}),
        ("root@cust.example", "", {}),
        ("Mail Server Team <ops@cust.example>", "", {"auto_submitted": "auto-generated"}),
    ],
)
@pytest.mark.parametrize("to_return_path", [True, False])
def test_a_participant_who_is_an_administrator_is_heard(
    sender, mail_from, headers, to_return_path
) -> None:
    ticket = opened(sender)
    sent = answered(ticket)
    raw = eml(
        QUOTED,
        sender=sender,
        subject="Re: Parcel undelivered",
        message_id="r@x",
        in_reply_to=f"<{sent.message_id}>",
        **headers,
    )
    row = receive(
        raw,
        mail_from=mail_from,
        rcpt=bounce_address(SUPPORT, sent.pk) if to_return_path else SUPPORT,
    )
    assert (row.state, row.reason, row.ticket_number) == ("done", "comment", ticket.pk)
    sent.refresh_from_db()
    assert sent.state == "sent"


def test_whoever_writes_to_the_return_path_is_heard_or_held() -> None:
    ticket = opened()
    sent = answered(ticket)
    path = bounce_address(SUPPORT, sent.pk)
    assert (
        receive(eml("I am in Rome until Monday", message_id="a@x"), rcpt=path, mail_from="").reason
        == "comment"
    )
    colleague = eml(
        "Your reply is delayed: room 502, user unknown", sender="dan@cust.example", message_id="b@x"
    )
    assert receive(colleague, rcpt=path, mail_from="dan@cust.example").reason == "hold"
    sent.refresh_from_db()
    assert sent.state == "sent"


def test_a_new_mail_of_an_administrator_about_undeliverable_mail_is_a_ticket_and_is_acknowledged() -> (
    None
):
    row = receive(
        eml(
            QUOTED,
            sender="System Administrator <sysadmin@cust.example>",
            subject="Mail undeliverable",
        )
    )
    assert row.reason == "open"
    assert OutboundMail.objects.get().kind == "acknowledgement"


# --- Reports


def test_a_report_that_is_not_on_its_return_path_marks_nothing_and_somebody_looks() -> None:
    sent = answered(opened())
    row = receive(DSN.replace(b"sent-by-us@example.com", sent.message_id.encode()), mail_from="")
    assert (row.state, row.reason, row.to_look_at) == ("quarantined", "unproven report", "unplaced")
    sent.refresh_from_db()
    assert sent.state == "sent"


@pytest.mark.parametrize("headers", [{}, {"sender": "MAILER-DAEMON@evil.example"}])
def test_a_header_that_anybody_can_write_marks_nothing(headers: dict[str, str]) -> None:
    sent = answered(opened())
    raw = eml(
        f"x\nMessage-ID: <{sent.message_id}>\nTo: cleo@example.net\n",
        x_failed_recipients="cleo@example.net",
        in_reply_to=f"<{sent.message_id}>",
        message_id="f@x",
        **{"sender": "eve@evil.example", **headers},
    )
    row = receive(raw, mail_from="eve@evil.example")
    assert row.reason in {"hold", "unproven report"}
    sent.refresh_from_db()
    assert sent.state == "sent"


def test_a_report_about_a_mail_that_still_waits_does_not_keep_it_from_going() -> None:
    ticket = opened()
    comment = actions.reply(ticket, Content(text="Soon"), actor=agent())
    mail = OutboundMail.objects.get(comment=comment)
    receive(DSN, rcpt=bounce_address(SUPPORT, mail.pk), mail_from="")
    mail.refresh_from_db()
    assert mail.state == "queued"


def test_an_address_is_given_up_only_when_it_is_itself_reported_dead() -> None:
    sent = answered(opened("team@cust.example"))
    receive(
        DSN.replace(b"cleo@example.net", b"left-the-firm@cust.example"),
        rcpt=bounce_address(SUPPORT, sent.pk),
        mail_from="",
    )
    sent.refresh_from_db()
    assert sent.state == "bounced"
    assert not Suppression.objects.exists()
    words = eml(
        "<info@c.example>: user unknown\n\nReceived: from a by b\nTo: info@c.example\n",
        sender="MAILER-DAEMON@c.example",
    )
    other = answered(opened("info@c.example", "second@x"))
    receive(words, rcpt=bounce_address(SUPPORT, other.pk), mail_from="")
    assert not Suppression.objects.exists()


def test_nobody_is_shown_the_id_of_somebody_elses_copy() -> None:
    ticket = opened(cc="eve@example.org")
    first = answered(ticket)
    mine = {
        mail.to_address: mail.message_id
        for mail in OutboundMail.objects.filter(comment=first.comment)
    }
    second = actions.reply(ticket, Content(text="More"), actor=agent())
    for mail in OutboundMail.objects.filter(comment=second):
        other = next(
            message_id for address, message_id in mine.items() if address != mail.to_address
        )
        assert mine[mail.to_address] in mail.references
        assert other not in mail.references


# --- Duplicates, and our own mail


COPIES = {
    "with our mark": {"x_helpdesk_mark": "MARK"},
    "taken for spam": {"x_spam_flag": "YES"},
    "without a readable body": {"content": "multipart/mixed; boundary=zzz"},
    "as a reply to the forger's own ticket": {"in_reply_to": "<eve@x>"},
    "as a report": {"x_failed_recipients": "x@y.zz", "auto_submitted": "auto-generated"},
}


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_that_somebody_sends_ahead_does_not_make_the_real_mail_a_duplicate(how: str) -> None:
    eve = opened("eve@evil.example", "eve@x")
    raw = eml("My real question", sender="vic@example.net", message_id="v@x")
    headers = {
        name: value.replace("MARK", own_mark(OutboundMail.objects.get(ticket=eve).pk))
        for name, value in COPIES[how].items()
    }
    copy = eml(
        "My real question",
        sender="vic@example.net",
        message_id="v@x",
        **{n: v for n, v in headers.items() if n != "content"},
    )
    if "content" in headers:
        copy = copy.replace(b'text/plain; charset="utf-8"', headers["content"].encode())
    first = receive(copy, mail_from="eve@evil.example")
    assert first.reason != "duplicate"
    real = receive(raw)
    if how == "with our mark":
        # Then the copy itself is the mail, where everybody sees it.
        assert (first.reason, real.reason) == ("open", "duplicate")
    else:
        assert (real.state, real.reason) == ("done", "open")
    assert "My real question" in {
        comment.text for comment in Comment.objects.filter(author__email="vic@example.net")
    }


def test_two_mails_with_a_huge_header_are_two_mails() -> None:
    head = b"From: cleo@example.net\nMessage-ID: <big@x>\n" + b"X-Pad: " + b"x" * 900 + b"\n"
    head += b"".join(b"X-%d: %s\n" % (number, b"y" * 900) for number in range(300))
    assert receive(head + b"\nOne\n").reason == "open"
    assert receive(head + b"\nTwo\n").reason != "duplicate"


def test_two_people_who_send_the_same_words_by_one_form_are_two() -> None:
    form = {"sender": "noreply@shop.example", "message_id": "constant@shop"}
    assert receive(eml("Call me", reply_to="a@example.org", **form)).reason == "open"
    row = receive(eml("Call me", reply_to="b@example.org", **form))
    assert (row.reason, ticket_of(row).requester.email) == ("open", "b@example.org")


def test_a_list_puts_its_tag_into_the_subject_and_it_is_the_same_mail() -> None:
    opened()
    assert receive(eml("Hello", message_id="first@x", subject="[list] Help")).reason == "duplicate"


def test_a_participant_whose_program_keeps_our_headers_is_heard() -> None:
    ticket = opened()
    sent = answered(ticket)
    raw = eml(
        "Sent again, with a word of mine",
        message_id="n@x",
        x_helpdesk_mark=own_mark(sent.pk),
        in_reply_to=f"<{sent.message_id}>",
    )
    assert receive(raw).reason == "comment"


# --- Whose address, whose ticket


def test_an_address_of_which_we_know_more_is_handed_to_nobody() -> None:
    vera, eve = opened("vera@bank.example", "vera@x"), opened("eve@evil.example", "eve@x")
    receive(eml("I am Vera", sender="vera@bank.example", message_id="h@x", in_reply_to="<eve@x>"))
    held = Comment.objects.get(visibility="held")
    with pytest.raises(actions.Refused, match="written to us before"):
        actions.admit_as(held, eve.requester, address="vera@bank.example", actor=agent())
    vera.refresh_from_db()
    assert vera.requester.email == "vera@bank.example"


def test_an_address_that_is_somebodys_by_now_is_not_joined_a_second_time() -> None:
    anna, bob = opened("anna@example.org", "anna@x"), opened("bob@example.org", "bob@x")
    for number, parent in enumerate(("anna@x", "bob@x")):
        receive(
            eml(
                "It is me",
                sender="v@three.example",
                message_id=f"{number}@v",
                in_reply_to=f"<{parent}>",
            )
        )
    of_anna, of_bob = Comment.objects.filter(visibility="held").order_by("pk")
    actions.reject(of_bob, actor=agent())
    with pytest.raises(
        actions.Refused
    ):  # there are two words of theirs: nobody knows whose they are
        actions.admit_as(of_anna, anna.requester, address="v@three.example", actor=agent())
    assert {anna.requester.email, bob.requester.email} <= set(
        Person.objects.values_list("email", flat=True)
    )
    of_bob.delete()
    actions.admit_as(of_anna, anna.requester, address="v@three.example", actor=agent())
    receive(eml("And again", sender="v@three.example", message_id="3@v", in_reply_to="<bob@x>"))
    late = Comment.objects.get(visibility="held")
    with pytest.raises(actions.Refused, match="meanwhile"):
        actions.admit_as(late, bob.requester, address="v@three.example", actor=agent())
    assert Person.objects.filter(email="anna@example.org").exists()


def test_the_kelvin_sign_is_no_k() -> None:
    opened("kate@example.net", "kate@x")
    row = receive(
        "From: \u212aate@example.net\nMessage-ID: <k@x>\nIn-Reply-To: <kate@x>\n\nIt is me\n".encode()
    )
    assert row.reason != "comment"


def test_who_names_nobody_is_somebody_else_each_time_and_has_no_way_in(client) -> None:
    tickets = []
    for number in range(2):
        row = receive(eml(f"Nobody {number}", sender="Erna", message_id=f"{number}@n"))
        queue.requeue([row], force=True)
        process(row.pk)
        row.refresh_from_db()
        tickets.append(ticket_of(row))
    assert tickets[0].requester != tickets[1].requester
    with pytest.raises(actions.Refused, match="Nobody here has an address"):
        actions.reply(tickets[0], Content(text="Hello Erna"), actor=agent())
    with pytest.raises(actions.Refused):
        pins.issue_pin(tickets[0].requester, actor=agent())
    client.force_login(agent())
    assert "names nobody" in client.get(f"/admin/tickets/{tickets[0].pk}/").content.decode()
    actions.add_participant(
        tickets[0], customer("erna@example.org"), Participant.Role.CC, source="agent", actor=agent()
    )
    actions.reply(tickets[0], Content(text="Hello Erna"), actor=agent())
    assert [mail.to_address for mail in OutboundMail.objects.filter(kind="reply")] == [
        "erna@example.org"
    ]


def test_mail_in_an_agents_name_that_an_agent_lets_in_is_sent_as_an_answer() -> None:
    ticket = opened()
    row = (
        receive(
            eml("I say yes", sender="ada@example.com", message_id="ada@x", in_reply_to="<first@x>")
        )
        if agent()
        else None
    )
    assert row is not None
    assert row.reason == "hold"
    actions.admit(Comment.objects.get(mail=row), actor=agent("Bob"), as_participant=False)
    assert "I say yes" in OutboundMail.objects.get(kind="reply").text
    ticket.refresh_from_db()
    assert ticket.customer_waits_since is None


def test_a_suppressed_address_that_answers_go_to_is_shown() -> None:
    ticket = opened()
    Participant.objects.update(address="home@example.net")
    Suppression.objects.create(address="home@example.net", reason="bounce")
    assert [row.address for row in access.suppressed(ticket.participants.all())] == [
        "home@example.net"
    ]


# --- Without end


def test_an_agent_whose_mail_answers_by_itself_is_told_once() -> None:
    ticket = opened()
    ada = agent()
    actions.assign(ticket, ada, actor=ada)
    for number in range(6):
        receive(
            eml(
                "Got it",
                sender="ada@example.com",
                message_id=f"{number}@auto",
                in_reply_to="<first@x>",
            )
        )
    assert OutboundMail.objects.filter(kind="held").count() == 0  # in her own name
    for number in range(6):
        receive(
            eml(
                "Let me in",
                sender="eve@example.org",
                message_id=f"{number}@eve",
                in_reply_to="<first@x>",
            )
        )
    assert OutboundMail.objects.filter(kind="held").count() <= 1
    Team.objects.create(name="Desk").members.add(ada, agent("Bob"))
    other = opened("cleo@example.net", "second@x")
    Ticket.objects.filter(pk=other.pk).update(team=Team.objects.get())
    for number in range(4):
        raw = eml(
            "Away",
            sender="eve@example.org",
            message_id=f"{number}@two",
            in_reply_to="<second@x>",
            auto_submitted="auto-replied",
        )
        receive(raw)
    assert OutboundMail.objects.filter(kind="held", ticket=other).count() == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"list_id": "<x.example>"},
        {"list_unsubscribe": "<mailto:x@y.zz>"},
        {"precedence": "list"},
        {"feedback_id": "a:b"},
    ],
)
def test_a_participant_who_writes_by_a_list_or_a_crm_reopens_their_ticket(
    headers: dict[str, str],
) -> None:
    ticket = opened()
    actions.assign(ticket, agent(), actor=agent())
    actions.set_status(ticket, "resolved", actor=agent())
    receive(eml("No, it is NOT solved!", message_id="n@x", in_reply_to="<first@x>", **headers))
    ticket.refresh_from_db()
    assert ticket.status == "assigned"
    assert OutboundMail.objects.filter(kind="customer_replied").exists()


def test_an_id_that_a_thousand_mention_hides_no_reply_to_our_answer() -> None:
    ticket = opened(in_reply_to="<news@letter>")
    sent = answered(ticket)
    from helpdesk.models import MessageRef

    others = [opened(f"p{number}@example.org", f"{number}@p") for number in range(3)]
    rows = [
        MessageRef(ticket=others[number % 3], message_id="news@letter", kind="referenced")
        for number in range(600)
    ]
    MessageRef.objects.bulk_create(rows)
    raw = eml(
        "Yes",
        message_id="y@x",
        in_reply_to=f"<{sent.message_id}>",
        references=f"<news@letter> <{sent.message_id}>",
    )
    row = receive(raw)
    assert (row.reason, row.ticket_number) == ("comment", ticket.pk)


# --- Pages


def test_dismissing_a_group_leaves_what_came_since_the_page_was_made(client) -> None:
    seen, since = receive(DSN, mail_from=""), receive(DSN.replace(b"cleo", b"carl"), mail_from="")
    client.force_login(agent())
    client.post(
        "/admin/to-look-at/decide/", {"do": "all", "group": "backscatter", "newest": seen.pk}
    )
    since.refresh_from_db()
    assert since.to_look_at == "backscatter"
    page = client.get("/admin/to-look-at/?group=dismissed").content.decode()
    assert f"/admin/mail/{seen.pk}/" in page
    client.post("/admin/to-look-at/decide/", {"do": f"ticket-{seen.pk}", "group": "dismissed"})
    process(seen.pk)
    seen.refresh_from_db()
    assert seen.state == "done"


def test_an_agent_of_one_team_sees_no_mail_of_another(client, settings) -> None:
    settings.AGENTS_SEE = "teams"
    mine, theirs = Team.objects.create(name="Mine"), Team.objects.create(name="Theirs")
    mine.members.add(agent())
    mine.mailboxes.add(mailbox())
    theirs.mailboxes.add(mailbox("pay@example.com"))
    ticket = opened()
    Ticket.objects.filter(pk=ticket.pk).update(team=theirs)
    of_ticket = InboundMail.objects.get()
    unplaced = receive(eml("Hm", sender="Nobody"), rcpt="pay@example.com")
    client.force_login(agent())
    for row in (of_ticket, unplaced):
        for path in (f"/admin/mail/{row.pk}/", f"/admin/mail/{row.pk}/source/"):
            assert client.get(path).status_code == 404
        assert client.post(f"/admin/mail/{row.pk}/again/", {"do": "ticket"}).status_code == 404
        assert (
            f"/admin/mail/{row.pk}/"
            not in client.get("/admin/inbound/inboundmail/").content.decode()
        )
    client.post("/admin/to-look-at/decide/", {"do": f"dismiss-{unplaced.pk}", "group": "unplaced"})
    unplaced.refresh_from_db()
    assert unplaced.to_look_at == "unplaced"
    assert "pay@example.com" not in client.get("/admin/to-look-at/").content.decode()


@pytest.mark.parametrize("digits", ["²", "9" * 5000, "-1", "", "x"])
def test_digits_that_are_no_number_are_nothing(client, digits: str) -> None:
    ticket = opened()
    client.force_login(agent())
    for path in (
        f"/admin/to-look-at/?before={digits}",
        f"/admin/tickets/?team={digits}",
        f"/admin/ledger/?days={digits}",
    ):
        assert client.get(path).status_code == 200
    for form in (
        {"mail": digits, "do": "ticket"},
        {"do": f"ticket-{digits}"},
        {"do": "all", "group": "spam", "newest": digits},
    ):
        assert client.post("/admin/to-look-at/decide/", form).status_code == 302
    form = {
        "assignee": digits,
        "priority": digits,
        "version": digits,
        "team": digits,
        "category": digits,
    }
    assert client.post(f"/admin/tickets/{ticket.pk}/change/", form).status_code == 302
    assert (
        client.post("/admin/tickets/bulk/", {"ticket": digits, "assignee": digits}).status_code
        == 302
    )


def test_megabytes_of_text_are_a_file_and_their_beginning_the_comment() -> None:
    comment = ticket_of(receive(eml("word " * 200_000))).comments.get()
    assert len(comment.text) <= 200_000
    (file,) = comment.attachments.all()
    assert (file.name, file.size) == ("message.txt", 1_000_001)


def test_a_reader_that_somebody_kills_fails_no_mail(monkeypatch) -> None:
    row = arrive(eml("x"))
    real, deaths = readers.read, [1, 2]

    def read(*args: object, **kwargs: object) -> object:
        if deaths:
            deaths.pop()
            raise readers.Died("its reader died of it (exit status -9)")
        return real(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(readers, "read", read)
    for _ in range(3):
        InboundMail.objects.update(next_attempt_at="2020-01-01T00:00Z")
        process(row.pk)
    row.refresh_from_db()
    assert row.state == "done"


def test_a_form_of_our_own_repeats_no_words_to_whom_it_names() -> None:
    receive(eml("Buy pills", sender=SUPPORT, reply_to="victim@example.org", message_id="f@x"))
    mail = OutboundMail.objects.get(to_address="victim@example.org")
    assert "Buy pills" not in mail.text + mail.html
    assert b"Buy pills" not in delivered(mail)
