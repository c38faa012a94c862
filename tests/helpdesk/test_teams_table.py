"""Everything that shows or sends a ticket's words, from the side of an agent of another team, where
teams are apart: every page and path, every task, every kind of mail. What is not in a table here
fails until somebody has thought of it."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.cache import cache
from django.db import transaction
from django.test import Client
from django.urls import get_resolver
from django.urls.resolvers import URLPattern
from django.utils import timezone

from helpdesk import access, actions
from helpdesk.actions import Content, watching
from helpdesk.celery import app
from helpdesk.models import (
    Alert,
    AlertChannel,
    Attachment,
    Comment,
    Event,
    OutboundMail,
    Person,
    Team,
    Ticket,
    Watcher,
)
from helpdesk.models.mail_kinds import KINDS, To
from helpdesk.outbound import notify
from inbound.models import ImapAccount, InboundMail
from tests.support.api import Api
from tests.support.mail import agent, arrive, deliver_all, eml, mailbox, receive, ticket_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_counts_yet")]

HIDDEN = re.compile(rb"Hush")  # in every word of the ticket
TICKET = b"""From: Cleo <cleo@example.net>
To: support@example.com
Subject: Hush, it smokes
Message-ID: <first@example.net>
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: text/html

<p>Hush, the printer</p>
--o
Content-Type: text/plain
Content-Disposition: attachment; filename=hush.txt

Hush, a file
--o--
"""

# What an agent of another team gets, by method; "404" is what there is for every method that the
# path has. Where an answer is no refusal, none of the ticket's words are in it, and what it does
# changes nothing of the ticket.
PAGES = {
    "/": "302",
    "/portal/": "302",
    "/portal/sign-in/": "302",
    "/portal/sign-in/code/": "302",
    "/portal/sign-in/pin/": "200",
    "/portal/registration/<str:token>/": "200",
    "/portal/pin/<str:token>/": "404",
    "/portal/sign-out/": "302",
    "/portal/password/<uidb64>/<token>/": "200",
    "/portal/new/": "302",
    "/portal/thanks/": "200",
    "/portal/me/address/": "302",
    "/portal/me/": "302",
    "/portal/tickets/<key:pk>/": "302",
    "/portal/tickets/<key:pk>/reply/": "302",
    "/portal/tickets/<key:pk>/rate/": "302",
    "/portal/tickets/<key:pk>/confirm/": "302",
    "/portal/tickets/<key:pk>/withdraw/": "302",
    "/portal/tickets/<key:pk>/links/": "302",
    "/portal/files/<key:pk>/": "302",
    "/portal/comments/<key:pk>/": "302",
    "/portal/link/<str:token>/": "404",
    "/portal/link/<str:token>/confirm/": "404",
    "/pictures/<str:token>/": "404",
    "/portal/link/<str:token>/files/<key:pk>/": "404",
    "/portal/link/<str:token>/comments/<key:pk>/": "404",
    "/admin/search/": "200",
    "/admin/tickets/": "200",
    "/admin/tickets/next/": "302",
    "/admin/tickets/bulk/": "302",
    "/admin/tickets/<key:pk>/": "404",
    "/admin/tickets/<key:pk>/reply/": "404",
    "/admin/tickets/<key:pk>/change/": "404",
    "/admin/tickets/<key:pk>/people/": "404",
    "/admin/tickets/<key:pk>/spam/": "404",
    "/admin/tickets/<key:pk>/watch/": "404",
    "/admin/tickets/<key:pk>/lift/": "404",
    "/admin/tickets/<key:pk>/links/": "404",
    "/admin/tickets/<key:pk>/pin/": "404",
    "/admin/comments/<key:pk>/take-back/": "404",
    "/admin/password-reset/": "GET 200 POST 302",
    "/admin/password-reset/sent/": "200",
    "/admin/password-reset/<uidb64>/<token>/": "200",
    "/admin/me/": "GET 200 POST 302",
    "/admin/mail-texts/<key:pk>/preview/": "403",
    "/admin/comments/<key:pk>/decide/": "404",
    "/admin/comments/<key:pk>/html/": "404",
    "/admin/attachments/<key:pk>/": "404",
    "/admin/mail/<key:pk>/": "404",
    "/admin/mail/<key:pk>/source/": "404",
    "/admin/mail/<key:pk>/again/": "404",
    "/admin/to-look-at/": "200",
    "/admin/to-look-at/decide/": "302",
    "/admin/tickets/<key:pk>/asked/": "404",
    "/admin/ledger/": "200",
    "/admin/sent-mail/": "403",
    "/admin/sent-mail/<str:name>/": "403",
    "/admin/": "302",
    "/admin/login/": "GET 302 POST 200",
    "/admin/logout/": "200",
    "/admin/password_change/": "200",
    "/admin/password_change/done/": "200",
    "/admin/autocomplete/": "403",
    "/admin/jsi18n/": "200",
    "/admin/r/<path:content_type_id>/<path:object_id>/": "302",
    "/admin/inbound/inboundmail/": "302",
    "/admin/inbound/inboundmail/add/": "403",
    "/admin/inbound/inboundmail/<path:object_id>/history/": "302",
    "/admin/inbound/inboundmail/<path:object_id>/delete/": "403",
    "/admin/inbound/inboundmail/<path:object_id>/change/": "GET 302 POST 403",
    "/admin/inbound/inboundmail/<path:object_id>/": "302",
    "/admin/^(?P<app_label>axes|helpdesk|inbound)/$": "404",
    "/admin/(?P<url>.*)$": "404",
    "/unsubscribe/<str:token>/": "404",
    "/api/send_otp/": "200",
    "/api/verify_otp/": "400",
    "/auth/users/": "400",
    "/auth/users/me/": "200",
    "/auth/users/reset_password/": "204",
    "/auth/users/reset_password_confirm/": "400",
    "/auth/users/set_password/": "400",
    "/auth/jwt/create/": "400",
    "/auth/jwt/refresh/": "400",
    "/auth/jwt/verify/": "400",
    "/auth/jwt/logout/": "400",
    "/signup/": "400",
    "/login/": "GET 200 POST 400",
    "/logout/": "400",
    "/api/users/login/": "400",
    "/api/token/refresh/": "400",
    "/api/tickets/": "GET 200 POST 201",
    "/api/tickets/bulk/": "200",
    "/api/tickets/<key:pk>/": "404",
    "/api/tickets/<key:pk>/comments/": "404",
    "/api/tickets/<key:pk>/comments/<key:comment>/": "404",
    "/api/tickets/<key:pk>/attachments/": "GET 404 POST 400",
    "/api/attachments/<key:pk>/": "404",
    "/media/tickets/<str:folder>/<str:name>/": "404",
    "/api/agent/tickets/": "GET 200 POST 404",
    "/api/agent/tickets/claim/": "404",
    "/add/": "201",
    "/update_status/<key:pk>/": "404",
    "/delete/<key:pk>/": "403",
    "/tickets/": "200",
    "/profiles/<key:profile_id>/tickets/": "GET 200 POST 201",
    "/tickets/<key:pk>/": "404",
    "/tickets/<key:pk>/messages/": "404",
    "/tickets/<key:pk>/messages/<key:message_id>/": "404",
    "/api/_meta/": "200",
    "/api/ledger/": "200",
    "/api/health/": "200",
    "/api/schema/": "200",
    "/api/docs/": "200",
    "/.well-known/hackathon.json": "200",
}
# Configuration, of which every page is an admin's: 403, or to the start where nothing has that
# number.
ADMINS = [
    "/admin/axes/accessattempt/",
    "/admin/axes/accessfailurelog/",
    "/admin/axes/accesslog/",
    "/admin/helpdesk/blockedsender/",
    "/admin/helpdesk/businesscalendar/",
    "/admin/helpdesk/category/",
    "/admin/helpdesk/mailtemplate/",
    "/admin/helpdesk/outboundmail/",
    "/admin/helpdesk/person/",
    "/admin/helpdesk/slapolicy/",
    "/admin/helpdesk/supportpin/",
    "/admin/helpdesk/suppression/",
    "/admin/helpdesk/team/",
    "/admin/helpdesk/trustedway/",
    "/admin/inbound/imapaccount/",
    "/admin/inbound/mailbox/",
]


@pytest.fixture(autouse=True)
def _teams_apart(settings) -> None:
    settings.AGENTS_SEE = "teams"


@pytest.fixture
def bob() -> Person:
    """Of sales."""
    bob = agent("Bob")
    Team.objects.create(name="Sales").members.add(bob)
    return bob


@pytest.fixture
def world(bob: Person) -> dict[str, int | str]:
    """A ticket of support with words in every place, a mail that lies in support's "To look at",
    and what they are called in addresses."""
    ada, root = agent("Ada"), Person.objects.create_superuser("root@example.com", "x", name="Root")
    support = Team.objects.create(name="Support", lead=ada)
    support.members.add(ada), support.mailboxes.add(mailbox())
    ticket = ticket_of(receive(TICKET))
    actions.set_tags(ticket, ["Hush"], actor=ada)
    actions.note(ticket, Content(text="Hush, a note"), actor=ada)
    actions.reply(ticket, Content(text="Hush, an answer"), actor=ada)
    receive(
        eml(
            "Hush, held",
            sender="eve@example.org",
            in_reply_to="<first@example.net>",
            message_id="held@x",
        )
    )
    actions.assign(ticket, None, actor=root)
    spam = receive(eml("Hush", subject="Hush", message_id="spam@x", x_spam_flag="YES"))
    InboundMail.objects.filter(pk=spam.pk).update(to_look_at=InboundMail.Look.UNPLACED)
    imap = ImapAccount.objects.create(
        mailbox=mailbox(), host="127.0.0.1", port=9, username="x", secret="x"
    )
    first = ticket.comments.order_by("pk")[0]
    file = first.attachments.get()
    return {
        "ticket": ticket.pk,
        "comment": first.pk,
        "file": file.pk,
        "name": file.file.name.rpartition("/")[2],
        "folder": file.file.name.split("/")[1],
        "mail": first.mail_id or 0,
        "lying": spam.pk,
        "customer": ticket.requester_id,
        "imap": imap.pk,
        "kind": ContentType.objects.get_for_model(Ticket).pk,
    }


def routes() -> Iterator[str]:
    """Every path there is."""

    def walk(patterns: Any, before: str) -> Iterator[str]:
        for pattern in patterns:
            if isinstance(pattern, URLPattern):
                yield before + str(pattern.pattern)
            else:
                yield from walk(pattern.url_patterns, before + str(pattern.pattern))

    return walk(get_resolver().url_patterns, "/")


def filled(route: str, world: dict[str, int | str]) -> str:
    """The path with what the ticket's parts are called."""
    route = re.sub(r"\^\(\?P<app_label>.*\)/\$", "helpdesk/", route).replace(
        "(?P<url>.*)$", "nowhere/"
    )
    what = "ticket"
    for word, name in (
        ("comments/<key:pk>", "comment"),
        ("files/", "file"),
        ("attachments/<key:pk>", "file"),
        ("/mail/", "mail"),
        ("inboundmail", "mail"),
        ("mail-texts", "ticket"),
        ("imapaccount", "imap"),
    ):
        what = name if word in route else what
    route = re.sub(r"<key:(comment|message_id)>", str(world["comment"]), route)
    route = route.replace("<key:profile_id>", str(world["customer"]))
    for name in ("name", "folder"):
        route = route.replace(f"<str:{name}>", str(world[name]))
    route = route.replace("<path:content_type_id>", str(world["kind"]))
    return re.sub(
        r"<(key:pk|path:object_id|id)>",
        str(world[what]),
        re.sub(r"<(str:token|uidb64|token)>", "x", route),
    )


def given(route: str, world: dict[str, int | str]) -> dict[str, Any]:
    """Something for every form: whatever it is about, it would change or show the ticket."""
    return {
        "body": "x",
        "kind": "note",
        "ticket": [world["ticket"]],
        "ids": [world["ticket"]],
        "ticket_id": world["ticket"],
        "mail": [world["mail"], world["lying"]],
        "do": "ticket",
        "decision": "admit",
        "status": "closed",
        "title": "x",
        "description": "x",
        "name": "x",
        "email": "x@example.org",
        "add": "x@example.org",
        "group": "unplaced",
        "newest": 10**6,
        "_selected_action": [world["mail"], world["lying"]],
        "action": "run_again",
        "assigned_to": None,
        "message": "x",
        "priority": "low",
    }


def state() -> list[Any]:
    return [
        list(Ticket.objects.filter(subject__startswith="Hush").values()),
        Comment.objects.filter(ticket__subject__startswith="Hush").count(),
        list(
            InboundMail.objects.filter(from_address="cleo@example.net").values(
                "state", "looked_at", "attempts"
            )
        ),
    ]


def asked(route: str, world: dict[str, int | str], bob: Person) -> tuple[str, list[str]]:
    """What Bob gets, by method, and what is wrong with it."""
    url, got, wrong = filled(route, world), {}, []
    before = state()
    is_page = route.startswith(("/admin/", "/portal/", "/unsubscribe/"))
    for method in ("GET", "POST") if is_page else ("GET", "POST", "PUT", "PATCH", "DELETE"):
        cache.clear()
        body = given(route, world)
        with transaction.atomic():
            if is_page:
                client = Client(raise_request_exception=False)
                client.force_login(bob, backend="helpdesk.auth.EmailBackend")
                form = {name: value for name, value in body.items() if value is not None}
                if method == "GET":
                    answer = client.get(url, {"q": "smokes", "s": "smokes", "extended": "1"})
                else:
                    answer = client.post(url, form)
            else:
                client = None
                answer = Api(bob)(method, url, None if method == "GET" else body)
            content = b"".join(answer.streaming_content) if answer.streaming else answer.content
            if (
                answer.status_code == 302
                and client is not None
                and answer.url.startswith("/admin/")
            ):
                content += client.get(answer.url).content  # with the messages that it leaves
            after = state()
            transaction.set_rollback(True)
        if answer.status_code != 405:
            got[method] = str(answer.status_code)
        if HIDDEN.search(content):
            wrong.append(f"{method} {route} shows it")
        if after != before:
            wrong.append(f"{method} {route} changes it")
    if len(set(got.values())) == 1:
        return next(iter(got.values())), wrong
    return " ".join(f"{method} {status}" for method, status in got.items()), wrong


def test_every_page_and_path_gives_an_agent_of_another_team_what_is_in_the_table(
    world, bob
) -> None:
    wrong = []
    OutboundMail.objects.update(
        next_attempt_at=timezone.now() + timedelta(hours=1)
    )  # or health finds that it waits
    for route in routes():
        found, more = asked(route, world, bob)
        wrong += more
        if any(route.startswith(model) for model in ADMINS):
            leads_away = route.endswith(
                ("_id>/", "/history/")
            )  # to the page of that number, or to the start
            if found != "403" and not (leads_away and found == "302"):
                wrong.append(f"{route}: {found}, and it is an admin's")
        elif found != PAGES.get(route):
            wrong.append(f"{route}: {found}, not {PAGES.get(route)}")
    assert wrong == []


def test_the_table_has_no_page_that_there_is_not() -> None:
    there = set(routes())
    assert set(PAGES) - there == set()
    assert [model for model in ADMINS if not any(route.startswith(model) for route in there)] == []


def test_what_the_table_asks_is_there_for_an_agent_of_the_team(world) -> None:
    """Or it would prove nothing: 404 is what a wrong address gets, too."""
    ada = Person.objects.get(email="ada@example.com")
    for route in (
        "/admin/tickets/",
        "/admin/mail/<key:pk>/",
        "/admin/to-look-at/",
        "/api/tickets/<key:pk>/",
        "/api/attachments/<key:pk>/",
        "/media/tickets/<str:folder>/<str:name>/",
        "/admin/inbound/inboundmail/",
        "/admin/comments/<key:pk>/html/",
        "/admin/search/",
        "/tickets/<key:pk>/messages/",
    ):
        _, wrong = asked(route, world, ada)
        assert f"GET {route} shows it" in wrong
    for route in ("reply/", "change/", "people/", "spam/"):
        _, wrong = asked(f"/admin/tickets/<key:pk>/{route}", world, ada)
        assert f"POST /admin/tickets/<key:pk>/{route} changes it" in wrong or route == "people/"


# --- Tasks

# What runs while Bob, who saw the ticket until a moment ago, waits for mail of it; None for what
# sends and shows nothing.
TASKS: dict[str, Callable[[Any], object] | None] = {
    "tasks.outbound.deliver": lambda task: [
        task(pk) for pk in OutboundMail.objects.values_list("pk", flat=True)
    ],
    "tasks.codes.deliver": lambda task: [
        task(pk) for pk in OutboundMail.objects.values_list("pk", flat=True)
    ],
    "tasks.alerts.deliver": lambda task: [
        task(pk) for pk in Alert.objects.values_list("pk", flat=True)
    ],
    "tasks.scanning.scan": lambda task: [
        task(pk) for pk in Attachment.objects.values_list("pk", flat=True)
    ],
    "tasks.housekeeping.digests": lambda task: task(),
    "tasks.sla.sweep": lambda task: task(),
    "tasks.sla.route": lambda task: task(Ticket.objects.get(subject__startswith="Hush").pk),
    "tasks.sla.route_waiting": lambda task: task(),
    **{
        f"tasks.inbound.{name}": lambda task: [task(pk) for pk in waiting_mail()]
        for name in ("process", "process_large", "process_slow")
    },
    **dict.fromkeys(
        [
            "tasks.outbound.sweep",
            "tasks.codes.sweep",
            "tasks.alerts.sweep",
            "tasks.inbound.sweep",
            "tasks.scanning.sweep",
        ]
    ),  # they ring
    **dict.fromkeys(
        [
            "tasks.housekeeping.clean_up",
            "tasks.housekeeping.compress",
            "tasks.housekeeping.heartbeat",
        ]
    ),
}


def waiting_mail() -> list[int]:
    """A customer's answer, and somebody's that is to be held."""
    return [
        arrive(
            eml(
                "Hush, more",
                sender=sender,
                in_reply_to="<first@example.net>",
                message_id=f"{sender}-2",
            )
        ).pk
        for sender in ("cleo@example.net", "mallory@example.org")
    ]


def tasks() -> dict[str, Any]:
    app.loader.import_default_modules()
    return {name: task for name, task in app.tasks.items() if not name.startswith("celery.")}


def test_every_task_is_in_the_table_and_no_other() -> None:
    assert set(tasks()) ^ set(TASKS) == set()


@pytest.mark.parametrize("name", sorted(name for name, run in TASKS.items() if run))
def test_no_task_sends_anything_of_it_to_who_has_lost_sight_of_it(
    world, bob: Person, name: str, tmp_path: Path
) -> None:
    ticket = Ticket.objects.get(subject__startswith="Hush")
    AlertChannel.objects.create(person=bob, name="chat", url="json://127.0.0.1:9/")
    support = Team.objects.get(name="Support")
    support.members.add(bob)
    actions.watch(ticket, bob)
    for write in WAYS.values():
        if write:
            write(Ticket.objects.get(pk=ticket.pk), bob)
    assert set(OutboundMail.objects.filter(person=bob).values_list("kind", flat=True)) == {
        k for k, w in WAYS.items() if w
    }
    Comment.objects.filter(ticket=ticket, visibility="held").delete()
    Ticket.objects.filter(pk=ticket.pk).update(assignee=None, sla_check_at=timezone.now())
    support.members.remove(bob)
    actions.note(Ticket.objects.get(pk=ticket.pk), Content(text="Hush, @bob"), actor=agent())
    there = set(OutboundMail.objects.filter(person=bob).values_list("pk", flat=True))
    run = TASKS[name]
    assert run is not None
    run(tasks()[name])
    assert set(OutboundMail.objects.filter(person=bob).values_list("pk", flat=True)) == there
    assert not OutboundMail.objects.filter(person=bob, state="sent").exists()
    assert not Alert.objects.filter(state="sent").exists()
    assert not any(b"bob@example.com" in path.read_bytes() for path in tmp_path.rglob("*.eml"))


# --- Kinds of mail

# How each comes to somebody of staff who may see the ticket; None for mail to customers, which goes
# to whom they or an agent name.
SOON = timezone.now() + timedelta(hours=1)
WAYS: dict[str, Callable[[Ticket, Person], object] | None] = {
    "assigned": lambda ticket, bob: notify.assigned(ticket, bob, None),
    "customer_replied": lambda ticket, bob: notify.customer_replied(
        given_to(ticket, bob), ticket.comments.all()[0]
    ),
    "held": lambda ticket, bob: notify.held(
        given_to(ticket, bob), ticket.comments.get(visibility="held")
    ),
    "in_your_name": lambda ticket, bob: notify.held(ticket, in_the_name_of(bob, ticket)),
    "mentioned": lambda ticket, bob: notify.mentioned(
        ticket, ticket.comments.get(visibility="internal"), bob
    ),
    "digest": lambda ticket, bob: (
        actions.watch(ticket, bob),
        news(ticket),
        watching.send_digests(),
    ),
    "sla_warning": lambda ticket, bob: notify.sla_warning(ticket, bob, "First response", SOON),
    "sla_breach": lambda ticket, bob: notify.sla_breach(ticket, bob, "First response", SOON),
    "delivery_failed": lambda ticket, bob: notify.delivery_failed(
        answer_of(ticket, bob), "no such user"
    ),
    **dict.fromkeys(
        [
            "acknowledgement",
            "reply",
            "status_changed",
            "code",
            "pin_issued",
            "pin_used",
            "registration",
            "password_reset",
        ]
    ),
}
STAFFS = sorted(kind for kind, way in WAYS.items() if way)


def given_to(ticket: Ticket, bob: Person) -> Ticket:
    """In memory, as an action has it before it saves. It is not his to keep."""
    return Ticket(
        **{
            field.attname: getattr(ticket, field.attname)
            for field in Ticket._meta.concrete_fields
            if field.name not in {"is_unsolved", "assignee"}
        },
        assignee=bob if sees(bob, ticket) else None,
    )


def in_the_name_of(bob: Person, ticket: Ticket) -> Comment:
    return Comment.objects.create(
        ticket=ticket, author=bob, visibility="held", via="email", text="Hush, says Bob"
    )


def sees(bob: Person, ticket: Ticket) -> bool:
    return access.tickets(bob).contains(ticket)


def news(ticket: Ticket) -> None:
    Event.objects.create(ticket=ticket, kind="noted", actor=agent("Ada"))


def answer_of(ticket: Ticket, bob: Person) -> OutboundMail:
    mail = OutboundMail.objects.get(ticket=ticket, kind="reply")
    assert mail.comment is not None
    mail.comment.author = bob
    return mail


def test_every_kind_of_mail_is_in_the_table_and_what_goes_to_staff_has_a_way() -> None:
    assert set(WAYS) ^ set(KINDS) == set()
    assert sorted(kind.slug for kind in KINDS.values() if kind.to is To.STAFF) == STAFFS


@pytest.mark.parametrize("kind", STAFFS)
def test_no_kind_of_mail_is_written_to_who_may_not_see_the_ticket(
    world, bob: Person, kind: str
) -> None:
    ticket, way = Ticket.objects.get(subject__startswith="Hush"), WAYS[kind]
    assert way is not None
    if kind == "digest":  # he cannot even watch
        Watcher.objects.create(ticket=ticket, person=bob)
        way = lambda ticket, bob: (news(ticket), watching.send_digests())  # noqa: E731
    way(ticket, bob)
    assert not OutboundMail.objects.filter(person=bob).exists()


@pytest.mark.parametrize("how", ["sees it still", "another team", "switched off", "a customer now"])
@pytest.mark.parametrize("kind", STAFFS)
def test_a_mail_that_waits_is_sent_to_who_sees_the_ticket_still_and_to_nobody_else(
    world, bob: Person, kind: str, how: str
) -> None:
    ticket, support, way = (
        Ticket.objects.get(subject__startswith="Hush"),
        Team.objects.get(name="Support"),
        WAYS[kind],
    )
    assert way is not None
    support.members.add(bob)
    way(ticket, bob)
    mail = OutboundMail.objects.get(person=bob)
    assert (mail.kind, mail.state) == (kind, "queued")
    if how == "another team":
        support.members.remove(bob)
    elif how != "sees it still":
        Person.objects.filter(pk=bob.pk).update(
            **{"is_active": False} if how == "switched off" else {"role": "user"}
        )
    deliver_all()
    mail.refresh_from_db()
    expected = (
        ("sent", "")
        if how == "sees it still"
        else ("suppressed", "the reader may not see the ticket")
    )
    assert (mail.state, mail.reason) == expected
