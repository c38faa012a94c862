"""Which of several tickets a mail belongs to, and in which order its signs count."""

import pytest

from helpdesk import actions
from helpdesk.intake import threads
from helpdesk.models import OutboundMail, Person, Ticket
from inbound.addresses import bounce_address, reply_address
from inbound.reading.message import Address, ParsedMail
from tests.support.mail import SUPPORT, eml, receive, ticket_of

pytestmark = pytest.mark.django_db


def opened(message_id: str, **headers: str) -> Ticket:
    return ticket_of(receive(eml(message_id, message_id=message_id, **headers)))


def found(parsed: ParsedMail, *recipients: str) -> list[tuple[int, str]]:
    return [
        (candidate.ticket, candidate.rule)
        for candidate in threads.locate(parsed, threads.named(parsed, recipients)).candidates
    ]


def mail(
    in_reply_to: str = "", references: str = "", to: str = SUPPORT, message_id: str = "new@x"
) -> ParsedMail:
    return ParsedMail(
        Address("cleo@example.net"),
        to=(Address(to),),
        message_id=message_id,
        in_reply_to=tuple(in_reply_to.split()),
        references=tuple(references.split()),
    )


def test_our_reply_address_counts_more_than_any_id() -> None:
    token, other = opened("a@x"), opened("b@x")
    address = reply_address(SUPPORT, token.pk, token.requester_id)
    expected = [(token.pk, "reply-token"), (other.pk, "in-reply-to")]
    assert found(mail(in_reply_to="b@x"), address) == expected
    assert (
        found(mail(in_reply_to="b@x", to=address), SUPPORT) == expected
    )  # it was redirected on its way
    row = receive(eml("For the first", message_id="c@x", in_reply_to="<b@x>"), rcpt=address)
    assert (row.reason, row.ticket_number) == ("comment", token.pk)


def test_our_reply_address_counts_more_than_our_return_path_and_that_more_than_an_id() -> None:
    token, returned, other = opened("a@x"), opened("b@x"), opened("c@x")
    sent = OutboundMail.objects.get(ticket=returned)
    recipients = (
        bounce_address(SUPPORT, sent.pk),
        reply_address(SUPPORT, token.pk, token.requester_id),
    )
    assert found(mail(in_reply_to="c@x"), *recipients) == [
        (token.pk, "reply-token"),
        (returned.pk, "return-path"),
        (other.pk, "in-reply-to"),
    ]


def test_a_reply_address_of_a_ticket_that_is_gone_leads_nowhere() -> None:
    gone, other = opened("a@x"), opened("b@x")
    address = reply_address(SUPPORT, gone.pk, gone.requester_id)
    actions.delete_ticket(gone, actor=Person.objects.create_superuser("root@example.com", "x"))
    assert found(mail(in_reply_to="b@x"), address) == [(other.pk, "in-reply-to")]


def test_the_nearest_parent_counts_more_than_an_older_one() -> None:
    old, near, answered = opened("a@x"), opened("b@x"), opened("c@x")
    assert found(mail(references="a@x b@x")) == [(near.pk, "references"), (old.pk, "references")]
    assert found(mail(in_reply_to="c@x", references="a@x b@x")) == [
        (answered.pk, "in-reply-to"),
        (near.pk, "references"),
        (old.pk, "references"),
    ]
    row = receive(eml("For the nearest", message_id="d@x", references="<a@x> <b@x>"))
    assert (row.reason, row.ticket_number) == ("comment", near.pk)


def test_an_id_that_others_only_mention_counts_less_than_one_that_we_received_however_near_it_is() -> (
    None
):
    mentions = opened("a@x", in_reply_to="<newsletter@elsewhere>")
    received = opened("b@x")
    assert found(
        mail(in_reply_to="newsletter@elsewhere", references="b@x newsletter@elsewhere")
    ) == [
        (received.pk, "references"),
        (mentions.pk, "common-ancestor"),
    ]
    row = receive(
        eml(
            "x",
            message_id="c@x",
            in_reply_to="<newsletter@elsewhere>",
            references="<b@x> <newsletter@elsewhere>",
        )
    )
    assert (row.reason, row.ticket_number) == ("comment", received.pk)


def test_a_ticket_is_named_once_by_its_surest_sign() -> None:
    ticket = opened("a@x", in_reply_to="<newsletter@elsewhere>")
    assert found(mail(references="newsletter@elsewhere a@x")) == [(ticket.pk, "references")]


def test_another_mail_under_the_same_id_is_no_sign() -> None:
    opened("a@x")
    assert found(mail(message_id="a@x")) == []


def test_of_a_long_thread_the_newest_hundred_ids_count() -> None:
    ticket = opened("a@x")
    later = " ".join(f"{number}@elsewhere" for number in range(threads.MAX_IDS - 1))
    assert found(mail(references=f"a@x {later}")) == [(ticket.pk, "references")]
    assert found(mail(references=f"a@x {later} one-more@elsewhere")) == []


def test_the_ids_of_a_mail_are_its_parents_once_each_and_never_its_own() -> None:
    parsed = mail(in_reply_to="c@x new@x", references="a@x b@x c@x")
    assert threads.parent_ids(parsed) == ["c@x", "b@x", "a@x"]
