"""What the mails we send look like, to whom they go, and in which language."""

import re
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone

from helpdesk import actions
from helpdesk.actions import Content, File, suppression, watching
from helpdesk.models import (
    AlertChannel,
    Comment,
    Identity,
    MailServer,
    MailTemplate,
    OutboundMail,
    Person,
    Suppression,
    Team,
    Ticket,
)
from helpdesk.models.mailing import SUPPRESSED
from helpdesk.outbound import came_back, delivery, servers
from inbound.addresses import bounce_address
from tasks.outbound import deliver
from tests.support.mail import (
    agent,
    customer,
    deliver_all,
    deliver_alone,
    eml,
    mailbox,
    receive,
    ticket_of,
)
from tests.support.services import smtp_sink

pytestmark = pytest.mark.django_db


def parsed(raw: bytes) -> EmailMessage:
    return message_from_bytes(raw, policy=policy.default)  # type: ignore[return-value]


def a_ticket(text: str = "Please help me", **headers: str) -> Ticket:
    return ticket_of(receive(eml(text, message_id="first@example.net", **headers)))


def last(kind: str) -> EmailMessage:
    return next(
        p for p in (parsed(raw) for raw in reversed(deliver_all())) if p["X-Helpdesk-Mail"] == kind
    )


def part(mail: EmailMessage, kind: str) -> str:
    found = mail.get_body((kind,))
    assert found is not None
    return str(found.get_content())


def use(settings, port: int) -> None:
    settings.EMAIL_BACKEND = "helpdesk.outbound.to_smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", port, 5


def test_an_answer_in_markdown_is_html_with_the_styles_in_place_and_the_same_words_as_text() -> (
    None
):
    ticket = a_ticket()
    actions.reply(ticket, Content(text="Try **this**:\n\n- one\n- two <b>x</b>"), actor=agent())
    mail = last("reply")
    assert "Try **this**:" in part(mail, "plain")
    html = part(mail, "html")
    assert "<strong>this</strong>" in html
    assert "&lt;b&gt;x" in html  # raw HTML is shown as it was typed
    assert 'style="' in html.split("<strong>this")[0].rpartition("<p")[2]
    assert "prefers-color-scheme: dark" in html.replace("color-scheme:dark", "color-scheme: dark")
    assert html.index("this</strong>") < html.index("Please help me")  # the quoted history is below


def test_a_picture_that_the_answer_shows_is_in_the_mail_and_other_files_are_attached() -> None:
    ticket = a_ticket()
    files = tuple(
        File(
            default_storage.save(f"tickets/{ticket.pk}/{name}", ContentFile(b"\x89PNG")),
            name,
            kind,
            4,
        )
        for name, kind in (("my shot.png", "image/png"), ("notes.txt", "text/plain"))
    )
    actions.reply(ticket, Content(text="Look: ![here](<my shot.png>)", files=files), actor=agent())
    mail = last("reply")
    (picture,) = [p for p in mail.walk() if p.get_content_type() == "image/png"]
    assert f"cid:{picture['Content-ID'].strip('<>')}" in part(mail, "html")
    assert "multipart/related" in [p.get_content_type() for p in mail.walk()]
    assert [a.get_filename() for a in mail.iter_attachments()] == ["notes.txt"]


@pytest.mark.parametrize(
    ("text", "header", "language", "word"),
    [
        ("Guten Tag, ich habe eine Frage und bitte Sie um Hilfe, danke", "", "de", "Hallo"),
        ("Bonjour, je vous écris pour une question, merci", "", "fr", "Bonjour"),
        ("Hola, no puedo entrar en mi cuenta, gracias por la ayuda", "", "es", "Hola"),
        ("ok", "de-DE, en", "de", "Hallo"),
        ("Hello, I can not log in and the page is empty", "de-DE", "en", "Hello"),
    ],
)
def test_the_customer_is_answered_in_the_language_of_their_mail(
    text, header, language, word
) -> None:
    ticket = a_ticket(text, **({"Accept_Language": header} if header else {}))
    assert ticket.requester.language == language
    assert word in part(last("acknowledgement"), "plain")


def test_the_mailbox_has_a_name_a_signature_and_an_archive() -> None:
    Identity.objects.create(
        mailbox=mailbox(), signature="Yours,\n{{agent}} | {{mailbox}}", bcc="archive@example.com"
    )
    ticket = a_ticket()
    actions.reply(ticket, Content(text="Done"), actor=agent())
    mails = [parsed(raw) for raw in deliver_all() if b"X-Helpdesk-Mail: reply" in raw]
    assert {mail["X-Envelope-To"] for mail in mails} == {"cleo@example.net", "archive@example.com"}
    for mail in mails:
        assert str(mail["From"]).startswith("Ada at Example Support")
        assert "Ada | Example Support" in part(mail, "plain")
        assert "archive" not in str(mail["To"]) + str(mail["Cc"] or "") + str(mail["Bcc"] or "")
    Identity.objects.update(shows_agent=False)
    ticket.refresh_from_db()
    actions.reply(Ticket.objects.get(pk=ticket.pk), Content(text="More"), actor=agent())
    assert str(last("reply")["From"]).startswith("Example Support")


def test_cc_takes_part_from_now_on_and_bcc_is_seen_by_nobody() -> None:
    ticket = a_ticket()
    actions.reply(
        ticket,
        Content(text="Hi"),
        actor=agent(),
        cc=[customer("dan@example.net", "Dan")],
        bcc=[customer("eve@example.net", "Eve")],
    )
    mails = {
        m["X-Envelope-To"]: m for m in map(parsed, deliver_all()) if m["X-Helpdesk-Mail"] == "reply"
    }
    assert set(mails) == {"cleo@example.net", "dan@example.net", "eve@example.net"}
    for mail in mails.values():
        assert "cleo@example.net" in str(mail["To"])
        assert "dan@example.net" in str(mail["Cc"])
        assert (
            "eve@"
            not in mail.as_string()
            .replace(str(mails["eve@example.net"]["X-Envelope-To"]), "", 0)
            .split("X-Envelope-To", 1)[1]
            .split("\n", 1)[1]
        )
    assert (
        receive(eml("me too", sender="dan@example.net", in_reply_to="<first@example.net>")).reason
        == "comment"
    )
    assert (
        receive(eml("and I", sender="eve@example.net", in_reply_to="<first@example.net>")).reason
        == "hold"
    )


def test_a_mailboxes_own_text_is_filled_in_and_nothing_in_it_becomes_markup() -> None:
    MailTemplate.objects.create(
        mailbox=mailbox(),
        kind="acknowledgement",
        subject="Got it: {{subject}}",
        body="**Dear {{customer}}**, {{subject}} is [here]({{link}}), number {{number}}.",
    )
    ticket = a_ticket(
        sender="<b>Cleo</b> [x](http://evil) <cleo@example.net>", subject="<script>*hi*"
    )
    mail = last("acknowledgement")
    assert str(mail["Subject"]) == "Got it: <script>*hi*"
    html = part(mail, "html")
    assert "<script>*hi*" not in html
    assert "&lt;script&gt;*hi*" in html
    assert 'href="http://evil' not in html
    assert f"number {ticket.pk}." in part(mail, "plain")


def test_each_person_chooses_which_mail_they_get_except_what_they_need() -> None:
    ada = agent()
    actions.choose_mail(ada, muted=["assigned", "reply", "nonsense"])
    assert ada.muted == ["assigned"]
    ticket = a_ticket()
    actions.assign(ticket, ada, actor=agent("Bob"))
    assert not OutboundMail.objects.filter(kind="assigned").exists()


def test_a_note_tells_who_is_named_in_it_and_a_digest_tells_what_others_did_once() -> None:
    ada, bob, ticket = agent("Ada"), agent("Bob"), a_ticket()
    actions.note(ticket, Content(text="@bob can you look? not cleo@example.net"), actor=ada)
    assert OutboundMail.objects.get(kind="mentioned").person == bob
    watching.send_digests()
    OutboundMail.objects.filter(kind="digest").delete()
    actions.set_priority(ticket, 4, actor=ada)
    actions.assign(ticket, bob, actor=bob)
    assert watching.send_digests() == 1
    assert watching.send_digests() == 0
    mail = last("digest")
    assert "priority" in part(mail, "plain")
    assert "assigned it" not in part(mail, "plain")  # what they did themselves is no news
    assert "One-Click" in mail["List-Unsubscribe-Post"]


def test_only_mail_that_comes_by_itself_can_be_unsubscribed_from_and_one_post_does_it(
    client,
) -> None:
    bob, ticket = agent("Bob"), a_ticket()
    actions.reply(ticket, Content(text="Hi"), actor=agent())
    assert not any("List-Unsubscribe" in parsed(raw) for raw in deliver_all())
    actions.watch(ticket, bob)
    actions.set_priority(ticket, 4, actor=agent())
    watching.send_digests()
    link = str(last("digest")["List-Unsubscribe"]).strip("<>")
    path = link[link.index("/unsubscribe") :]
    client.get(path)
    bob.refresh_from_db()
    assert bob.muted == []
    assert client.post(path, {"List-Unsubscribe": "One-Click"}).status_code == 200
    bob.refresh_from_db()
    assert bob.muted == ["digest"]
    assert client.post(path[:-3] + "x/").status_code == 404


def test_an_answer_is_taken_back_while_no_mail_has_left_and_not_after(settings) -> None:
    settings.UNDO_SEND_SECONDS = 30
    ticket, ada = a_ticket(), agent()
    waited = ticket.customer_waits_since
    comment = actions.reply(ticket, Content(text="Oops"), actor=ada)
    with pytest.raises(actions.Refused):
        actions.take_back(comment, actor=agent("Bob"))
    assert actions.take_back(comment, actor=ada) == ("Oops", [])
    ticket.refresh_from_db()
    assert ticket.customer_waits_since == waited
    assert not Comment.objects.filter(text="Oops").exists()
    assert b"Oops" not in b"".join(deliver_all())
    comment = actions.reply(ticket, Content(text="Meant"), actor=ada)
    OutboundMail.objects.filter(comment=comment).update(next_attempt_at=timezone.now())
    deliver_all()
    with pytest.raises(actions.Refused, match="too late"):
        actions.take_back(comment, actor=ada)


def test_an_answer_that_was_once_tried_is_not_taken_back_though_it_waits_to_be_tried_again(
    settings,
) -> None:
    settings.UNDO_SEND_SECONDS = 30
    ticket, ada = a_ticket(cc="dan@example.net"), agent()
    comment = actions.reply(ticket, Content(text="Oops"), actor=ada)
    mails = OutboundMail.objects.filter(comment=comment)
    for tried in (mails.filter(to_address="dan@example.net"), mails):
        # The mail server may have it all the same: the connection can end after it was taken.
        tried.update(attempts=1, error="timed out")
        with pytest.raises(actions.Refused, match="too late"):
            actions.take_back(comment, actor=ada)
        assert list(mails.values_list("state", flat=True)) == ["queued", "queued"]
        assert Comment.objects.filter(pk=comment.pk, text="Oops").exists()


def test_of_three_recipients_only_the_refused_one_is_tried_again(settings) -> None:
    ticket = a_ticket(cc="dan@example.net, eve@example.net")
    deliver_all()
    actions.reply(ticket, Content(text="Hi"), actor=agent())
    with smtp_sink() as sink:
        use(settings, sink.port)
        sink.rcpt_replies.extend(["250 OK", "450 4.2.0 later", "250 OK"])
        for pk in (
            OutboundMail.objects.filter(kind="reply").order_by("pk").values_list("pk", flat=True)
        ):
            deliver(pk)
        assert sorted(
            OutboundMail.objects.filter(kind="reply").values_list("state", flat=True)
        ) == [
            "queued",
            "sent",
            "sent",
        ]
        OutboundMail.objects.filter(state="queued").update(next_attempt_at=timezone.now())
        for pk in OutboundMail.objects.filter(kind="reply").values_list("pk", flat=True):
            deliver(pk)
        assert [envelope.rcpt_tos for envelope, _ in sink.mails] == [
            ["cleo@example.net"],
            ["eve@example.net"],
            ["dan@example.net"],
        ]


def test_after_a_few_faults_nobody_dials_until_one_mail_has_tried_and_then_all_goes_out(
    settings, client
) -> None:
    use(settings, 1)
    ticket = a_ticket()
    for number in range(5):
        actions.reply(ticket, Content(text=f"answer {number}"), actor=agent())
    pks = list(
        OutboundMail.objects.filter(kind="reply").order_by("pk").values_list("pk", flat=True)
    )
    for pk in pks:
        deliver_alone(pk)
    rows = OutboundMail.objects.in_bulk(pks)
    assert [rows[pk].attempts for pk in pks] == [1, 1, 1, 0, 0]
    assert [rows[pk].reason for pk in pks][3:] == [servers.WAITS] * 2
    assert client.get("/api/health/").status_code == 503
    MailServer.objects.update(open_until=timezone.now())
    OutboundMail.objects.update(next_attempt_at=timezone.now())
    with smtp_sink() as sink:
        use(settings, sink.port)
        for pk in pks:
            deliver_alone(pk)
        assert (
            sorted(m["Subject"] for m in (parsed(raw) for _, raw in sink.mails)) == ["Re: Help"] * 5
        )
    assert client.get("/api/health/").status_code == 200


def test_a_server_that_refuses_one_mail_is_there_and_mail_that_waited_too_long_is_given_up(
    settings,
) -> None:
    ticket = a_ticket()
    deliver_all()
    actions.reply(ticket, Content(text="one"), actor=agent())
    actions.reply(ticket, Content(text="two"), actor=agent())
    first, second = OutboundMail.objects.filter(kind="reply").order_by("pk")
    MailServer.objects.create(
        name="support@example.com",
        faults=9,
        open_until=timezone.now(),
        failing_since=timezone.now(),
    )
    with smtp_sink() as sink:
        use(settings, sink.port)
        sink.rcpt_replies.append("550 5.1.1 nobody")
        deliver_alone(first.pk)
    assert MailServer.objects.get().open_until is None
    MailServer.objects.update(open_until=timezone.now() + timedelta(hours=1))
    OutboundMail.objects.filter(pk=second.pk).update(created_at=timezone.now() - timedelta(days=6))
    deliver_alone(second.pk)
    second.refresh_from_db()
    assert second.state == "failed"
    assert OutboundMail.objects.filter(kind="delivery_failed").count() == 2


BOUNCE = b"""From: MAILER-DAEMON@mx.example.net\nTo: support@example.com\nSubject: Undelivered\nMIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=B\n\n--B\n\nno\n--B
Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.net\n
Final-Recipient: rfc822; cleo@example.net\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 no such user\n
--B\nContent-Type: text/rfc822-headers\n\nMessage-ID: <%s>\n\n--B--\n"""


def test_only_a_report_to_our_signed_return_path_takes_an_address_off_and_the_answer_never_vanishes(
    client,
) -> None:
    ticket, ada = a_ticket(), agent()
    actions.reply(ticket, Content(text="one"), actor=ada)
    deliver_all()
    mail = OutboundMail.objects.get(kind="reply")
    actions.reply(ticket, Content(text="two"), actor=ada)
    forged = receive(BOUNCE % mail.message_id.encode(), mail_from="")
    # Whoever has seen the mail knows its id; its reports come to its return path.
    assert (forged.reason, forged.to_look_at) == ("unproven report", "unplaced")
    mail.refresh_from_db()
    assert mail.state == "sent"
    assert not Suppression.objects.exists()
    deliver_all()
    second = OutboundMail.objects.filter(kind="reply").order_by("-pk")[0]
    receive(BOUNCE % b"x@y", rcpt=bounce_address("support@example.com", second.pk), mail_from="")
    assert Suppression.objects.get().address == "cleo@example.net"
    assert OutboundMail.objects.filter(kind="delivery_failed", person=ada).count() == 1
    actions.reply(Ticket.objects.get(pk=ticket.pk), Content(text="three"), actor=ada)
    kept = OutboundMail.objects.filter(kind="reply").order_by("-pk")[0]
    assert (kept.state, kept.reason) == ("suppressed", SUPPRESSED)
    client.force_login(ada)
    page = client.get(f"/admin/tickets/{ticket.pk}/").content.decode()
    assert "does not go out" in page
    client.post(f"/admin/tickets/{ticket.pk}/lift/", {"address": "cleo@example.net"})
    kept.refresh_from_db()
    assert kept.state == "queued"
    assert b"three" in deliver_all()[-1]


def test_a_provider_event_reaches_the_mail_by_the_providers_id_and_its_id_threads() -> None:
    ticket = a_ticket()
    actions.reply(ticket, Content(text="one"), actor=agent())
    mail = OutboundMail.objects.get(kind="reply")
    OutboundMail.objects.filter(pk=mail.pk).update(**delivery.sent(mail, "0100-abc"))
    row = receive(eml("answer", message_id="n@x", in_reply_to="<0100-abc@email.amazonses.com>"))
    assert (row.reason, row.ticket_number) == ("comment", ticket.pk)
    from anymail.signals import AnymailTrackingEvent

    from helpdesk.outbound.provider_events import on_event

    on_event(
        None,
        AnymailTrackingEvent(event_type="bounced", reject_reason="spam", message_id="0100-abc"),
        "Test",
    )
    mail.refresh_from_db()
    assert mail.state == "bounced"
    assert not Suppression.objects.exists()
    complaint = {"eventType": "Complaint", "complaint": {"complaintFeedbackType": "abuse"}}
    on_event(
        None,
        AnymailTrackingEvent(
            event_type="complained",
            message_id="0100-abc",
            recipient=mail.to_address,
            esp_event=complaint,
        ),
        "Amazon SES",
    )
    assert Suppression.objects.get().reason == "complaint"


def test_a_providers_event_that_comes_again_does_not_undo_an_agents_lifting() -> None:
    ticket = a_ticket()
    actions.reply(ticket, Content(text="one"), actor=agent())
    deliver_all()
    mail = OutboundMail.objects.get(kind="reply")
    came_back.provider_event(mail, "bounced", "550 5.1.1", suppress="bounce")
    assert Suppression.objects.exists()
    suppression.lift(mail.to_address, actor=agent())
    mail.refresh_from_db()
    came_back.provider_event(mail, "bounced", "550 5.1.1", suppress="bounce")
    assert not Suppression.objects.exists()


def test_mail_is_signed_with_the_mailboxes_key(settings) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    Identity.objects.create(mailbox=mailbox(), dkim_selector="s1", dkim_key=pem.decode())
    ticket = a_ticket()
    actions.reply(ticket, Content(text="Grüße"), actor=agent())
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    import base64

    with smtp_sink() as sink:
        use(settings, sink.port)
        deliver(OutboundMail.objects.get(kind="reply").pk)
        raw = sink.mails[0][1]
    record = b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)
    assert dkim.verify(raw, dnsfunc=lambda name, timeout=5: record)
    assert not dkim.verify(
        raw.replace(b"Re: Help", b"Re: Hell"), dnsfunc=lambda name, timeout=5: record
    )


def test_what_is_secret_in_the_settings_of_a_mailbox_is_encrypted_and_never_shown(client) -> None:
    from django.db import connection

    found = Identity.objects.create(
        mailbox=mailbox(), email_url="smtp://u:s3cret-word@mx.example.com"
    )
    with connection.cursor() as cursor:
        cursor.execute("select email_url from helpdesk_identity")
        assert "s3cret" not in cursor.fetchone()[0]

    client.force_login(Person.objects.create_superuser("root@example.com", "x"))
    url = f"/admin/inbound/mailbox/{found.mailbox_id}/change/"
    page = client.get(url)
    assert page.status_code == 200
    assert "s3cret" not in page.content.decode()
    form = {
        "address": "support@example.com",
        "name": "X",
        "is_active": "on",
        "on_closed": "reopen",
        "sender_policy": "hold",
        "plus_addressing": "on",
        "spam_header": "",
        "send_acknowledgement": "on",
        "identity-TOTAL_FORMS": "1",
        "identity-INITIAL_FORMS": "1",
        "imap_accounts-TOTAL_FORMS": "0",
        "imap_accounts-INITIAL_FORMS": "0",
        "identity-0-id": str(found.pk),
        "identity-0-mailbox": str(found.mailbox_id),
        "identity-0-signature": "Bye",
        "identity-0-email_url": "",
        "identity-0-dkim_key": "",
    }
    assert client.post(url, form).status_code == 302, client.post(url, form).content.decode()[:2000]
    found.refresh_from_db()
    assert found.signature == "Bye"
    assert found.email_url == "smtp://u:s3cret-word@mx.example.com"
    team = Team.objects.create(name="First line")
    client.post(url, {**form, "teams": str(team.pk)})
    assert list(found.mailbox.teams.all()) == [team]
    assert re.search(
        rf'name="teams" value="{team.pk}"[^>]* checked', client.get(url).content.decode()
    )


def test_a_secret_that_no_key_opens_stops_neither_mail_nor_page_and_is_kept(
    client, settings
) -> None:
    keys = settings.FERNET_KEYS
    found = Identity.objects.create(
        mailbox=mailbox(), email_url="smtp://u:s3cret-word@mx.example.com"
    )
    settings.FERNET_KEYS = ["k" * 40]
    receive(eml("Help"))
    mail = OutboundMail.objects.get()
    deliver(mail.pk)
    mail.refresh_from_db()
    assert (mail.state, mail.attempts) == ("queued", 1)
    assert "FERNET_KEYS" in mail.error

    client.force_login(Person.objects.create_superuser("root@example.com", "x"))
    url = f"/admin/inbound/mailbox/{found.mailbox_id}/change/"
    assert client.get(url).status_code == 200
    form = {
        "address": "support@example.com",
        "name": "X",
        "is_active": "on",
        "on_closed": "reopen",
        "sender_policy": "hold",
        "identity-TOTAL_FORMS": "1",
        "identity-INITIAL_FORMS": "1",
        "identity-0-id": str(found.pk),
        "identity-0-mailbox": str(found.mailbox_id),
        "imap_accounts-TOTAL_FORMS": "0",
        "imap_accounts-INITIAL_FORMS": "0",
    }
    assert "enter it again" in client.post(url, form).content.decode()
    Identity.objects.get(pk=found.pk).save()
    with pytest.raises(ValidationError, match="enter it again"):
        AlertChannel(name="Chat", url=Identity.objects.get(pk=found.pk).email_url).clean()
    settings.FERNET_KEYS = keys
    assert Identity.objects.get(pk=found.pk).email_url == "smtp://u:s3cret-word@mx.example.com"


def test_resolving_tells_the_customer_unless_the_answer_did(client) -> None:
    ticket, ada = a_ticket(), agent()
    client.force_login(ada)
    client.post(
        f"/admin/tickets/{ticket.pk}/reply/", {"body": "done", "kind": "reply", "then": "resolved"}
    )
    ticket.refresh_from_db()
    assert ticket.status == "resolved"
    assert not OutboundMail.objects.filter(kind="status_changed").exists()
    actions.set_status(ticket, "assigned", actor=ada)
    actions.set_status(ticket, "resolved", actor=ada)
    assert OutboundMail.objects.filter(kind="status_changed").count() == 1


def test_old_rows_and_delays_are_shown_in_words(client) -> None:
    ticket, ada = a_ticket(), agent()
    actions.reply(ticket, Content(text="x"), actor=ada)
    OutboundMail.objects.filter(kind="reply").update(
        error="421 busy", next_attempt_at=timezone.now() + timedelta(minutes=5), attempts=2
    )
    client.force_login(ada)
    page = client.get(f"/admin/tickets/{ticket.pk}/").content.decode()
    assert "delayed" in page
    assert "421 busy" in page
