"""A mail server that refuses us: nothing fails for it, health says so, and all of it goes out once it
works."""

import base64
from datetime import timedelta

import pytest
from django.utils import timezone

from helpdesk.models import MailServer, OutboundMail, Person
from helpdesk.outbound import servers, to_smtp
from helpdesk.outbound.whose_fault import Whose
from inbound.models import Mailbox
from tasks import outbound, sending
from tests.support.mail import agent, deliver_alone, eml, receive
from tests.support.services import DROP, SmtpSink, smtp_sink

pytestmark = pytest.mark.django_db
DENIED = "554 5.7.1 <x@y.z>: Relay access denied"
SPAM = "554 5.7.1 Message content rejected"


def mails(number: int) -> list[OutboundMail]:
    receive(eml("x", message_id="first@example.net"))
    OutboundMail.objects.all().delete()
    box = Mailbox.objects.get()
    return [
        OutboundMail.objects.create(
            kind="reply",
            mailbox=box,
            to_address=f"c{n}@example.net",
            subject="x",
            text="x",
            message_id=f"m{n}@example.com",
            is_automatic=False,
        )
        for n in range(number)
    ]


def use(settings, sink: SmtpSink) -> None:
    settings.EMAIL_BACKEND = "helpdesk.outbound.to_smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", sink.port, 5


def deliver_all() -> None:
    for mail in OutboundMail.objects.filter(
        state="queued", next_attempt_at__lte=timezone.now()
    ).order_by("pk"):
        outbound.deliver(mail.pk)


def an_hour_passes() -> None:
    OutboundMail.objects.filter(state="queued").update(next_attempt_at=timezone.now())
    MailServer.objects.filter(open_until__isnull=False).update(open_until=timezone.now())


def health(client) -> tuple[int, dict[str, object]]:
    client.force_login(
        Person.objects.filter(role="admin").first()
        or Person.objects.create_superuser("r@example.com")
    )
    answer = client.get("/api/health/")
    return answer.status_code, answer.json()


def test_a_relay_that_denies_everybody_holds_everything_up_and_loses_nothing(
    settings, client
) -> None:
    waiting = mails(20)
    with smtp_sink() as sink:
        use(settings, sink)
        sink.rcpt_replies.extend([DENIED] * 100)
        for _ in range(10):
            deliver_all()
            an_hour_passes()
        asked = 100 - len(sink.rcpt_replies)
        assert asked <= 3 + 10  # the circuit is open: one asks for all of them
        assert set(OutboundMail.objects.values_list("state", flat=True)) == {"queued"}
        status, said = health(client)
        assert (status, "mail_servers_failing" in said["problems"]) == (503, True)  # type: ignore[operator]
        assert "Relay access denied" in str(said["mail_servers_failing"])
        sink.rcpt_replies.clear()
        OutboundMail.objects.filter(pk=waiting[0].pk).update(next_attempt_at=timezone.now())
        deliver_all()
        deliver_all()
        assert sorted(mail[0].rcpt_tos[0] for mail in sink.mails) == sorted(
            mail.to_address for mail in waiting
        )
    assert set(OutboundMail.objects.values_list("state", flat=True)) == {"sent"}
    assert health(client)[1]["mail_servers_failing"] == []


def test_a_single_answer_that_is_denied_shows_in_health_after_a_minute(settings, client) -> None:
    (mail,) = mails(1)
    with smtp_sink() as sink:
        use(settings, sink)
        sink.rcpt_replies.extend([DENIED] * 10)
        deliver_all()
        an_hour_passes()
        deliver_all()
    assert MailServer.objects.get().refused == [mail.pk]  # the same mail again says nothing more
    assert health(client)[0] == 200
    MailServer.objects.update(failing_since=timezone.now() - timedelta(minutes=2))
    status, said = health(client)
    assert (status, said["mail_servers_failing"]) == (503, [f"support@example.com: {DENIED}"])
    assert (
        client.get("/admin/helpdesk/outboundmail/").content.decode().count("Relay access denied")
        == 1
    )
    OutboundMail.objects.filter(pk=mail.pk).update(state="cancelled")
    assert health(client)[0] == 200  # nobody waits for it


def test_one_mail_that_is_refused_for_its_content_stops_no_other_and_is_given_up_after_a_day(
    settings,
) -> None:
    spam, *others = mails(12)
    with smtp_sink() as sink:
        use(settings, sink)
        for other in others:
            sink.replies.append(SPAM)
            deliver_alone(spam.pk)
            deliver_alone(other.pk)
            an_hour_passes()
        assert len(sink.mails) == len(others)
        assert not MailServer.objects.filter(open_until__isnull=False).exists()
        spam.refresh_from_db()
        assert (
            spam.state == "queued"
        )  # not yet: a server that limits us takes some and refuses others, for a while
        OutboundMail.objects.update(due_at=timezone.now() - timedelta(days=1, seconds=1))
        sink.replies.append(SPAM)
        deliver_alone(spam.pk)
    spam.refresh_from_db()
    assert (spam.state, spam.reason) == ("failed", Whose.POLICY.value)
    assert "content rejected" in spam.error


BLANKET = [
    "550 Your IP 192.0.2.1 is listed",
    "550 Nachricht abgelehnt",
    "550 Acceso denegado",
    "554 zu viel Spam?",
]


@pytest.mark.parametrize("said", BLANKET)
@pytest.mark.parametrize("stage", ["rcpt_replies", "replies"])
def test_a_server_that_refuses_everybody_in_words_that_nobody_knows_fails_no_mail(
    settings, said: str, stage: str
) -> None:
    mails(8)
    with smtp_sink() as sink:
        use(settings, sink)
        getattr(sink, stage).extend([said] * 100)
        for _ in range(12):
            deliver_all()
            an_hour_passes()
        assert set(OutboundMail.objects.values_list("state", flat=True)) == {"queued"}
        assert len(servers.failing()) == 1
        getattr(sink, stage).clear()
        for _ in range(2):
            deliver_all()
            an_hour_passes()
    assert set(OutboundMail.objects.values_list("state", flat=True)) == {"sent"}


def test_one_that_is_refused_unclearly_while_others_are_taken_fails_soon(settings) -> None:
    odd, *others = mails(4)
    with smtp_sink() as sink:
        use(settings, sink)
        for other in others:
            sink.rcpt_replies.append("550 Nachricht abgelehnt")
            deliver_alone(odd.pk)
            deliver_alone(other.pk)
            an_hour_passes()
    odd.refresh_from_db()
    assert (odd.state, odd.reason, len(sink.mails)) == ("failed", Whose.UNCLEAR.value, 3)


def test_a_relay_that_takes_a_few_each_hour_gets_all_in_the_end(settings) -> None:
    waiting = mails(30)
    limit = "550 5.7.1 Hourly sending limit exceeded"
    with smtp_sink() as sink:
        use(settings, sink)
        for _ in range(12):
            sink.rcpt_replies.clear()
            sink.rcpt_replies.extend(["250 OK"] * 5 + [limit] * 200)
            for _ in range(6):
                deliver_all()
            an_hour_passes()
    assert set(OutboundMail.objects.values_list("state", flat=True)) == {"sent"}
    assert len(sink.mails) == len(waiting)


def test_a_mailbox_that_the_server_refuses_starves_no_other(settings) -> None:
    refused, taken = mails(6), []
    other = Mailbox.objects.create(address="sales@example.com")
    for n in range(3):
        taken.append(
            OutboundMail.objects.create(
                kind="reply",
                mailbox=other,
                to_address=f"s{n}@example.net",
                subject="x",
                text="x",
                message_id=f"s{n}@example.com",
                is_automatic=False,
            )
        )
    with smtp_sink() as sink:
        use(settings, sink)
        sink.rcpt_replies.extend(
            ["550 5.7.1 Client does not have permissions to send as this sender"] * 3
        )
        deliver_all()
        assert [mail[0].rcpt_tos[0] for mail in sink.mails] == [mail.to_address for mail in taken]
    assert (
        OutboundMail.objects.filter(pk__in=[mail.pk for mail in refused], state="queued").count()
        == 6
    )


def test_two_that_are_refused_again_and_again_do_not_open_the_circuit(settings) -> None:
    one, two = mails(2)
    with smtp_sink() as sink:
        use(settings, sink)
        sink.rcpt_replies.extend([DENIED] * 10)
        for mail in (one, two, one, two, one):
            deliver_alone(mail.pk)
            an_hour_passes()
    assert MailServer.objects.get().open_until is None


@pytest.mark.parametrize("said", ["251 ok queued", "200 ok", "252 taken"])
def test_a_yes_is_a_yes_whatever_its_last_digits(settings, said: str) -> None:
    (mail,) = mails(1)
    with smtp_sink() as sink:
        use(settings, sink)
        sink.replies.append(said)
        deliver_alone(mail.pk)
        assert len(sink.mails) == 1
    mail.refresh_from_db()
    assert mail.state == "sent"


def test_what_may_have_been_taken_is_not_tried_again_at_once(settings) -> None:
    (mail,) = mails(1)
    with smtp_sink() as sink:
        use(settings, sink)
        sink.replies.append(DROP)
        deliver_alone(mail.pk)
        assert len(sink.mails) == 1
    mail.refresh_from_db()
    assert mail.state == "queued"
    assert mail.next_attempt_at - timezone.now() > timedelta(minutes=4)


def test_a_password_of_any_letters_signs_in() -> None:
    said: list[str] = []
    client = to_smtp._SMTP()
    client.docmd = lambda command, words="": said.append(f"{command} {words}") or (235, b"ok")  # type: ignore[method-assign,assignment,func-returns-value]
    client.user, client.password = "jörg", "pässwörd"
    assert client.auth("PLAIN", client.auth_plain) == (235, b"ok")
    assert base64.b64decode(said[0].rpartition(" ")[2]) == "\0jörg\0pässwörd".encode()


def test_what_is_refused_while_nothing_gets_through_waits_on_for_days(settings) -> None:
    (mail,) = mails(1)
    with smtp_sink() as sink:
        use(settings, sink)
        sink.replies.extend([SPAM] * 100)
        OutboundMail.objects.update(due_at=timezone.now() - timedelta(days=1))
        for _ in range(30):
            deliver_alone(mail.pk)
            an_hour_passes()
    mail.refresh_from_db()
    assert mail.state == "queued"


def test_a_full_mailbox_is_nobodys_alarm_but_a_server_that_puts_everybody_off_is(
    settings, client
) -> None:
    *_, later = mails(4)
    OutboundMail.objects.filter(pk=later.pk).update(state="cancelled")
    with smtp_sink() as sink:
        use(settings, sink)
        sink.rcpt_replies.extend(["452 4.2.2 mailbox full"] * 3)
        deliver_all()
    first = OutboundMail.objects.order_by("pk").first()
    assert first is not None
    assert first.reason == Whose.PASSES.value
    OutboundMail.objects.exclude(pk=first.pk).update(due_at=timezone.now())
    OutboundMail.objects.filter(pk=first.pk).update(due_at=timezone.now() - timedelta(hours=1))
    assert health(client)[0] == 200
    OutboundMail.objects.update(due_at=timezone.now() - timedelta(hours=1))
    status, said = health(client)
    assert (
        status,
        "3 mails put off: 452 4.2.2 mailbox full" in str(said["mail_servers_failing"]),
    ) == (503, True)
    OutboundMail.objects.filter(pk=later.pk).update(state="sent")
    assert health(client)[0] == 200


def test_an_admin_reads_on_the_ticket_list_why_mail_does_not_go_out_and_an_agent_does_not(
    client,
) -> None:
    mails(1)
    OutboundMail.objects.update(reason=servers.WAITS)
    MailServer.objects.create(
        name="support@example.com", faults=3, open_until=timezone.now(), error=DENIED
    )
    for person, sees in (
        (Person.objects.create_superuser("r@example.com"), True),
        (agent(), False),
    ):
        client.force_login(person)
        page = client.get("/admin/tickets/").content.decode()
        assert ("does not go out" in page and "Relay access denied" in page) is sees


def test_the_agent_sees_that_an_answer_is_delayed_while_nobody_dials(client) -> None:
    (mail,) = mails(1)
    assert not mail.is_delayed
    OutboundMail.objects.update(reason=servers.WAITS)
    mail.refresh_from_db()
    assert mail.is_delayed


def test_health_counts_from_when_a_mail_was_first_due(client) -> None:
    mails(1)
    long_ago, soon = timezone.now() - timedelta(minutes=10), timezone.now() + timedelta(minutes=3)
    OutboundMail.objects.update(
        due_at=long_ago, next_attempt_at=soon, held_by="somebody", attempts=1
    )
    status, said = health(client)
    assert status == 503
    assert float(str(said["oldest_outbound_seconds"])) > 500


@pytest.mark.parametrize(
    ("backend", "anymail"),
    [
        ("anymail.backends.postmark.EmailBackend", {}),
        (
            "anymail.backends.amazon_ses.EmailBackend",
            {"AMAZON_SES_CLIENT_PARAMS": {"region_name": "a b"}},
        ),
        ("anymail.backends.amazon_ses.EmailBackend", {"AMAZON_SES_CLIENT_PARAMS": "text"}),
        ("no.such.Backend", {}),
    ],
)
def test_a_way_out_that_cannot_be_built_fails_no_mail(
    settings, backend: str, anymail: dict[str, object]
) -> None:
    (mail,) = mails(1)
    settings.EMAIL_BACKEND, settings.ANYMAIL = backend, anymail
    for _ in range(sending.MAX_ERRORS + 3):
        deliver_alone(mail.pk)
        an_hour_passes()
    mail.refresh_from_db()
    assert (mail.state, mail.reason) == ("queued", Whose.SERVER.value)
    assert [server.name for server in servers.failing()] == ["support@example.com"]


def test_a_fault_of_one_way_out_gives_nothing_back_that_waits_for_another(settings) -> None:
    mails(1)
    OutboundMail.objects.update(
        reason=servers.WAITS, next_attempt_at=timezone.now() + timedelta(hours=1)
    )
    MailServer.objects.create(name="sales@example.com", faults=3, open_until=timezone.now())
    servers.works("sales@example.com")
    assert OutboundMail.objects.get().reason == servers.WAITS
    MailServer.objects.create(name="support@example.com", faults=3, open_until=timezone.now())
    OutboundMail.objects.update(held_by="somebody")
    servers.works("support@example.com")
    assert OutboundMail.objects.get().reason == servers.WAITS  # it is being sent just now
    OutboundMail.objects.update(held_by="")
    MailServer.objects.filter(name="support@example.com").update(
        faults=3, open_until=timezone.now()
    )
    servers.works("support@example.com")
    assert (OutboundMail.objects.get().reason, MailServer.objects.filter(faults__gt=0).count()) == (
        "",
        0,
    )
