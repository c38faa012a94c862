"""Every permission, from the side of the person who must not get in."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import Http404
from django.test import Client

from helpdesk import access, actions
from helpdesk.actions import Content
from helpdesk.files import frames
from helpdesk.models import Person, Team, Ticket
from helpdesk.outbound.links import ticket_link
from tests.support.mail import agent, customer, eml, receive, ticket_of
from tests.support.routes import routes, world

pytestmark = pytest.mark.django_db


@pytest.fixture
def ticket() -> Ticket:
    found = ticket_of(receive(eml("Secret matter", message_id="first@example.net")))
    actions.note(found, Content(text="internal words"), actor=agent())
    return found


def test_a_customer_sees_their_tickets_and_public_comments_only(ticket: Ticket) -> None:
    cleo, other = customer(), customer("other@example.net")
    assert list(access.tickets(cleo)) == [ticket]
    assert [c.text.strip() for c in access.comments(cleo, ticket)] == ["Secret matter"]
    assert not access.tickets(other).exists()
    for viewer in (other, AnonymousUser()):
        with pytest.raises(Http404):
            access.ticket(viewer, ticket.pk)


def test_an_internal_comment_does_not_exist_for_its_customer(ticket: Ticket) -> None:
    note = ticket.comments.get(visibility="internal")
    with pytest.raises(Http404):
        access.comment(customer(), note.pk)
    assert access.comment(agent(), note.pk) == note


def test_a_switched_off_agent_sees_nothing(ticket: Ticket) -> None:
    ada = agent()
    ada.is_active = False
    assert not access.tickets(ada).exists()


PAGES = [
    "/admin/tickets/",
    "/admin/tickets/{t}/",
    "/admin/mail/{m}/",
    "/admin/mail/{m}/source/",
    "/admin/comments/{c}/html/",
    "/admin/inbound/inboundmail/",
    "/admin/helpdesk/outboundmail/",
    "/admin/helpdesk/person/",
    "/admin/inbound/mailbox/",
    "/admin/sent-mail/",
]
ADMIN_ONLY = {
    "/admin/helpdesk/outboundmail/",
    "/admin/helpdesk/person/",
    "/admin/inbound/mailbox/",
    "/admin/sent-mail/",
}
POSTS = [
    "tickets/bulk/",
    "tickets/{t}/reply/",
    "tickets/{t}/change/",
    "tickets/{t}/people/",
    "tickets/{t}/spam/",
    "comments/{c}/decide/",
    "mail/{m}/again/",
]


def signed_in(person: Person | None) -> Client:
    client = Client()
    if person:
        client.force_login(person, backend="helpdesk.auth.EmailBackend")
    return client


def test_every_staff_page_by_role(ticket: Ticket) -> None:
    comment = ticket.comments.order_by("pk").first()
    assert comment is not None
    assert comment.mail is not None
    names = {"t": ticket.pk, "m": comment.mail.pk, "c": comment.pk}
    admin = Person.objects.create_superuser("root@example.com", "x")
    for page in PAGES:
        url = page.format(**names)
        for outsider in (None, customer(), customer("other@example.net")):
            answer = signed_in(outsider).get(url)
            assert answer.status_code == 302, (url, outsider)
            assert "/admin/login/" in answer["Location"]
        assert signed_in(agent()).get(url).status_code == (403 if page in ADMIN_ONLY else 200), url
        assert signed_in(admin).get(url).status_code == 200, url
    for page in POSTS:
        url = f"/admin/{page.format(**names)}"
        for outsider in (None, customer()):
            assert (
                signed_in(outsider).post(url, {"kind": "note", "body": "x", "not": "1"}).status_code
                == 302
            )
        assert signed_in(agent()).get(url).status_code == 405
    ticket.refresh_from_db()
    assert (ticket.status, ticket.comments.count()) == ("open", 2)


def test_a_customer_cannot_sign_in_to_the_staff_site_even_with_a_password() -> None:
    Person.objects.create_user("pw@example.net", "correct horse battery")
    answer = Client().post(
        "/admin/login/", {"username": "pw@example.net", "password": "correct horse battery"}
    )
    assert answer.status_code == 200
    assert "_auth_user_id" not in Client().session


def test_an_agent_signs_in_whatever_the_case_of_the_address() -> None:
    agent()
    answer = Client().post(
        "/admin/login/?next=/admin/",
        {"username": "ADA@example.com", "password": "correct horse battery"},
    )
    assert answer.status_code == 302


def test_an_attachment_is_not_served_to_others_nor_opened_as_a_page() -> None:
    raw = (
        b"From: cleo@example.net\nSubject: x\nContent-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: text/plain\n\nhi\n"
        b"--o\nContent-Type: text/html\nContent-Disposition: attachment; filename=evil.html\n\n<script>1</script>\n--o--\n"
    )
    (item,) = ticket_of(receive(raw)).comments.get().attachments.all()
    url = f"/admin/attachments/{item.pk}/"
    assert signed_in(customer()).get(url).status_code == 302
    answer = signed_in(agent()).get(url)
    assert answer["Content-Disposition"].startswith("attachment")
    assert answer["Content-Type"] == "application/octet-stream"
    assert "sandbox" in answer["Content-Security-Policy"]


def test_remote_images_stay_off_until_asked_for() -> None:
    row = receive(
        eml("x", html='<p>hi</p><img src="https://tracker.example/p.png">', message_id="h@h")
    )
    comment = ticket_of(row).comments.get()
    url = f"/admin/comments/{comment.pk}/html/"
    client = signed_in(agent())
    assert "https:" not in client.get(url)["Content-Security-Policy"]
    assert "https:" in client.get(url + "?images")["Content-Security-Policy"]


def test_nothing_is_evaluated_on_the_pages_where_strangers_words_stand(no_counts_yet: None) -> None:
    here, looked_at = world(), set()
    for route in routes():
        if (
            not route.path.startswith(("/admin/", "/portal/", "/unsubscribe/", "/api/docs/"))
            or route.model is not None
        ):
            continue
        who = "customer" if route.path.startswith("/portal/") else "admin"
        answer = here.clients()[who].get(route.url(here.values(route)))
        if answer.status_code != 200 or not answer["Content-Type"].startswith("text/html"):
            continue
        policy, page = answer["Content-Security-Policy"], answer.content.decode()
        if (
            "unfold/js/alpine" in page or route.path == "/admin/search/"
        ):  # what unfold makes: signing in, passwords
            assert re.search("/(login|password.*|logout|search|<app_label>)/", route.path)
            continue
        looked_at.add(route.path)
        assert "unsafe-eval" not in policy, route.path
        assert re.search(r"script-src ('self'|'none'|'sha256-[^ ]+')(;|$)", policy), route.path
        assert "x-data" not in page
        if "sha256" not in policy:
            assert not re.search(r"<script(?![^>]* src=)|\son\w+=", page), route.path
    assert {
        "/admin/tickets/<key:pk>/",
        "/admin/tickets/",
        "/admin/mail/<key:pk>/",
        "/admin/to-look-at/",
        "/portal/",
    } <= looked_at


def test_a_mails_html_is_a_page_of_no_origin_in_which_nothing_of_it_runs() -> None:
    row = receive(eml("x", html="<p>hi</p>", message_id="h@h"))
    ticket, comment = ticket_of(row), ticket_of(row).comments.get()
    link = "/portal/link/" + ticket_link(ticket, comment.author).rstrip("/").rpartition("/")[2]
    for client, url in (
        (signed_in(agent()), f"/admin/comments/{comment.pk}/html/?images"),
        (signed_in(agent()), f"/admin/comments/{comment.pk}/html/?quoted"),
        (signed_in(customer()), f"/portal/comments/{comment.pk}/"),
        (Client(), f"{link}/comments/{comment.pk}/"),
    ):
        answer = client.get(url)
        assert answer.status_code == 200, url
        policy = dict(
            part.partition(" ")[::2] for part in answer["Content-Security-Policy"].split("; ")
        )
        assert "allow-same-origin" not in policy["sandbox"]
        # Nothing, or the one script that tells how high the page is; a script of the mail has
        # another hash.
        assert re.fullmatch(r"'none'|'sha256-[\w+/]{43}='", policy["script-src"])
        assert (
            policy["default-src"]
            == policy["connect-src"]
            == policy["form-action"]
            == policy["frame-src"]
            == "'none'"
        )
        assert policy["img-src"].split()[0] == "http://testserver/pictures/"
        assert answer["X-Frame-Options"] == "SAMEORIGIN"


WITH_PICTURE = (
    b"From: cleo@example.net\nSubject: x\nMIME-Version: 1.0\nContent-Type: multipart/related; boundary=o\n\n--o\n"
    b'Content-Type: text/html\n\n<p>Look: <img src="cid:p@x"><img src="cid:other@x"></p>\n--o\nContent-Type: image/gif\n'
    b"Content-ID: <p@x>\nContent-Transfer-Encoding: base64\n\nR0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==\n--o--\n"
)


def test_a_picture_of_a_mail_is_shown_by_an_address_of_its_own_that_does_not_last(
    monkeypatch,
) -> None:
    comment = ticket_of(receive(WITH_PICTURE)).comments.get()
    for client, url in (
        (signed_in(agent()), f"/admin/comments/{comment.pk}/html/"),
        (signed_in(customer()), f"/portal/comments/{comment.pk}/"),
    ):
        found = re.findall(r'src="([^"]+)"', client.get(url).content.decode())
        assert found[1] == "data:,"
        # The frame has no origin, and so no cookies.
        assert Client().get(found[0])["Content-Type"] == "image/gif"
        assert Client().get(found[0][:-2] + "x/").status_code == 404
    monkeypatch.setattr(frames, "SHOWN_FOR", timedelta(seconds=-1))
    assert Client().get(found[0]).status_code == 404


WITH_FILE = (
    b"From: %s\nSubject: x\nContent-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: text/plain\n\nhi\n"
    b"--o\nContent-Type: text/plain\nContent-Disposition: attachment; filename=a.txt\n\nmine\n--o--\n"
)


def test_a_file_is_its_participants_alone_by_its_number_and_by_its_name() -> None:
    theirs, mine = (
        ticket_of(receive(WITH_FILE % sender)).comments.get().attachments.get()
        for sender in (b"other@example.net", b"cleo@example.net")
    )
    assert (
        access.attachment(customer(), mine.pk)
        == access.attachment_at(customer(), mine.file.name)
        == mine
    )
    for viewer in (customer(), AnonymousUser()):
        with pytest.raises(Http404):
            access.attachment(viewer, theirs.pk)
        for name in (theirs.file.name, "tickets/none.txt"):
            with pytest.raises(Http404):
                access.attachment_at(viewer, name)
    assert access.attachment_at(agent(), theirs.file.name) == theirs


def test_a_profile_is_its_owners_and_staffs() -> None:
    cleo, other = customer(), customer("other@example.net")
    assert access.person(cleo, cleo.pk) == access.person(agent(), cleo.pk) == cleo
    for viewer in (other, AnonymousUser()):
        with pytest.raises(Http404):
            access.person(viewer, cleo.pk)
    with pytest.raises(Http404):
        access.person(agent(), 999_999)


def test_only_an_admin_is_one() -> None:
    admin = Person.objects.create_superuser("root@example.com", "x")
    assert [
        access.is_admin(viewer) for viewer in (admin, agent(), customer(), AnonymousUser())
    ] == [True] + 3 * [False]
    assert [
        access.is_staff(viewer) for viewer in (admin, agent(), customer(), AnonymousUser())
    ] == 2 * [True] + 2 * [False]


def test_customers_see_what_happened_to_their_ticket_and_not_how_staff_work(ticket: Ticket) -> None:
    actions.set_priority(ticket, 4, actor=agent())
    assert [event.kind for event in access.events(customer(), ticket)] == ["opened", "priority"]
    assert [event.kind for event in access.events(agent(), ticket)] == [
        "opened",
        "noted",
        "priority",
    ]


def test_only_agents_and_admins_who_are_there_can_be_assigned_to() -> None:
    zoe, ada, gone = agent("Zoe"), agent("Ada"), agent("Gone")
    Person.objects.filter(pk=gone.pk).update(is_active=False)
    customer()
    assert list(access.staff()) == [ada, zoe]


def test_a_participant_is_one_of_this_ticket(ticket: Ticket) -> None:
    other = customer("other@example.net")
    ticket_of(receive(eml("Mine", sender="other@example.net", message_id="o@x")))
    assert access.participant(ticket, ticket.requester_id) == ticket.requester
    assert access.participant(ticket, other.pk) is None


def test_with_teams_apart_agents_see_their_own_nobodys_and_what_is_theirs(
    ticket: Ticket, settings
) -> None:
    ada, bob, team = agent("Ada"), agent("Bob"), Team.objects.create(name="Desk")
    team.members.add(ada)
    admin = Person.objects.create_superuser("root@example.com", "x")
    settings.AGENTS_SEE = "teams"
    assert access.tickets(bob).exists()  # nobody's
    Ticket.objects.update(team=team)
    assert [access.tickets(viewer).exists() for viewer in (ada, admin, customer(), bob)] == [
        True,
        True,
        True,
        False,
    ]
    Ticket.objects.update(assignee=bob)
    assert access.tickets(bob).exists()


def test_a_ticket_that_is_marked_as_spam_is_not_there_for_its_customer_nor_one_for_who_is_switched_off(
    ticket: Ticket,
) -> None:
    cleo = customer()
    cleo.is_active = False
    assert not access.tickets(cleo).exists()
    Ticket.objects.update(is_spam=True)
    assert not access.tickets(customer()).exists()
    assert access.tickets(agent()).exists()


@pytest.mark.parametrize("sees", ["all", "teams"])
@pytest.mark.parametrize("team", ["none", "theirs", "led", "another"])
@pytest.mark.parametrize("who", ["agent", "admin", "customer", "switched off"])
@pytest.mark.parametrize("assigned", [True, False])
def test_who_may_be_told_of_a_ticket_is_whoever_of_staff_finds_it(
    ticket: Ticket, settings, sees: str, team: str, who: str, assigned: bool
) -> None:
    settings.AGENTS_SEE = sees
    bob = agent("Bob")
    found = Team.objects.create(name="Desk", lead=bob if team == "led" else None)
    if team == "theirs":
        found.members.add(bob)
    bob.role, bob.is_active = (
        {"admin": "admin", "customer": "user"}.get(who, "agent"),
        who != "switched off",
    )
    bob.save()
    ticket.team, ticket.assignee = None if team == "none" else found, bob if assigned else None
    ticket.save()
    expected = who == "admin" or (
        who == "agent" and (sees == "all" or team != "another" or assigned)
    )
    assert access.may_be_told(bob, ticket) is access.tickets(bob).contains(ticket) is expected
