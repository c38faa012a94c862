"""What each provider tells of mail that we sent: only its own mark of a dead address takes one off."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from anymail.signals import AnymailTrackingEvent
from anymail.urls import urlpatterns

from helpdesk.models import OutboundMail, Suppression
from helpdesk.outbound import delivery
from helpdesk.outbound.provider_events import MARKS, on_event
from tests.inbound.transports.webhook.test_webhooks import Post, set_up
from tests.support import posts
from tests.support.mail import eml, mailbox, receive

pytestmark = pytest.mark.django_db
Maker = Callable[[], Post]


def each(table: dict[str, dict[str, Maker]]) -> Any:
    cases = [
        (f"{provider}-{name}", make)
        for provider, found in table.items()
        for name, make in found.items()
    ]
    return pytest.mark.parametrize(
        "make", [make for _, make in cases], ids=[name for name, _ in cases]
    )


def one_each(table: dict[str, Maker]) -> Any:
    return pytest.mark.parametrize("provider", table)


@pytest.fixture
def sent(settings: Any) -> OutboundMail:
    """An acknowledgement that a provider has taken."""
    mailbox()
    set_up(settings)
    receive(eml("Help", message_id="first@example.net"))
    mail = OutboundMail.objects.get()
    OutboundMail.objects.update(**delivery.sent(mail, posts.MAIL))
    mail.refresh_from_db()
    return mail


def copy_of(mail: OutboundMail, **fields: Any) -> OutboundMail:
    copy = OutboundMail.objects.get(pk=mail.pk)
    copy.pk, copy.message_id = None, f"{uuid4().hex}@example.com"
    for name, value in fields.items():
        setattr(copy, name, value)
    copy.save()
    return copy


def after(post: Post, mail: OutboundMail) -> OutboundMail:
    if post.path.startswith("postal/"):  # its ids are numbers
        OutboundMail.objects.filter(pk=mail.pk).update(provider_message_id="1571")
    answer = post.send()
    assert answer.status_code == 200, answer.content
    mail.refresh_from_db()
    return mail


def test_each_provider_that_there_is_has_its_marks_and_its_posts() -> None:
    views = {route.callback.view_class for route in urlpatterns if "inbound" not in route.name}
    there = {view.esp_name for view in views}
    assert set(MARKS) == there
    assert set(posts.DEAD) == set(posts.LIVES) == there - {"SendinBlue"}


@each(posts.DEAD)
def test_an_address_that_is_dead_by_its_providers_mark_gets_no_more_mail(
    make: Maker, sent: OutboundMail
) -> None:
    assert after(make(), sent).state == "bounced"
    assert Suppression.objects.values_list("address", "reason").get() == (
        "cleo@example.net",
        "bounce",
    )


@each(posts.LIVES)
def test_a_mail_that_did_not_arrive_this_time_says_nothing_about_the_address(
    make: Maker, sent: OutboundMail
) -> None:
    assert after(make(), sent).state == "bounced"
    assert not Suppression.objects.exists()


@pytest.mark.parametrize("words", posts.OF_SOMETHING_ELSE)
@one_each(posts.HARD)
def test_a_hard_bounce_whose_words_are_about_something_else_takes_no_address_off(
    provider: str, words: str, sent: OutboundMail
) -> None:
    assert after(posts.HARD[provider](words), sent).state == "bounced"
    assert not Suppression.objects.exists()


@pytest.mark.parametrize(
    "words",
    [
        posts.UNKNOWN,
        "550 User unknown",
        "550-5.1.1 The email account does not exist",
        "550 5.2.1 mailbox disabled",
    ],
)
@one_each(posts.HARD)
def test_a_hard_bounce_whose_words_are_about_the_address_takes_it_off(
    provider: str, words: str, sent: OutboundMail
) -> None:
    assert after(posts.HARD[provider](words), sent).state == "bounced"
    assert Suppression.objects.exists()


@one_each(
    {name: make for name, make in posts.HARD.items() if name != "Postal"}
)  # which says so of whatever failed
def test_a_hard_bounce_without_any_words_is_believed(provider: str, sent: OutboundMail) -> None:
    after(posts.HARD[provider](""), sent)
    assert Suppression.objects.exists()


@one_each(posts.HARD)
def test_an_id_that_a_provider_gives_out_again_is_of_its_newest_mail_to_that_address(
    provider: str, sent: OutboundMail
) -> None:
    number = "1571" if provider == "Postal" else posts.MAIL
    OutboundMail.objects.update(provider_message_id=number)
    newer, newest = (
        copy_of(sent, provider_message_id=number),
        copy_of(sent, provider_message_id=number, to_address="dan@example.net"),
    )
    after(posts.HARD[provider](posts.UNKNOWN), newer)
    assert [OutboundMail.objects.get(pk=mail.pk).state for mail in (sent, newer, newest)] == [
        "sent",
        "bounced",
        "sent",
    ]


def test_an_id_is_looked_for_in_both_columns(sent: OutboundMail) -> None:
    """Another provider's id that is the same word as our Message-ID."""
    OutboundMail.objects.update(to_address="dan@example.net")
    ours = copy_of(
        sent, to_address="cleo@example.net", message_id=posts.MAIL, provider_message_id=""
    )
    assert after(posts.HARD["Postmark"](posts.UNKNOWN), ours).state == "bounced"


@one_each(posts.HARD)
def test_an_event_that_comes_before_our_commit_is_posted_again(
    provider: str, sent: OutboundMail
) -> None:
    done = delivery.sent(sent, "1571" if provider == "Postal" else posts.MAIL)
    OutboundMail.objects.update(
        state="queued", sent_at=None, provider_message_id="", attempts=1, held_by="a worker"
    )
    post = posts.HARD[provider](posts.UNKNOWN)
    assert post.send().status_code in {503, 429}
    OutboundMail.objects.update(**done, held_by="")
    assert after(post, sent).state == "bounced"
    assert Suppression.objects.exists()


def test_an_event_about_nobody_whom_we_write_to_just_now_is_taken(sent: OutboundMail) -> None:
    OutboundMail.objects.update(
        state="queued",
        sent_at=None,
        provider_message_id="",
        attempts=1,
        held_by="a worker",
        to_address="dan@example.net",
    )
    assert posts.HARD["Postmark"](posts.UNKNOWN).send().status_code == 200
    OutboundMail.objects.update(to_address="cleo@example.net", held_by="")
    assert posts.HARD["Postmark"](posts.UNKNOWN).send().status_code == 200


def test_an_event_about_a_mail_that_was_never_tried_changes_nothing(sent: OutboundMail) -> None:
    OutboundMail.objects.update(state="queued", sent_at=None, attempts=0)
    assert after(posts.HARD["Postmark"](posts.UNKNOWN), sent).state == "queued"
    assert not Suppression.objects.exists()


@each(posts.COMPLAINED)
def test_who_complains_gets_no_more_mail(make: Maker, sent: OutboundMail) -> None:
    after(make(), sent)
    assert Suppression.objects.values_list("address", "reason").get() == (
        "cleo@example.net",
        "complaint",
    )


@one_each(posts.PENDING)
def test_what_is_tried_again_is_no_bounce(provider: str, sent: OutboundMail) -> None:
    mail = after(posts.PENDING[provider](), sent)
    assert mail.state == "sent"
    assert mail.error.startswith(provider)
    assert not Suppression.objects.exists()


@one_each(posts.DELIVERED)
def test_what_has_arrived_has_no_error_any_more(provider: str, sent: OutboundMail) -> None:
    OutboundMail.objects.update(error="deferred for a while")
    mail = after(posts.DELIVERED[provider](), sent)
    assert (mail.state, mail.error) == ("sent", "")


def test_that_a_mail_is_no_spam_is_no_complaint(sent: OutboundMail) -> None:
    assert after(posts.ses_complaint(complaintFeedbackType="not-spam"), sent).state == "sent"
    assert not Suppression.objects.exists()


@pytest.mark.parametrize("provider", sorted(posts.DEAD))
def test_only_the_address_that_this_mail_went_to_is_taken_off(
    provider: str, sent: OutboundMail
) -> None:
    post = next(iter(posts.DEAD[provider].values()))()
    OutboundMail.objects.update(to_address="dan@example.net")
    assert after(post, sent).state == "sent"
    # It has never been handed to a provider.
    OutboundMail.objects.update(
        to_address="cleo@example.net", state="cancelled", sent_at=None, attempts=0
    )
    assert after(post, sent).state == "cancelled"
    assert not Suppression.objects.exists()


def test_a_post_that_names_no_address_takes_none_off(sent: OutboundMail) -> None:
    event = AnymailTrackingEvent(
        event_type="bounced",
        message_id=posts.MAIL,
        recipient="",
        esp_event={"event": "hard_bounce"},
    )
    on_event(None, event, "Brevo")
    assert not Suppression.objects.exists()
    event.recipient = "cleo@example.net"
    on_event(None, event, "Brevo")
    assert Suppression.objects.exists()


@pytest.mark.parametrize("kind", ["bounced", "complained"])
def test_a_provider_that_nobody_knows_takes_no_address_off(kind: str, sent: OutboundMail) -> None:
    event = AnymailTrackingEvent(
        event_type=kind,
        message_id=posts.MAIL,
        recipient="cleo@example.net",
        reject_reason="bounced",
        esp_event={"event": "hard_bounce", "type": "bounce"},
        mta_response=posts.UNKNOWN,
    )
    on_event(None, event, "Somebody New")
    assert not Suppression.objects.exists()


def test_a_number_that_a_provider_answers_with_is_its_id(
    sent: OutboundMail, monkeypatch: Any
) -> None:
    class Status:
        status, message_id = {"queued"}, 1571

    class Sends:
        def __enter__(self) -> "Sends":
            return self

        def __exit__(self, *why: Any) -> None:
            pass

        def send_messages(self, mails: list[Any]) -> None:
            mails[0].anymail_status = Status()

    monkeypatch.setattr(delivery.server_connections, "connection", lambda mailbox: Sends())
    assert delivery.send(sent) == "1571"
