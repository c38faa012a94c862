"""Promises about sending that no other test would miss: each was broken by hand, and nothing
noticed."""

import json
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from anymail.exceptions import AnymailUnsupportedFeature
from django.db import connection
from django.utils import timezone

from helpdesk import actions, cached
from helpdesk.actions import Content
from helpdesk.models import Identity, MailServer, OutboundMail
from helpdesk.outbound import delivery, servers, texts
from helpdesk.outbound.compose import message
from helpdesk.outbound.whose_fault import Whose
from inbound.models import Mailbox
from inbound.secrets import encrypt
from inbound.transports.webhook import provider_api
from inbound.transports.webhook.posted import Posted
from tasks import outbound, renewing, secret_mail, sending
from tests.helpdesk.outbound.test_compose import FORWARDED
from tests.helpdesk.outbound.test_servers import mails, use
from tests.support.mail import agent, customer, eml, mailbox, receive, ticket_of
from tests.support.services import smtp_sink

pytestmark = pytest.mark.django_db
BOX = "support@example.com"


@pytest.mark.parametrize("error", [AnymailUnsupportedFeature("tags"), delivery.NotTaken("failed")])
def test_what_a_provider_cannot_do_is_about_how_it_is_set_up(error: Exception) -> None:
    assert delivery.judge(error).whose is Whose.POLICY


def test_a_key_that_is_missing_is_the_way_outs_fault_and_fails_no_mail(settings) -> None:
    (mail,) = mails(1)
    Identity.objects.create(mailbox=Mailbox.objects.get(), dkim_selector="s", dkim_key="x")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE helpdesk_identity SET email_url = 'sealed by a key that is gone'")
    for _ in range(sending.MAX_ERRORS + 2):
        OutboundMail.objects.update(next_attempt_at=timezone.now())
        MailServer.objects.update(open_until=None)
        outbound.deliver(mail.pk)
    mail.refresh_from_db()
    assert (mail.state, mail.reason) == ("queued", Whose.SERVER.value)


def test_through_a_mailboxes_own_provider_a_mail_names_its_reader_alone() -> None:
    Identity.objects.create(mailbox=mailbox(), email_url="anymail://postmark?server_token=x")
    ticket = ticket_of(receive(eml("x", message_id="first@example.net")))
    actions.reply(
        ticket, Content(text="Hi"), actor=agent(), cc=[customer("dan@example.net", "Dan")]
    )
    for mail in OutboundMail.objects.filter(kind="reply"):
        sent = message(mail).message()
        assert mail.to_address in str(sent["To"])
        assert ("dan" in str(sent["To"])) is (mail.to_address == "dan@example.net")
        assert sent["Cc"] is None


def test_after_a_long_outage_the_way_out_is_asked_each_minute() -> None:
    mails(1)
    MailServer.objects.create(
        name=BOX, faults=50, failing_since=timezone.now() - timedelta(days=2), error="x"
    )
    servers.failed(BOX, "x")
    left = (MailServer.objects.get().open_until or timezone.now()) - timezone.now()
    assert timedelta(seconds=30) < left <= timedelta(minutes=1)


def test_since_when_it_fails_is_when_it_began() -> None:
    began = timezone.now() - timedelta(hours=3)
    MailServer.objects.create(name=BOX, faults=1, failing_since=began, error="x")
    servers.failed(BOX, "y")
    assert MailServer.objects.get().failing_since == began


@pytest.mark.django_db(transaction=True)
def test_of_many_that_ask_at_once_whether_it_works_again_one_is_let_through() -> None:
    (mail,) = mails(1)
    MailServer.objects.create(name=BOX, faults=5, open_until=timezone.now() - timedelta(seconds=1))
    let_through, gate = list[bool](), Barrier(6)

    def ask() -> None:
        gate.wait()
        let_through.append(servers.wait_until(mail) is None)
        connection.close()

    threads = [Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert let_through.count(True) == 1


def test_a_code_is_tried_though_the_circuit_is_open(settings) -> None:
    (mail,) = mails(1)
    soon = timezone.now() + timedelta(minutes=5)
    OutboundMail.objects.update(
        is_secret=True, sealed=encrypt(json.dumps(["x", ""])), expires_at=soon, kind="code"
    )
    MailServer.objects.create(name=BOX, faults=5, open_until=timezone.now() + timedelta(minutes=1))
    with smtp_sink() as sink:
        use(settings, sink)
        secret_mail.deliver(mail.pk)
        assert len(sink.mails) == 1


def test_the_time_in_which_an_answer_can_be_taken_back_is_no_delay(settings, client) -> None:
    settings.UNDO_SEND_SECONDS = 600
    ticket = ticket_of(receive(eml("x", message_id="first@example.net")))
    OutboundMail.objects.all().delete()
    actions.reply(ticket, Content(text="Hi"), actor=agent())
    assert OutboundMail.objects.get().due_at > timezone.now() + timedelta(minutes=9)
    assert client.get("/api/health/").json()["oldest_outbound_seconds"] == 0


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_stalled_does_not_prolong_the_lease_of_who_came_after_it() -> None:
    (mail,) = mails(1)
    lease = timedelta(seconds=1.5)
    OutboundMail.objects.update(
        next_attempt_at=timezone.now() + lease, held_by="another", attempts=7
    )
    before = OutboundMail.objects.get().next_attempt_at
    with renewing.renewed(OutboundMail.objects.all(), [mail], lease, at_most=timedelta(seconds=30)):
        Thread(target=lambda: None).start()
        renewing.time.sleep(2)
    assert OutboundMail.objects.get().next_attempt_at == before


# --- A mailbox's own texts


def said(body: str) -> texts.Words:
    return texts.of_own_text(
        "x", body, {"mailbox": mailbox(), "person": "Cleo", "link": "https://x.example/t"}
    )


def test_a_link_in_code_is_no_link_and_paragraphs_stay_apart() -> None:
    assert "<a " not in said("`{{link}}`").html.partition("said")[2].partition("</code>")[0]
    text = said("One.\n\nUntil {{link_until}}.\n\nTwo.").text
    assert text.strip() == "One.\n\nTwo."
    lines = said("One.\n- {{link_until}}\n- two\n").text
    assert "- two" in lines.splitlines()


def test_a_sentence_that_goes_on_in_the_next_line_goes_whole() -> None:
    assert said("You see it there\nuntil {{link_until}}. And more.").text.strip() == "And more."


# --- Others


def test_a_providers_api_is_not_waited_for_for_ever(monkeypatch) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr("requests.get", lambda url, **how: asked.append(how))
    provider_api.api.get("https://provider.example/x")
    assert asked[0]["timeout"] == provider_api.PROVIDER_SECONDS


@pytest.mark.parametrize("kind", ["message/rfc822", "multipart/related"])
def test_a_mail_or_web_archive_that_a_provider_posts_as_a_file_is_one(kind: str) -> None:
    part = Posted.construct_attachment(kind, FORWARDED, filename="x.mht")
    assert part.get_content_type() == "application/octet-stream"
    assert part.get_payload(decode=True) == FORWARDED


def test_while_the_cache_is_away_one_of_many_asks_it_again(monkeypatch) -> None:
    monkeypatch.setattr(cached, "_away", True)
    monkeypatch.setattr(cached, "_asked_again_at", 0.0)
    assert [cached._rests() for _ in range(4)] == [False, True, True, True]
