"""A mail's way into a ticket, and everybody who must not get into one."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from helpdesk import actions
from helpdesk.actions import Content
from helpdesk.intake import copies, understood
from helpdesk.models import (
    BlockedSender,
    Comment,
    MessageRef,
    OutboundMail,
    Participant,
    Person,
    Ticket,
)
from inbound import queue, store
from inbound.addresses import bounce_address, reply_address
from inbound.models import InboundMail, Mailbox
from inbound.reading.message import Envelope
from inbound.store import Arrival
from tasks.inbound import process, sweep
from tests.inbound.reading.test_classify import DSN
from tests.support.mail import agent, another_worker_has, arrive, eml, mailbox, receive, ticket_of

pytestmark = pytest.mark.django_db


def opened(**fields: str) -> Ticket:
    return ticket_of(
        receive(eml("My printer is on fire", message_id="first@example.net", **fields))
    )


def test_a_new_mail_becomes_a_ticket_with_one_acknowledgement() -> None:
    row = receive(eml("My printer is on fire", subject="Fire", message_id="first@example.net"))
    ticket = ticket_of(row)
    assert (row.state, row.reason, ticket.subject, ticket.status) == (
        "done",
        "open",
        "Fire",
        "open",
    )
    assert ticket.requester.email == "cleo@example.net"
    assert not ticket.requester.has_usable_password()
    assert [m.kind for m in OutboundMail.objects.all()] == ["acknowledgement"]
    assert OutboundMail.objects.get().in_reply_to == "first@example.net"


@pytest.mark.parametrize(
    "headers",
    [{"in_reply_to": "<first@example.net>"}, {"references": "<x@y> <first@example.net>"}, {}],
)
def test_a_reply_is_a_comment_on_the_same_ticket(headers: dict[str, str]) -> None:
    ticket = opened()
    rcpt = (
        "support@example.com"
        if headers
        else reply_address("support@example.com", ticket.pk, ticket.requester_id)
    )
    row = receive(
        eml("More", subject="Something else", message_id="second@example.net", **headers), rcpt=rcpt
    )
    assert row.ticket_number == ticket.pk
    assert ticket.comments.count() == 2


def test_a_reply_to_our_acknowledgement_finds_the_ticket() -> None:
    ticket = opened()
    ours = OutboundMail.objects.get().message_id
    assert receive(eml("More", in_reply_to=f"<{ours}>")).ticket_number == ticket.pk


def test_the_subject_alone_joins_nothing() -> None:
    ticket = opened(subject="Help")
    assert (
        receive(eml("x", subject=f"Re: Help [#{ticket.pk}]", message_id="b@b")).ticket_number
        != ticket.pk
    )


def test_the_same_bytes_twice_give_one_ticket_and_an_explained_duplicate() -> None:
    raw = eml("x", message_id="a@b")
    first, second = receive(raw), receive(raw)
    assert (second.state, second.reason) == ("ignored", "duplicate")
    assert second.evidence["duplicate_of"] == first.pk
    assert Ticket.objects.count() == OutboundMail.objects.count() == 1


def test_a_message_id_used_for_another_mail_is_no_duplicate() -> None:
    receive(eml("one", message_id="a@b"))
    assert receive(eml("two", message_id="a@b")).state == "done"


def test_a_stranger_with_a_stolen_message_id_is_held_and_nothing_is_sent() -> None:
    ticket = opened()
    before = OutboundMail.objects.count()
    row = receive(
        eml("Pay me instead", sender="mallory@evil.example", in_reply_to="<first@example.net>")
    )
    held = ticket.comments.get(mail=row)
    assert held.visibility == "held"
    assert held.held_reason == "the sender is no participant"
    assert OutboundMail.objects.count() == before
    assert row.evidence["candidates"][0]["ticket"] == ticket.pk


def test_a_stranger_with_someone_elses_reply_address_is_held() -> None:
    ticket = opened()
    token = reply_address("support@example.com", ticket.pk, ticket.requester_id)
    row = receive(eml("x", sender="mallory@evil.example", message_id="m@m"), rcpt=token)
    assert ticket.comments.get(mail=row).visibility == "held"


def test_a_customer_whom_we_know_from_another_ticket_is_a_stranger_to_this_one() -> None:
    ticket = opened()
    dan = ticket_of(receive(eml("Mine", sender="dan@example.net", message_id="dan@x"))).requester
    token = reply_address("support@example.com", ticket.pk, ticket.requester_id)
    for number, rcpt in enumerate(["support@example.com", token]):
        headers = {} if rcpt == token else {"in_reply_to": "<first@example.net>"}
        row = receive(
            eml("x", sender="dan@example.net", message_id=f"{number}@dan", **headers), rcpt=rcpt
        )
        held = ticket.comments.get(mail=row)
        assert (held.visibility, held.author, held.held_reason) == (
            "held",
            dan,
            "the sender is no participant",
        )
    assert not Participant.objects.filter(ticket=ticket, person=dan).exists()


def test_a_participant_whose_account_is_switched_off_is_held() -> None:
    ticket = opened()
    Person.objects.filter(pk=ticket.requester_id).update(is_active=False)
    row = receive(eml("Still me", in_reply_to="<first@example.net>", message_id="s@x"))
    assert ticket.comments.get(mail=row).held_reason == "the sender's account is switched off"


def test_a_mail_in_an_agents_name_is_held() -> None:
    ticket = opened()
    agent("Ada")
    row = receive(
        eml("Refund approved", sender="Ada <ada@example.com>", in_reply_to="<first@example.net>")
    )
    assert ticket.comments.get(mail=row).held_reason == "in an agent's name"


def test_a_colleague_who_was_in_cc_may_write() -> None:
    ticket = opened(cc="Dan <dan@example.net>")
    row = receive(eml("me too", sender="dan@example.net", in_reply_to="<first@example.net>"))
    assert ticket.comments.get(mail=row).visibility == "public"


def test_two_strangers_who_answer_the_same_newsletter_get_a_ticket_each() -> None:
    one = receive(eml("a", sender="a@a.example", message_id="a@a", in_reply_to="<newsletter@us>"))
    two = receive(eml("b", sender="b@b.example", message_id="b@b", in_reply_to="<newsletter@us>"))
    assert one.ticket_number != two.ticket_number
    assert two.evidence["candidates"][0]["why"].endswith(
        "only an id that others mention leads here"
    )


def test_a_reply_that_overtakes_its_parent_waits_for_it() -> None:
    parent = arrive(eml("first", message_id="p@p"))
    child = arrive(eml("second", message_id="c@c", in_reply_to="<p@p>"))
    another_worker_has(parent)
    process(child.pk)
    child.refresh_from_db()
    assert (child.state, child.waiting_for, child.attempts) == ("received", "p@p", 0)
    InboundMail.objects.filter(pk=parent.pk).update(next_attempt_at=timezone.now())
    process(parent.pk)
    process(child.pk)
    parent.refresh_from_db()
    child.refresh_from_db()
    assert child.ticket_number == parent.ticket_number


def test_a_parent_that_arrives_after_its_reply_joins_it() -> None:
    child = receive(eml("second", message_id="c@c", in_reply_to="<p@p>"))
    parent = receive(eml("first", message_id="p@p"))
    assert (parent.ticket_number, parent.evidence["rule"]) == (
        child.ticket_number,
        "answered-already",
    )
    assert (
        receive(eml("other", sender="x@x.example", message_id="p@p")).ticket_number
        != child.ticket_number
    )


def test_a_reply_reopens_a_resolved_ticket_and_tells_the_assignee() -> None:
    ticket, ada = opened(), agent()
    actions.assign(ticket, ada, actor=ada)
    actions.set_status(ticket, "resolved", actor=ada)
    receive(eml("It broke again", in_reply_to="<first@example.net>"))
    ticket.refresh_from_db()
    assert ticket.status == "assigned"
    assert OutboundMail.objects.filter(kind="customer_replied", person=ada).count() == 1


def test_a_reply_to_a_closed_ticket_opens_a_linked_follow_up_or_reopens_by_setting() -> None:
    ticket, ada = opened(), agent()
    actions.set_status(ticket, "closed", actor=ada)
    row = receive(eml("One more thing", message_id="n@n", in_reply_to="<first@example.net>"))
    assert ticket_of(row).follows_id == ticket.pk
    Mailbox.objects.update(on_closed="reopen")
    other = ticket_of(receive(eml("x", message_id="o@o")))
    actions.set_status(other, "closed", actor=ada)
    assert receive(eml("y", in_reply_to="<o@o>")).ticket_number == other.pk
    other.refresh_from_db()
    assert other.status == "open"


def test_an_auto_reply_neither_reopens_nor_is_answered() -> None:
    ticket, ada = opened(), agent()
    actions.assign(ticket, ada, actor=ada)
    actions.set_status(ticket, "resolved", actor=ada)
    before = OutboundMail.objects.count()
    receive(eml("away", in_reply_to="<first@example.net>", auto_submitted="auto-replied"))
    ticket.refresh_from_db()
    assert (ticket.status, OutboundMail.objects.count()) == ("resolved", before)
    assert ticket.comments.last().is_automatic


def test_automatic_mail_opens_a_ticket_that_is_not_acknowledged() -> None:
    assert receive(eml("Disk full", auto_submitted="auto-generated")).state == "done"
    assert not OutboundMail.objects.exists()


def test_an_auto_responder_that_hides_gets_ten_mails_and_no_more() -> None:
    for number in range(14):
        receive(
            eml(
                f"Thank you for your mail {number}",
                sender="robot@r.example",
                message_id=f"{number}@r",
            )
        )
    states = list(OutboundMail.objects.order_by("pk").values_list("state", flat=True))
    assert states == ["queued"] * 10 + ["suppressed"] * 4
    assert Ticket.objects.count() == 14


def test_a_blocked_sender_is_quarantined_until_someone_lets_it_through() -> None:
    BlockedSender.objects.create(pattern="@Evil.example")
    row = receive(eml("buy", sender="x@evil.example", message_id="s@s"))
    assert (row.state, row.reason) == ("quarantined", "blocked sender")
    assert not OutboundMail.objects.exists()
    queue.requeue([row], force=True)
    process(row.pk)
    row.refresh_from_db()
    assert row.state == "done"


def test_mail_let_out_of_quarantine_is_no_duplicate_of_the_copy_that_followed_it() -> None:
    raw = eml("buy", message_id="s@s", x_spam_flag="YES")
    first, copy = receive(raw), receive(raw)
    assert (first.reason, copy.reason) == ("spam", "spam")
    queue.requeue([first, copy], force=True)
    for row in (first, copy):
        process(row.pk)
        row.refresh_from_db()
    assert (first.state, first.reason, copy.reason) == ("done", "open", "duplicate")


def test_mail_that_is_run_again_is_no_duplicate_of_a_copy_in_quarantine() -> None:
    raw = eml("buy", message_id="s@s", x_spam_flag="YES")
    first, copy = receive(raw), receive(raw)
    Mailbox.objects.update(spam_header="")
    queue.requeue([first])
    process(first.pk)
    first.refresh_from_db()
    assert (copy.reason, first.state, first.reason) == ("spam", "done", "open")


def test_a_trusted_spam_header_quarantines() -> None:
    assert receive(eml("buy", x_spam_flag="YES")).reason == "spam"
    assert receive(eml("fine", x_spam_flag="NO", message_id="f@f")).state == "done"


def test_a_bounce_at_our_signed_return_path_marks_the_mail_that_failed() -> None:
    ticket = opened()
    sent = OutboundMail.objects.get()
    OutboundMail.objects.update(state="sent")
    row = receive(DSN, rcpt=bounce_address("support@example.com", sent.pk), mail_from="")
    sent.refresh_from_db()
    assert (row.state, row.ticket_number, sent.state) == ("done", ticket.pk, "bounced")
    assert ticket.events.filter(kind="mail-bounced").exists()
    assert ticket.comments.count() == 1


def test_attachments_are_stored_under_their_mail_and_shown_names_are_safe() -> None:
    raw = (
        b"From: cleo@example.net\nSubject: x\nContent-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: text/plain\n\nhi\n"
        b'--o\nContent-Type: application/pdf\nContent-Disposition: attachment; filename="../../a b.pdf"\n\nPDF\n--o--\n'
    )
    row = receive(raw)
    (item,) = ticket_of(row).comments.get().attachments.all()
    assert item.file.name.startswith(f"tickets/mails-{row.pk // 1000}/mail-{row.pk}-")
    assert item.name == "a b.pdf"
    assert item.file.read().strip() == b"PDF"


def test_a_mail_that_throws_for_its_own_sake_fails_after_some_attempts_and_stops_nobody(
    monkeypatch,
) -> None:
    bad, good = arrive(eml("bad", message_id="bad@x")), arrive(eml("good", message_id="good@x"))
    real = understood.read

    def read(row: InboundMail, raw: bytes, **kwargs: bool) -> understood.Understood:
        if b"bad@x" in raw:
            raise ZeroDivisionError("poison")
        return real(row, raw, **kwargs)

    monkeypatch.setattr(understood, "read", read)
    for _ in range(7):
        InboundMail.objects.filter(pk=bad.pk).update(next_attempt_at="2020-01-01T00:00Z")
        process(bad.pk)
    process(good.pk)
    bad.refresh_from_db()
    good.refresh_from_db()
    assert (bad.state, good.state) == ("failed", "done")
    assert "poison" in bad.error


def test_a_fault_of_the_storage_never_fails_a_mail(monkeypatch) -> None:
    row = arrive(eml("x"))

    def broken(*args: object, **kwargs: object) -> understood.Understood:
        raise OSError("disk full")

    monkeypatch.setattr(understood, "read", broken)
    pauses = []
    for _ in range(9):
        InboundMail.objects.update(next_attempt_at="2020-01-01T00:00Z")
        process(row.pk)
        row.refresh_from_db()
        pauses.append(round((row.next_attempt_at - timezone.now()).total_seconds()))
    assert (row.state, row.attempts, row.faults) == ("received", 0, 9)
    assert pauses == [2, 4, 8, 16, 32, 60, 60, 60, 60]
    assert "disk full" in row.error


def test_the_sweep_finds_what_no_ring_announced(settings, monkeypatch) -> None:
    rung: list[int] = []
    monkeypatch.setattr("tasks.sweeping.ring", lambda task, pk: rung.append(pk))
    row = arrive(eml("x"))
    assert sweep() == 0
    InboundMail.objects.update(next_attempt_at="2020-01-01T00:00Z")
    assert sweep() == 1
    assert rung == [row.pk]


def test_a_dry_run_changes_nothing(capsys) -> None:
    from django.core.management import call_command

    row = arrive(eml("x", message_id="a@b"))
    call_command("reprocess", str(row.pk), "--dry-run")
    assert "would be open (new)" in capsys.readouterr().out
    assert not Ticket.objects.exists()


def test_a_dry_run_of_what_is_done_is_not_misled_by_what_it_left(capsys) -> None:
    from django.core.management import call_command

    first = receive(eml("x", message_id="a@b", references="<elsewhere@x> <mailing@list>"))
    reply = receive(
        eml("y", message_id="c@d", in_reply_to="<a@b>", references="<elsewhere@x> <a@b>")
    )
    call_command("reprocess", str(first.pk), str(reply.pk), "--dry-run")
    said = capsys.readouterr().out
    assert "would be open (new)" in said
    assert f"would be comment (in-reply-to), #{reply.ticket_number}" in said
    assert "changed" not in said


def test_an_existing_person_is_not_renamed_by_a_mail() -> None:
    receive(eml("x", sender="Cleo <cleo@example.net>", message_id="1@x"))
    receive(eml("y", sender="Somebody Else <CLEO@example.net>", message_id="2@x"))
    assert Person.objects.get(email="cleo@example.net").name == "Cleo"


def test_admitting_detaching_and_rejecting_held_mail() -> None:
    ticket, ada = opened(), agent()

    def held(number: int) -> Comment:
        row = receive(
            eml(
                "x",
                sender=f"s{number}@s.example",
                message_id=f"{number}@s",
                in_reply_to="<first@example.net>",
            )
        )
        return Comment.objects.get(mail=row)

    actions.admit(held(1), actor=ada, as_participant=False)
    assert not Participant.objects.filter(person__email="s1@s.example").exists()
    actions.admit(held(2), actor=ada, as_participant=True)
    assert Participant.objects.filter(ticket=ticket, person__email="s2@s.example").exists()
    new = actions.detach(held(3), actor=ada)
    assert new.requester.email == "s3@s.example"
    assert (
        receive(
            eml("z", sender="s3@s.example", message_id="z@s", in_reply_to="<3@s>")
        ).ticket_number
        == new.pk
    )
    rejected = held(4)
    actions.reject(rejected, actor=ada)
    with pytest.raises(actions.Refused):
        actions.reject(rejected, actor=ada)
    actions.admit(rejected, actor=ada, as_participant=False)  # a slip can be mended
    rejected.refresh_from_db()
    assert (rejected.visibility, rejected.rejected_at) == ("public", None)


def test_an_agents_reply_goes_to_every_participant_and_to_nobody_else() -> None:
    ticket, ada = opened(cc="dan@example.net"), agent()
    receive(
        eml(
            "x",
            sender="mallory@evil.example",
            in_reply_to="<first@example.net>",
            cc="eve@evil.example",
        )
    )
    actions.reply(ticket, Content(text="Have you tried water?"), actor=ada)
    assert set(OutboundMail.objects.filter(kind="reply").values_list("to_address", flat=True)) == {
        "cleo@example.net",
        "dan@example.net",
    }


# --- What is told apart, and written down


def test_the_same_mail_to_two_mailboxes_is_one_ticket_that_knows_both() -> None:
    mailbox(), mailbox("sales@example.com")
    raw = eml("x", to="support@example.com, sales@example.com", message_id="a@x")
    envelope = Envelope("cleo@example.net", ("support@example.com", "sales@example.com"))
    rows = store.accept(raw, envelope, "smtp")
    for pk in rows:
        process(pk)
    first, second = InboundMail.objects.filter(pk__in=rows).order_by("pk")
    assert (first.reason, second.reason, second.ticket_number) == (
        "open",
        "also elsewhere",
        first.ticket_number,
    )
    assert (second.state, second.evidence["came_to"]) == ("done", "support@example.com")
    assert [event.data["mailbox"] for event in ticket_of(first).events.filter(kind="also-at")] == [
        "sales@example.com"
    ]
    assert receive(raw).reason == "duplicate"
    assert receive(raw, rcpt="sales@example.com").reason == "duplicate"  # it is there already
    assert ticket_of(first).events.filter(kind="also-at").count() == 1


def test_a_duplicate_has_the_same_sender_and_body_and_its_first_was_decided() -> None:
    first = receive(eml("x", message_id="a@x"))
    assert receive(eml("x", message_id="a@x", subject="Another list's tag")).reason == "duplicate"
    assert receive(eml("x", message_id="a@x", sender="dan@example.net")).reason != "duplicate"
    assert receive(eml("y", message_id="a@x")).reason != "duplicate"
    assert receive(eml("x", message_id="b@x")).reason != "duplicate"
    for state in ("received", "failed"):
        InboundMail.objects.filter(message_id="a@x").update(state=state)
        assert receive(eml("x", message_id="a@x")).reason != "duplicate", state
    again = receive(eml("x", message_id="a@x"))
    assert (again.reason, again.evidence["by"]) == ("duplicate", "Message-ID, From and body")
    assert again.evidence["duplicate_of"] != first.pk


def test_a_reply_waits_two_minutes_for_a_parent_that_is_not_decided_and_no_longer() -> None:
    another_worker_has(arrive(eml("first", message_id="p@x")))
    child = arrive(eml("second", message_id="c@x", in_reply_to="<p@x>"))
    for seconds, state in ((110, "received"), (130, "done")):
        InboundMail.objects.filter(pk=child.pk).update(
            received_at=timezone.now() - timedelta(seconds=seconds), next_attempt_at=timezone.now()
        )
        process(child.pk)
        child.refresh_from_db()
        assert child.state == state
    assert (child.reason, child.waiting_for) == ("open", "")


def test_a_reply_by_a_stranger_is_held_at_once_and_waits_for_nothing() -> None:
    ticket = opened()
    another_worker_has(arrive(eml("another", message_id="p@x")))
    row = receive(
        eml(
            "x",
            sender="eve@example.org",
            message_id="e@x",
            in_reply_to="<p@x>",
            references="<first@example.net>",
        )
    )
    assert (row.reason, row.ticket_number) == ("hold", ticket.pk)


@pytest.mark.parametrize(
    "headers",
    [
        {"subject": "Automatic reply: Help"},
        {"x_auto_response_suppress": "All"},
        {"list_id": "<x.example>"},
    ],
)
def test_who_may_be_a_machine_gets_a_ticket_and_no_acknowledgement(headers: dict[str, str]) -> None:
    row = receive(eml("x", **headers))
    assert (row.state, row.reason) == ("done", "open")
    assert not OutboundMail.objects.exists()


def test_a_first_mails_recipients_take_part_without_us_without_its_sender_and_without_what_is_no_address() -> (
    None
):
    mailbox("sales@example.com")
    ticket = opened(
        to="support@example.com, Dan <dan@example.net>",
        cc="sales+x@example.com, CLEO@example.net, nobody, eve@example.org",
    )
    rows = ticket.participants.order_by("pk").values_list("person__email", "person__name", "role")
    assert list(rows) == [
        ("cleo@example.net", "Cleo", "requester"),
        ("dan@example.net", "Dan", "cc"),
        ("eve@example.org", "", "cc"),
    ]
    later = receive(
        eml("x", in_reply_to="<first@example.net>", cc="mallory@evil.example", message_id="l@x")
    )
    assert (later.reason, ticket.participants.count()) == ("comment", 3)


@pytest.mark.parametrize(
    "pattern", ["cleo@example.net", "@example.net", "wordpress@shop.example", "@shop.example"]
)
def test_a_form_is_blocked_by_itself_and_by_the_one_for_whom_it_speaks(pattern: str) -> None:
    BlockedSender.objects.create(pattern=pattern)
    raw = eml("x", sender="wordpress@shop.example", reply_to="cleo@example.net")
    row = receive(raw)
    assert (row.state, row.reason, row.to_look_at) == ("quarantined", "blocked sender", "blocked")
    assert row.evidence["blocked"] == pattern
    assert receive(eml("y", sender="other@example.org")).reason == "open"


@pytest.mark.parametrize(
    ("trusted", "value", "reason"),
    [
        ("X-Spam-Status: Yes", "YES, score=9.1", "spam"),
        ("x-spam-status : yes", "Yes", "spam"),
        ("X-Spam-Status: Yes", "No, score=0.1 (would be Yes)", "open"),
        ("X-Spam-Flag: YES", "Yes", "open"),
        ("", "Yes", "open"),
    ],
)
def test_only_the_header_that_a_mailbox_trusts_marks_spam(
    trusted: str, value: str, reason: str
) -> None:
    Mailbox.objects.filter(pk=mailbox().pk).update(spam_header=trusted)
    assert receive(eml("x", x_spam_status=value)).reason == reason


def test_a_vacation_notice_joins_a_closed_ticket_and_opens_no_follow_up() -> None:
    ticket = opened()
    actions.set_status(ticket, "closed", actor=agent())
    row = receive(
        eml(
            "away",
            in_reply_to="<first@example.net>",
            auto_submitted="auto-replied",
            message_id="v@x",
        )
    )
    assert (row.reason, row.ticket_number) == ("comment", ticket.pk)
    ticket.refresh_from_db()
    assert ticket.status == "closed"


def test_a_report_finds_the_mail_that_failed_by_what_it_returns_or_answers() -> None:
    ticket = opened()
    sent = OutboundMail.objects.get()
    for raw in (
        DSN.replace(b"sent-by-us@example.com", sent.message_id.encode()),
        DSN.replace(b"Message-ID: <sent-by-us@example.com>\n", b"").replace(
            b"Content-Type: multipart",
            f"In-Reply-To: <{sent.message_id}>\nContent-Type: multipart".encode(),
            1,
        ),
    ):
        OutboundMail.objects.update(state="sent")
        row = receive(raw, mail_from="")
        assert (row.state, row.reason, row.ticket_number) == ("done", "bounce", ticket.pk)
        assert row.evidence["by"] == "Message-ID of the returned mail"
        assert row.evidence["report"][0]["status"] == "5.1.1"
        sent.refresh_from_db()
        assert sent.state == "bounced"


def test_what_a_mail_refers_to_leads_to_its_ticket_from_then_on_and_is_written_once() -> None:
    ticket = opened(in_reply_to="<elsewhere@x>", references="<root@x> <elsewhere@x>")
    receive(
        eml(
            "more",
            in_reply_to="<first@example.net>",
            references="<root@x> <first@example.net>",
            message_id="m@x",
        )
    )
    refs = MessageRef.objects.filter(ticket=ticket).exclude(kind="sent").order_by("pk")
    assert list(refs.values_list("message_id", "kind")) == [
        ("elsewhere@x", "referenced"),
        ("root@x", "referenced"),
        ("first@example.net", "received"),
        ("m@x", "received"),
    ]


# --- Archives


def imported(raw: bytes) -> InboundMail:
    mailbox()
    ((pk,),) = store.accept_many(
        [Arrival(raw, Envelope(None, ("support@example.com",)), "ingest", is_history=True)]
    )
    process(pk)
    return InboundMail.objects.get(pk=pk)


def test_an_archive_keeps_its_dates_tells_nobody_and_knows_its_agents() -> None:
    agent("Ada")
    first = imported(eml("My printer", message_id="a@x", date="Tue, 06 May 2014 10:00:00 +0200"))
    answer = imported(
        eml(
            "Water",
            sender="ada@example.com",
            message_id="b@x",
            in_reply_to="<a@x>",
            date="Wed, 07 May 2014 10:00:00 -0000",
        )
    )
    late = imported(
        eml("Thanks", message_id="c@x", in_reply_to="<b@x>", date="Wed, 07 May 2064 10:00:00 +0000")
    )
    undated = imported(eml("Again", message_id="d@x", in_reply_to="<b@x>"))
    ticket = ticket_of(first)
    assert {row.ticket_number for row in (answer, late, undated)} == {ticket.pk}
    dates = dict(ticket.comments.values_list("mail", "created_at"))
    assert dates[first.pk] == datetime(2014, 5, 6, 8, tzinfo=UTC)
    assert dates[answer.pk] == datetime(2014, 5, 7, 10, tzinfo=UTC)
    assert (dates[late.pk], dates[undated.pk]) == (late.received_at, undated.received_at)
    assert ticket.status == "closed"
    assert set(ticket.comments.values_list("visibility", flat=True)) == {"public"}
    assert not OutboundMail.objects.exists()
    assert (
        imported(
            eml("Me too", sender="eve@example.org", message_id="e@x", in_reply_to="<a@x>")
        ).reason
        == "hold"
    )


def test_mail_that_comes_in_has_the_time_of_its_arrival_whatever_date_it_names() -> None:
    row = receive(eml("x", date="Tue, 06 May 2014 10:00:00 +0200"))
    assert ticket_of(row).comments.get().created_at == row.received_at


@pytest.mark.skipif(
    connection.vendor != "sqlite",
    reason="PostgreSQL knows how many rows there are, and reads few of them",
)
def test_copies_are_looked_for_by_their_id_and_not_among_all_that_is_done() -> None:
    plan = copies._in_tickets().filter(message_id__in=["a@x"], body_sha256__in=["e"])[:5].explain()
    assert "inbound_mail_message_id" in plan
    assert "sha256" in copies._in_tickets().filter(sha256__in=["e"])[:1].explain()
