"""What is said on a ticket, by whom it is read, and until when it is changed."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from helpdesk import actions
from helpdesk.models import (
    Comment,
    Identity,
    OutboundMail,
    Person,
    Ticket,
)
from tests.support.api import Api, admin, kinds, path_of, said, say
from tests.support.mail import agent, deliver_all

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_counts_yet")]


@pytest.mark.parametrize("name", ["Ada Lindqvist", ""])
def test_where_a_mailbox_does_not_show_its_agents_customers_learn_no_name(
    name: str, ticket: Ticket, cleo: Api
) -> None:
    Identity.objects.create(mailbox=ticket.mailbox, shows_agent=False)
    ada = Person.objects.create_user("lindqvist@example.com", name=name, role="agent")
    actions.assign(ticket, ada, actor=ada)
    say(Api(ada), ticket, "Try this")
    actions.set_priority(ticket, 4, actor=ada)
    for path in (path_of(ticket), path_of(ticket) + "comments/", "/api/tickets/"):
        assert b"lindqvist" not in cleo("GET", path).content.lower()
        assert b"lindqvist" in Api(admin())("GET", path).content.lower()


def test_a_customers_comment_reopens_and_tells_the_agent_and_an_agents_is_mailed(
    ticket: Ticket, cleo: Api, ada: Api
) -> None:
    actions.assign(ticket, agent(), actor=agent())
    actions.set_status(ticket, "resolved", actor=agent(), tell=False)
    say(cleo, ticket, "It smokes again")
    ticket.refresh_from_db()
    assert ticket.status == "assigned"
    comment = say(ada, ticket, "Try **this**")
    assert OutboundMail.objects.filter(kind="customer_replied", person=agent()).count() == 1
    mail = OutboundMail.objects.get(kind="reply")
    assert (mail.to_address, mail.comment_id) == ("cleo@example.net", comment)
    shown = cleo("GET", f"{path_of(ticket)}comments/{comment}").json()
    assert "<strong>this</strong>" in shown["html"]
    say(ada, ticket, "Hush", visibility="internal")
    bodies = [row["body"] for row in cleo("GET", path_of(ticket) + "comments").json()]
    assert bodies == ["It smokes", "It smokes again", "Try **this**"]
    assert bodies == [row["body"] for row in cleo("GET", f"/tickets/{ticket.pk}/messages").json()]
    assert [row["body"] for row in ada("GET", path_of(ticket) + "comments/").json()][-1] == "Hush"
    assert OutboundMail.objects.filter(kind="reply").count() == 1


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "body"),
        ({"body": " "}, "body"),
        ({"body": "a", "visibility": "held"}, "visibility"),
        ({"body": "\0"}, "body"),
        ({"body": "x" * 100_001}, "body"),
    ],
)
def test_a_comment_that_is_none_is_refused(
    given: Any, field: str, ticket: Ticket, cleo: Api
) -> None:
    for path in (path_of(ticket) + "comments/", f"/tickets/{ticket.pk}/messages/"):
        assert said(cleo("POST", path, given))[::2] == (400, field)
    assert ticket.comments.count() == 1


@pytest.mark.parametrize("path", ["/api/tickets/{}/comments/{}/", "/tickets/{}/messages/{}"])
def test_an_author_changes_or_takes_back_their_message_for_15_minutes(
    path: str, ticket: Ticket, cleo: Api
) -> None:
    url = path.format(ticket.pk, say(cleo, ticket, "Teh"))
    answer = cleo("PUT", url, {"body": "The\r\nend"})
    assert (answer.json()["body"], bool(answer.json()["edited_at"])) == ("The\nend", True)
    assert said(cleo("PUT", url, {"body": " "}))[::2] == (400, "body")
    Comment.objects.update(created_at=timezone.now() - timedelta(minutes=14, seconds=55))
    assert cleo("PUT", url, {"body": "Again"}).status_code == 200
    Comment.objects.update(created_at=timezone.now() - timedelta(minutes=15, seconds=1))
    assert said(cleo("PUT", url, {"body": "Late"}))[:2] == (403, "permission_denied")
    assert said(cleo("DELETE", url))[:2] == (403, "permission_denied")
    Comment.objects.update(created_at=timezone.now())
    assert cleo("DELETE", url).status_code == 204
    assert cleo("GET", f"/api/tickets/{ticket.pk}/comments/").json()[-1]["body"] == "It smokes"
    assert kinds(ticket)[-1] == "comment-deleted"


def test_an_answer_that_was_mailed_is_not_changed_and_a_note_is(ticket: Ticket, ada: Api) -> None:
    mailed = f"{path_of(ticket)}comments/{say(ada, ticket, 'Mailed')}/"
    note = f"{path_of(ticket)}comments/{say(ada, ticket, 'Note', visibility='internal')}/"
    deliver_all()
    assert said(ada("PATCH", mailed, {"body": "Other"}))[0] == 403
    assert said(ada("DELETE", mailed))[0] == 403
    assert ada("PATCH", note, {"body": "*Other*"}).json()["html"].strip() == "<p><em>Other</em></p>"
    assert Api(admin())("DELETE", mailed).status_code == 204


def test_what_opened_the_ticket_is_not_taken_back_alone(ticket: Ticket, cleo: Api) -> None:
    first = ticket.comments.get()
    for api in (cleo, Api(admin())):
        assert said(api("DELETE", f"{path_of(ticket)}comments/{first.pk}/"))[0] == 403
    assert ticket.comments.count() == 1
