"""Nobody speaks for another: what becomes of a mail that is, may be, or is not from whom it says."""

import re
from collections.abc import Iterator
from datetime import timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from helpdesk import actions, history
from helpdesk.actions import Content, Refused
from helpdesk.models import (
    Comment,
    OutboundMail,
    Participant,
    Person,
    ProvenDay,
    Team,
    Ticket,
    TrustedWay,
)
from inbound import resolver, store
from inbound.addresses import bounce_address, reply_address
from inbound.models import InboundMail, Mailbox
from tasks.inbound import process, process_slow
from tests.support.api import Api
from tests.support.mail import SUPPORT, agent, arrive, deliver_all, eml, mailbox, receive, ticket_of
from tests.support.zone import Zone, only, signed

pytestmark = pytest.mark.django_db

CLEO, DOMAIN = "cleo@nordwind.example", "nordwind.example"
ALL = (b"from", b"to", b"subject", b"message-id", b"in-reply-to", b"references")
EVIL = {"client": "198.41.0.4 (mx.evil.example)", "mail_from": "m@evil.example"}
OWN = {"client": "199.7.91.13 (mx.nordwind.example)", "mail_from": CLEO}


@pytest.fixture(autouse=True)
def zone() -> Iterator[Zone]:
    dns = (
        Zone()
        .domain(DOMAIN, spf="v=spf1 ip4:199.7.91.0/24 -all")
        .domain("example.com", spf="v=spf1 -all")
    )
    with only(dns):
        yield dns


def mail(
    text: str = "Hello", *, number: int = 1, sender: str = f"Cleo <{CLEO}>", **headers: str
) -> bytes:
    return eml(text, sender=sender, message_id=f"m{number}@{DOMAIN}", **headers)


def opened() -> Ticket:
    return ticket_of(receive(mail(), **OWN))


def answered(ticket: Ticket, ada: Person) -> OutboundMail:
    comment = actions.reply(ticket, Content(text="We look into it."), actor=ada)
    return OutboundMail.objects.get(comment=comment, person=ticket.requester)


def verdict(row: InboundMail) -> str:
    return str((row.proof or {})["verdict"])


# --- failed


def test_a_forgers_mail_with_the_id_of_her_ticket_is_held(django_user_model) -> None:
    ticket = opened()
    row = receive(
        mail("Please change my address to Evil Street 1", number=2, in_reply_to=f"<m1@{DOMAIN}>"),
        **EVIL,
    )
    assert (row.reason, row.ticket_number, verdict(row)) == ("hold", ticket.pk, "failed")
    held = Comment.objects.get(mail=row)
    assert held.visibility == "held"
    assert held.held_reason == f"by the rules of {DOMAIN} (DMARC) this mail is not from there"
    assert row.evidence["held"] == held.held_reason


def test_nor_does_her_reply_address_or_a_return_path_let_a_forgery_in() -> None:
    ticket = opened()
    sent = answered(ticket, agent())
    for number, rcpt in enumerate(
        [reply_address(SUPPORT, ticket.pk, ticket.requester_id), bounce_address(SUPPORT, sent.pk)],
        2,
    ):
        row = receive(
            mail("x", number=number, in_reply_to=f"<{sent.message_id}>"), rcpt=rcpt, **EVIL
        )
        assert (row.reason, row.ticket_number) == ("hold", ticket.pk)


def test_a_forged_first_mail_opens_a_ticket_and_nobody_is_written_to() -> None:
    row = receive(mail("Urgent!", cc="dan@other.example, eve@other.example"), **EVIL)
    ticket = ticket_of(row)
    assert (row.reason, verdict(row), OutboundMail.objects.count()) == ("open", "failed", 0)
    assert list(
        Participant.objects.filter(ticket=ticket).values_list("person__email", flat=True)
    ) == [CLEO]
    # An agent can let them take part.
    assert [address for _, address in ticket.comments.get().asks_to_add] == [
        "dan@other.example",
        "eve@other.example",
    ]


def test_a_held_forgery_that_is_made_a_ticket_is_not_acknowledged() -> None:
    opened()
    row = receive(mail("x", number=2, in_reply_to=f"<m1@{DOMAIN}>"), **EVIL)
    before = OutboundMail.objects.count()
    actions.detach(Comment.objects.get(mail=row), actor=agent())
    assert OutboundMail.objects.count() == before


# --- unknown


@pytest.fixture
def quiet(zone) -> Zone:
    """A domain that publishes nothing."""
    for name in (f"_dmarc.{DOMAIN}", DOMAIN):
        del zone.records[name, "TXT"]
    return zone


def test_what_is_unknown_joins_by_an_id_as_it_always_did(quiet) -> None:
    ticket = opened()
    row = receive(mail("And another thing", number=2, in_reply_to=f"<m1@{DOMAIN}>"), **EVIL)
    assert (row.reason, row.ticket_number, verdict(row)) == ("comment", ticket.pk, "unknown")


def usually_proven(days: int = 3, ago: int = 1) -> None:
    today = timezone.now().date()
    for day in range(ago, ago + days):
        ProvenDay.objects.create(address=CLEO, day=today - timedelta(days=day))


def test_what_is_usually_proven_must_stay_proven(quiet) -> None:
    ticket = opened()
    usually_proven()
    row = receive(mail("Pay to this account", number=2, in_reply_to=f"<m1@{DOMAIN}>"), **EVIL)
    assert (row.reason, row.ticket_number) == ("hold", ticket.pk)
    assert "usually proven" in Comment.objects.get(mail=row).held_reason


@pytest.mark.parametrize(("days", "ago"), [(2, 1), (3, 91), (3, 0)])
def test_two_days_or_days_long_ago_or_today_are_no_habit(quiet, days, ago) -> None:
    opened()
    usually_proven(days, ago)
    assert receive(mail("x", number=2, in_reply_to=f"<m1@{DOMAIN}>"), **EVIL).reason == "comment"


def test_a_fault_of_the_dns_never_counts_against_anybody(zone) -> None:
    opened()
    usually_proven()
    zone.away.add(DOMAIN)
    resolver.forget()
    row = arrive(mail("x", number=2, in_reply_to=f"<m1@{DOMAIN}>"), **OWN)
    process(row.pk)
    row.refresh_from_db()
    assert (row.state, row.is_slow, row.attempts) == (
        "received",
        True,
        0,
    )  # it waits for the DNS apart
    process_slow(row.pk)
    row.refresh_from_db()
    assert (row.reason, verdict(row)) == ("comment", "unknown")


def test_what_only_she_can_know_lets_her_in_though_nothing_proves_her(quiet) -> None:
    ticket = opened()
    usually_proven()
    sent = answered(ticket, agent())
    token = reply_address(SUPPORT, ticket.pk, ticket.requester_id)
    assert receive(mail("1", number=2), rcpt=token, **EVIL).reason == "comment"
    assert (
        receive(mail("2", number=3, in_reply_to=f"<{sent.message_id}>"), **EVIL).reason == "comment"
    )
    sent.provider_message_id = "esp-1@provider.example"
    sent.save()
    history.record(ticket, "noted", None)
    from helpdesk.models import MessageRef

    MessageRef.objects.create(
        ticket=ticket, message_id="esp-1@provider.example", kind=MessageRef.Kind.SENT
    )
    assert (
        receive(mail("3", number=4, in_reply_to="<esp-1@provider.example>"), **EVIL).reason
        == "comment"
    )


def test_what_somebody_else_was_sent_is_no_proof_of_her(quiet) -> None:
    row = receive(mail(cc="dan@other.example"), **OWN)
    ticket, dan = ticket_of(row), Person.objects.get(email="dan@other.example")
    usually_proven()
    answered(ticket, agent())
    to_dan = OutboundMail.objects.get(kind="reply", person=dan)
    token = reply_address(SUPPORT, ticket.pk, dan.pk)
    assert receive(mail("1", number=2), rcpt=token, **EVIL).reason == "hold"
    assert (
        receive(mail("2", number=3, in_reply_to=f"<{to_dan.message_id}>"), **EVIL).reason == "hold"
    )


# --- authenticated


def test_a_proven_mail_joins_and_its_day_counts() -> None:
    ticket = opened()
    row = receive(signed(mail("More", number=2, in_reply_to=f"<m1@{DOMAIN}>"), DOMAIN), **EVIL)
    assert (row.reason, row.ticket_number, verdict(row)) == ("comment", ticket.pk, "authenticated")
    assert ProvenDay.objects.filter(address=CLEO).count() == 1  # both came today


def test_a_proven_stranger_is_still_a_stranger() -> None:
    opened()
    row = receive(mail("x", number=2, sender=f"dan@{DOMAIN}", in_reply_to=f"<m1@{DOMAIN}>"), **OWN)
    assert (row.reason, verdict(row)) == ("hold", "authenticated")


def test_her_mail_to_somebody_else_sent_to_us_again_does_not_speak_in_her_ticket() -> None:
    opened()
    usually_proven()
    private = signed(mail("I agree. Do it.", number=9, to="m@evil.example"), DOMAIN)
    replayed = f"In-Reply-To: <m1@{DOMAIN}>\r\n".encode() + private
    row = receive(replayed, **EVIL)
    assert (row.reason, verdict(row)) == ("hold", "authenticated")
    assert (
        Comment.objects.get(mail=row).held_reason
        == "signed by its sender, but not as an answer to this"
    )
    # Written to us as an answer to that, it is hers, whoever has handed it on.
    answer = mail("x", number=8, in_reply_to=f"<m1@{DOMAIN}>")
    assert receive(signed(answer, DOMAIN, headers=ALL), **EVIL).reason == "comment"
    # The other ticket is not what she answered.
    opened_too = ticket_of(receive(mail("Other", number=20), **OWN))
    copied = signed(mail("y", number=10, cc="m@evil.example"), DOMAIN)
    moved = f"In-Reply-To: <m20@{DOMAIN}>\r\n".encode() + copied
    row = receive(moved, **EVIL)
    assert (row.reason, row.ticket_number) == ("hold", opened_too.pk)


@pytest.mark.parametrize("unsigned", ["To", "Cc"])
def test_nor_does_a_replay_that_gives_it_an_address_of_ours_which_nobody_signed(unsigned) -> None:
    opened()
    usually_proven()
    raw = (
        mail("I agree.", number=9, to="m@evil.example")
        if unsigned == "Cc"
        else mail("I agree.", number=9, to="")
    )
    headers = (b"from", b"subject", b"message-id") + ((b"to",) if unsigned == "Cc" else ())
    private = re.sub(rb"(?m)^To:\s*\n", b"", signed(raw, DOMAIN, headers=headers))
    row = receive(
        f"{unsigned}: {SUPPORT}\r\nIn-Reply-To: <m1@{DOMAIN}>\r\n".encode() + private, **EVIL
    )
    assert (row.reason, verdict(row)) == ("hold", "authenticated")


def test_nobody_speaks_for_her_from_behind_our_own_address(zone) -> None:
    """Whose domain forbids it is written for under an address of ours, whose domain says nothing."""
    ticket = opened()
    del zone.records["_dmarc.example.com", "TXT"]

    def behind(number: int) -> bytes:
        return mail(
            "Pay here",
            number=number,
            sender=f"Cleo <{SUPPORT}>",
            reply_to=CLEO,
            in_reply_to=f"<m1@{DOMAIN}>",
        )

    row = receive(behind(2), **EVIL)
    assert (row.reason, verdict(row)) == ("hold", "unknown")
    # A group of ours that signs what it hands on is heard; as is whoever answers at her own
    # address.
    assert receive(signed(behind(3), "example.com"), **EVIL).reason == "comment"
    token = reply_address(SUPPORT, ticket.pk, ticket.requester_id)
    assert receive(behind(4), rcpt=token, **EVIL).reason == "comment"


def test_through_a_group_of_ours_reply_to_speaks_for_nobody_else(zone) -> None:
    ticket = opened()
    raw = mail(
        "Pay here",
        number=2,
        sender=f"Mallory via Support <{SUPPORT}>",
        reply_to=CLEO,
        in_reply_to=f"<m1@{DOMAIN}>",
        x_original_from="mallory@evil.example",
        x_original_sender="mallory@evil.example",
    )
    row = receive(signed(raw, "example.com"), **EVIL)
    assert (row.reason, row.ticket_number) == ("hold", ticket.pk)
    assert Comment.objects.get(mail=row).author.email == "mallory@evil.example"


@pytest.mark.parametrize("how", ["dkim", "spf", "arc", "many"])
def test_a_forger_makes_no_fault_of_the_dns(zone, how: str) -> None:
    """Whatever domains of theirs never answer."""
    opened()
    usually_proven()
    raw = mail("Pay here", number=2, in_reply_to=f"<m1@{DOMAIN}>")
    names = {"dkim": 1, "many": 5}.get(how, 0)
    for number in range(names):
        zone.away.add(f"s._domainkey.evil{number}.example")
        raw = (
            f"DKIM-Signature: v=1; a=rsa-sha256; d=evil{number}.example; s=s; h=from; bh=AAAA; b=AAAA\r\n".encode()
            + raw
        )
    if how == "arc":
        zone.away.add("s._domainkey.evil.example")
        raw = (
            b"ARC-Seal: i=1; a=rsa-sha256; d=evil.example; s=s; cv=none; b=AAAA\r\nARC-Message-Signature: i=1; a=rsa-sha256; d=evil.example; s=s; h=from; bh=AAAA; b=AAAA\r\n"
            + raw
        )
    if how == "spf":
        zone.away.add("evil.example")
    row = receive(raw, **EVIL)
    assert (row.reason, verdict(row), row.is_slow) == ("hold", "failed", False)


def test_a_policy_that_only_watches_lets_in_what_only_she_can_know(zone) -> None:
    ticket = opened()
    zone.txt(f"_dmarc.{DOMAIN}", "v=DMARC1; p=none")
    resolver.forget()
    token = reply_address(SUPPORT, ticket.pk, ticket.requester_id)
    assert receive(mail("1", number=2), rcpt=token, **EVIL).reason == "comment"
    assert receive(mail("2", number=3, in_reply_to=f"<m1@{DOMAIN}>"), **EVIL).reason == "hold"


def test_a_forged_copy_that_was_sent_ahead_silences_nobody() -> None:
    ticket = opened()
    raw = mail("My real question", number=2, in_reply_to=f"<m1@{DOMAIN}>")
    assert receive(raw, **EVIL).reason == "hold"
    row = receive(raw, **OWN)
    assert (row.reason, row.ticket_number) == ("comment", ticket.pk)
    assert receive(raw, **OWN).reason == "duplicate"


def test_a_forgery_that_is_spam_does_not_block_whom_it_names() -> None:
    ticket = ticket_of(receive(mail("Buy!"), **EVIL))
    actions.mark_spam(ticket, actor=agent())
    assert receive(mail("My question", number=2), **OWN).reason == "open"


# --- What an agent trusts


def test_what_an_agent_trusts_is_let_in_that_way_and_no_other(zone) -> None:
    ticket = opened()
    zone.domain("crm.example")

    def by_crm(number: int) -> bytes:
        return signed(mail("x", number=number, in_reply_to=f"<m1@{DOMAIN}>"), "crm.example")

    row = receive(by_crm(2), **EVIL)
    held = Comment.objects.get(mail=row)
    assert held.visibility == "held"
    ada = agent()
    with pytest.raises(Refused):
        actions.admit(held, actor=ada, as_participant=False, trusting="signed by other.example")
    client = Client()
    client.force_login(ada)
    page = client.get(reverse("admin:ticket", args=[ticket.pk])).content.decode()
    assert 'value="trust-signed by crm.example"' in page
    client.post(
        reverse("admin:comment_decide", args=[held.pk]), {"decision": "trust-signed by crm.example"}
    )
    held.refresh_from_db()
    assert held.visibility == "public"
    assert receive(by_crm(3), **EVIL).reason == "comment"
    assert receive(mail("x", number=4, in_reply_to=f"<m1@{DOMAIN}>"), **EVIL).reason == "hold"
    other = signed(mail("x", number=5, sender=f"dan@{DOMAIN}"), "crm.example")
    assert verdict(receive(other, **EVIL)) == "failed"
    assert OutboundMail.objects.filter(to_address=f"dan@{DOMAIN}").count() == 0
    assert TrustedWay.objects.get().trusted_by == ada


# --- The policy


def test_a_mailbox_that_only_looks_on_lets_it_in_and_says_what_it_would_have_done() -> None:
    ticket = opened()
    for change in (
        {"sender_policy": "log"},
        {"sender_policy": "hold", "policy_from": timezone.now() + timedelta(days=1)},
    ):
        Mailbox.objects.update(**change)
        row = receive(mail("x", number=len(change) + 1, in_reply_to=f"<m1@{DOMAIN}>"), **EVIL)
        assert (row.reason, row.ticket_number) == ("comment", ticket.pk)
        assert row.would_hold == f"by the rules of {DOMAIN} (DMARC) this mail is not from there"
    first = receive(mail("new", number=7), **EVIL)
    assert first.would_hold
    assert OutboundMail.objects.filter(ticket=first.ticket_number, kind="acknowledgement").exists()
    Mailbox.objects.update(policy_from=timezone.now() - timedelta(days=1))
    assert receive(mail("x", number=8, in_reply_to=f"<m1@{DOMAIN}>"), **EVIL).reason == "hold"


def test_a_replay_uses_what_was_seen_then(zone) -> None:
    opened()
    row = receive(signed(mail("x", number=2, in_reply_to=f"<m1@{DOMAIN}>"), DOMAIN), **EVIL)
    zone.records.clear()
    resolver.forget()
    from helpdesk.intake import understood
    from helpdesk.intake.decide import decide

    row = InboundMail.objects.select_related("raw", "mailbox").get(pk=row.pk)
    assert row.raw is not None
    again = understood.read(row, row.raw.content)
    assert again.proof.verdict == "authenticated"
    assert decide(again).do == "comment"


def test_mail_that_came_long_ago_is_not_asked_about(zone) -> None:
    row = arrive(mail(), **OWN)
    InboundMail.objects.filter(pk=row.pk).update(received_at=timezone.now() - timedelta(days=30))
    process(row.pk)
    row.refresh_from_db()
    assert (row.reason, verdict(row), zone.asked) == ("open", "unknown", [])


def test_mail_of_our_own_servers_without_a_signature_costs_no_look_up(zone) -> None:
    assert verdict(receive(mail())) == "unknown"
    assert zone.asked == []


# --- Agents


ADAS = {"client": "199.7.91.77 (mx.example.com)", "mail_from": "ada@example.com"}


@pytest.fixture
def ada(zone) -> Person:
    zone.txt("example.com", "v=spf1 ip4:199.7.91.77 -all")
    return agent()


def from_ada(text: str, number: int = 50, **headers: str) -> bytes:
    return eml(text, sender="Ada <ada@example.com>", message_id=f"a{number}@example.com", **headers)


def to_ada(ticket: Ticket, ada: Person) -> str:
    return reply_address(SUPPORT, ticket.pk, ada.pk)


def test_an_agent_answers_from_their_own_mail_program(ada, settings) -> None:
    settings.UNDO_SEND_SECONDS = 20
    ticket = opened()
    text = "It is on its way.\n\n-- \nAda, Mobile 0151\n\nOn Monday Helpdesk wrote:\n> Assigned to you\n> https://helpdesk/secret"
    row = receive(
        from_ada(text, in_reply_to=f"<ticket-{ticket.pk}.staff@example.com>"),
        rcpt=to_ada(ticket, ada),
        **ADAS,
    )
    assert (row.state, row.reason) == ("done", "answer")
    comment = Comment.objects.get(mail=row)
    assert (comment.author, comment.visibility, comment.text.strip()) == (
        ada,
        "public",
        "It is on its way.",
    )
    assert not comment.quoted_text
    sent = OutboundMail.objects.get(comment=comment)
    assert sent.to_address == CLEO
    assert sent.next_attempt_at > timezone.now() + timedelta(seconds=10)
    assert "secret" not in sent.text + sent.html
    assert "0151" not in sent.text + sent.html
    ticket.refresh_from_db()
    assert ticket.assignee == ada
    # It can be undone as one from the desk can.
    actions.take_back(comment, actor=ada)
    assert not OutboundMail.objects.filter(kind="reply", state="queued").exists()


def test_an_agents_note_stays_inside(ada) -> None:
    ticket = opened()
    before = OutboundMail.objects.count()
    row = receive(from_ada("NOTE: he is a liar\n\nAda"), rcpt=to_ada(ticket, ada), **ADAS)
    comment = Comment.objects.get(mail=row)
    assert (row.reason, comment.visibility, comment.text.split("\n")[0]) == (
        "note",
        "internal",
        "he is a liar",
    )
    assert OutboundMail.objects.count() == before


def test_an_agents_reply_to_a_mail_about_colleagues_is_a_note_and_each_mail_says_where_a_reply_goes(
    ada,
) -> None:
    ticket = opened()
    actions.assign(ticket, ada, actor=ada)
    actions.assign(ticket, None, actor=None)
    actions.assign(ticket, ada, actor=None)
    actions.note(ticket, Content(text="@ada he never pays"), actor=agent("Bea"))
    mentioned, assigned = (
        OutboundMail.objects.filter(kind=kind).latest("pk") for kind in ("mentioned", "assigned")
    )
    assert "becomes an internal note" in mentioned.text
    assert "becomes an internal note" in mentioned.html
    assert "goes to the customer" in assigned.text
    assert "goes to the customer" in assigned.html
    row = receive(
        from_ada("I know", in_reply_to=f"<{mentioned.message_id}>"),
        rcpt=to_ada(ticket, ada),
        **ADAS,
    )
    assert (row.reason, Comment.objects.get(mail=row).visibility) == ("note", "internal")
    row = receive(
        from_ada("Hello Cleo", 51, in_reply_to=f"<{assigned.message_id}>"),
        rcpt=to_ada(ticket, ada),
        **ADAS,
    )
    assert row.reason == "answer"


def test_a_forgery_adds_nothing_to_what_we_know_of_somebody() -> None:
    Person.objects.create_user(CLEO)
    receive(mail("x", sender=f"Idiot <{CLEO}>"), **EVIL)
    assert Person.objects.get(email=CLEO).name == ""


def test_a_mail_in_an_agents_name_that_is_not_proven_is_held_and_they_are_told(ada) -> None:
    ticket = opened()
    for number, how in enumerate([EVIL, {**EVIL, "client": "127.0.0.1 (x)"}]):
        row = receive(
            from_ada("Your contract is cancelled", number), rcpt=to_ada(ticket, ada), **how
        )
        assert (row.reason, row.ticket_number) == ("hold", ticket.pk)
        assert Comment.objects.get(mail=row).visibility == "held"
    told = OutboundMail.objects.get(kind="in_your_name")  # once, while that waits
    assert told.to_address == "ada@example.com"
    assert "Your contract is cancelled" in told.text
    assert not OutboundMail.objects.filter(kind="reply").exists()


def test_an_agents_proven_mail_elsewhere_than_to_their_own_reply_address_is_held(ada) -> None:
    ticket = opened()
    bea = agent("Bea")
    for number, (rcpt, reply) in enumerate(
        [
            (SUPPORT, f"<m1@{DOMAIN}>"),
            (reply_address(SUPPORT, ticket.pk, ticket.requester_id), "<x@y>"),
            (reply_address(SUPPORT, ticket.pk, bea.pk), "<x@y>"),
        ]
    ):
        row = receive(from_ada("Hi", number, in_reply_to=reply), rcpt=rcpt, **ADAS)
        assert (row.reason, Comment.objects.get(mail=row).held_reason) == (
            "hold",
            "an agent's mail, and not to their own reply address",
        )


def test_a_mail_that_an_agent_wrote_to_somebody_else_is_no_answer_when_it_is_sent_to_us_again(
    ada, zone
) -> None:
    """Whoever got it, and knows the agent's reply address."""
    ticket = opened()
    zone.domain("example.com")
    for number, to in enumerate(["m@evil.example", f"m@evil.example, {SUPPORT}"]):
        private = signed(from_ada("I agree. Do it.", number, to=to), "example.com")
        assert receive(private, rcpt=to_ada(ticket, ada), **EVIL).reason == "hold"
    mine = signed(from_ada("Yes.", 9, to=to_ada(ticket, ada)), "example.com")
    assert receive(mine, rcpt=to_ada(ticket, ada), **EVIL).reason == "answer"


def test_an_agents_automatic_mail_is_no_answer(ada) -> None:
    ticket = opened()
    row = receive(
        from_ada("I am away", auto_submitted="auto-replied"), rcpt=to_ada(ticket, ada), **ADAS
    )
    assert row.reason != "answer"
    assert not OutboundMail.objects.filter(kind="reply").exists()


def test_an_agent_who_does_not_see_the_ticket_does_not_answer_it(ada, settings) -> None:
    settings.AGENTS_SEE = "teams"
    ticket = opened()
    Ticket.objects.filter(pk=ticket.pk).update(team=Team.objects.create(name="Other"))
    row = receive(from_ada("Hi"), rcpt=to_ada(ticket, ada), **ADAS)
    assert row.reason == "hold"


def test_an_agent_who_has_left_is_no_agent(ada) -> None:
    ticket = opened()
    Person.objects.filter(pk=ada.pk).update(is_active=False)
    assert receive(from_ada("Hi"), rcpt=to_ada(ticket, ada), **ADAS).reason == "hold"
    Person.objects.filter(pk=ada.pk).update(is_active=True, role="user")
    assert receive(from_ada("Hi", 51), rcpt=to_ada(ticket, ada), **ADAS).reason == "hold"


def test_an_agents_answer_to_a_closed_ticket_waits_for_them(ada) -> None:
    ticket = opened()
    actions.set_status(ticket, "closed", actor=ada)
    assert receive(from_ada("Hi"), rcpt=to_ada(ticket, ada), **ADAS).reason == "hold"


# --- Forwards

OUTLOOK = "Please take this.\n\nAda\n\n-----Original Message-----\nFrom: Dan Brown <dan@other.example>\nSent: Monday, March 3, 2025 10:11 AM\nTo: Ada <ada@example.com>\nSubject: Broken lamp\n\nHello Ada,\n\nthe lamp is broken.\n\nDan"


def test_a_customers_mail_that_an_agent_forwards_opens_the_ticket_in_the_customers_name(
    ada,
) -> None:
    row = receive(from_ada(OUTLOOK, subject="FW: Broken lamp"), **ADAS)
    ticket = ticket_of(row)
    assert (ticket.requester.email, ticket.requester.name, ticket.subject) == (
        "dan@other.example",
        "Dan Brown",
        "Broken lamp",
    )
    first, note = ticket.comments.order_by("id")
    assert (first.author, first.visibility) == (ticket.requester, "public")
    assert first.text == "Hello Ada,\n\nthe lamp is broken.\n\nDan"
    assert (note.author, note.visibility, note.text) == (
        ada,
        "internal",
        "Please take this.\n\nAda",
    )
    assert not OutboundMail.objects.filter(to_address="dan@other.example").exists()
    assert ticket.events.get(kind="opened").actor == ada


@pytest.mark.parametrize(
    "why", ["not proven", "a customer", "switched off", "an agent's mail inside"]
)
def test_whoever_may_not_speak_for_another_opens_their_own_ticket(ada, why) -> None:
    mailbox()
    how, text, sender = ADAS, OUTLOOK, "ada@example.com"
    if why == "not proven":
        how = EVIL
    if why == "a customer":
        Person.objects.filter(pk=ada.pk).update(role="user")
    if why == "switched off":
        Mailbox.objects.update(agents_forward=False)
    if why == "an agent's mail inside":
        agent("Bea")
        text = OUTLOOK.replace("dan@other.example", "bea@example.com")
    ticket = ticket_of(receive(from_ada(text, subject="FW: Broken lamp"), **how))
    assert ticket.requester.email == sender


def test_what_is_attached_to_a_forward_comes_along(ada) -> None:
    from email.message import EmailMessage

    inner = EmailMessage()
    inner["From"], inner["Subject"], inner["Message-ID"] = (
        "Dan <dan@other.example>",
        "Broken lamp",
        "<lamp@other.example>",
    )
    inner.set_content("the lamp is broken")
    inner.add_attachment(b"\x89PNG", maintype="image", subtype="png", filename="lamp.png")
    outer = EmailMessage()
    outer["From"], outer["To"], outer["Subject"], outer["Message-ID"] = (
        "ada@example.com",
        SUPPORT,
        "Lamp",
        "<o@example.com>",
    )
    outer.set_content("For you")
    outer.add_attachment(inner)
    ticket = ticket_of(receive(outer.as_bytes(), **ADAS))
    assert ticket.requester.email == "dan@other.example"
    first = ticket.comments.order_by("id")[0]
    assert first.text == "the lamp is broken"
    assert "lamp.png" in {file.name for file in first.attachments.all()}
    # Later mail of the customer's in the old thread finds the ticket.
    later = eml(
        "Still broken",
        sender="dan@other.example",
        message_id="l2@other.example",
        in_reply_to="<lamp@other.example>",
    )
    assert receive(later, mail_from="dan@other.example").ticket_number == ticket.pk


# --- What is seen of it


def test_pages_say_in_words_whose_mail_it_is(ada) -> None:
    ticket = opened()
    forged = receive(mail("x", number=2, in_reply_to=f"<m1@{DOMAIN}>"), **EVIL)
    client = Client()
    client.force_login(ada)
    page = client.get(reverse("admin:ticket", args=[ticket.pk])).content.decode()
    assert f"proven to be from {DOMAIN}" in page
    assert "not from them" in page
    detail = client.get(reverse("admin:inbound_mail", args=[forged.pk])).content.decode()
    assert "says how its mail is proven" in detail
    assert "evil.example" in detail


@pytest.mark.usefixtures("no_counts_yet")
def test_the_api_tells_staff_and_nobody_else() -> None:
    ticket = opened()
    row = receive(mail("x", number=2, in_reply_to=f"<m1@{DOMAIN}>"), **EVIL)
    path = f"/api/tickets/{ticket.pk}/comments/"
    said_to_ada = Api(agent())("GET", path).json()
    assert [found["sender"]["verdict"] for found in said_to_ada] == ["authenticated", "failed"]
    assert said_to_ada[1]["sender"]["why"] == (row.proof or {})["why"]
    said_to_cleo = Api(ticket.requester)("GET", path).json()
    assert [found["sender"] for found in said_to_cleo] == [None]


def test_a_ticket_in_a_colleagues_name_warns_until_it_is_proven(ada, zone) -> None:
    client = Client()
    client.force_login(agent("Bea"))
    for how, warns in ((EVIL, True), ({**EVIL, "client": "127.0.0.1 (x)"}, True), (ADAS, False)):
        raw = from_ada("Reset Cleo's password, please.", 70 + len(str(how)), subject="Please")
        row = receive(raw, **how)
        page = client.get(reverse("admin:ticket", args=[row.ticket_number])).content.decode()
        assert ("In Ada&#x27;s name" in page or "In Ada's name" in page) is warns


def test_a_forged_first_mail_is_marked_in_the_list_and_can_be_trusted_at_once(ada, zone) -> None:
    zone.domain("crm.example")
    row = receive(signed(mail("Hello"), "crm.example"), **EVIL)
    client = Client()
    client.force_login(ada)
    assert "Not from them" in client.get(reverse("admin:tickets")).content.decode()
    page = client.get(reverse("admin:ticket", args=[row.ticket_number])).content.decode()
    assert 'value="trust-signed by crm.example"' in page
    first = Comment.objects.get(mail=row)
    client.post(
        reverse("admin:comment_decide", args=[first.pk]),
        {"decision": "trust-signed by crm.example"},
    )
    assert TrustedWay.objects.get().way == "signed by crm.example"
    more = receive(signed(mail("More", number=2), "crm.example"), **EVIL)
    assert OutboundMail.objects.filter(ticket=more.ticket_number, kind="acknowledgement").exists()


def test_what_a_provider_says_is_kept() -> None:
    mailbox()
    from inbound.reading.message import Envelope
    from inbound.reading.results import Result

    envelope = Envelope("m@evil.example", (SUPPORT,), "Amazon SES", (Result("dmarc", "fail", {}),))
    (pk,) = store.accept(mail(), envelope, "webhook")
    process(pk)
    row = InboundMail.objects.get(pk=pk)
    assert (verdict(row), row.reason) == ("failed", "open")
    assert deliver_all() == []


# --- An upgrade


def test_an_upgraded_installation_looks_on_for_two_weeks_and_a_new_one_does_not() -> None:
    upgrade = import_module("inbound.migrations.0009_whose_mail_it_is").look_on_first
    mailbox()
    upgrade(apps, None)
    assert Mailbox.objects.get().policy_from is None
    opened()
    upgrade(apps, None)
    until = Mailbox.objects.get().policy_from
    assert until is not None
    assert timedelta(days=13) < until - timezone.now() <= timedelta(days=14)
    row = receive(mail("x", number=2, in_reply_to=f"<m1@{DOMAIN}>"), **EVIL)
    assert (row.reason, bool(row.would_hold)) == ("comment", True)
    # It is shown.
    client = Client()
    client.force_login(Person.objects.create_superuser("root@example.com"))
    page = client.get(
        reverse("admin:inbound_inboundmail_changelist") + "?would_hold=yes"
    ).content.decode()
    assert page.count("/admin/mail/") == 1
    assert (
        "Would be held" in client.get(reverse("admin:inbound_mail", args=[row.pk])).content.decode()
    )
