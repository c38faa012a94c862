"""A ticket's page, and what is shown in it."""

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from helpdesk import access
from helpdesk.actions import pins
from helpdesk.actions.moving import MOVES
from helpdesk.files import frames
from helpdesk.history import lines
from helpdesk.models import Comment, Ticket
from helpdesk.people import can_be_written_to
from helpdesk.sla import explain
from helpdesk.staff import queues

SHOWN_COMMENTS = 100


@require_GET
def ticket(request: HttpRequest, pk: int) -> HttpResponse:
    assert access.is_staff(request.user)
    found = access.ticket(request.user, pk)
    newest = access.comments(request.user, found).reverse()
    everything = "all" in request.GET
    comments = list(newest if everything else newest[: SHOWN_COMMENTS + 1])
    hidden = not everything and len(comments) > SHOWN_COMMENTS
    comments = list(reversed(comments[:SHOWN_COMMENTS] if hidden else comments))
    participants = list(found.participants.select_related("person").order_by("id"))
    watchers = [row.person for row in found.watchers.select_related("person").order_by("id")]
    held = [c for c in comments if c.visibility == Comment.Visibility.HELD]
    context = {
        **admin.site.each_context(request),
        "title": f"#{found.pk}",
        "ticket": found,
        "comments": [c for c in comments if c.visibility != Comment.Visibility.HELD],
        "held": [c for c in held if not c.rejected_at],
        "rejected": [c for c in held if c.rejected_at],
        "asking": _asking(found, comments, all_there=not hidden),
        "hidden": hidden,
        "history": lines(found),
        "sla": explain.lines(found),
        "assignments": list(
            found.assignments.select_related("team", "person").order_by("-id")[:20]
        ),
        "participants": participants,
        "followed_by": list(access.tickets(request.user).filter(follows=found).order_by("pk")[:10]),
        "choices": queues.choices(request.user, found),
        "statuses": _reachable(found),
        "is_fullwidth": "1",
        "draft": request.session.pop(f"draft-{pk}", {}),
        "suppressed": access.suppressed(participants),
        "is_watching": request.user in watchers,
        "watchers": watchers,
        "link_days": settings.TICKET_LINK_DAYS,
        "pin": request.session.pop(f"pin-{pk}", ""),
        "can_enter": pins.may_have_pin(found.requester),
        "has_address": can_be_written_to(found.requester),
    }
    return render(request, "staff/ticket.html", context)


def _asking(ticket: Ticket, shown: list[Comment], *, all_there: bool) -> Comment | None:
    """The comment whose To and Cc nobody has let take part yet; the shown ones suffice where they
    are all that there are."""
    if all_there:
        return next((comment for comment in shown if comment.asks_to_add), None)
    return ticket.comments.exclude(asks_to_add=[]).order_by("created_at", "id").first()


@require_GET
def comment_html(request: HttpRequest, pk: int) -> HttpResponse:
    """A comment's HTML, or with ?quoted the history below it, for a frame; pictures from elsewhere
    with ?images."""
    comment = access.comment(request.user, pk)
    html = comment.quoted_html if "quoted" in request.GET else comment.html
    return frames.comment_page(
        request, comment, html, remote_images="images" in request.GET, tells_height=True
    )


def _reachable(ticket: Ticket) -> list[tuple[str, str]]:
    """The statuses that the ticket can be moved to, with the one it has."""
    labels = dict(Ticket.Status.choices)
    reopened = Ticket.Status.ASSIGNED if ticket.assignee_id else Ticket.Status.OPEN
    can = MOVES[ticket.status] - {Ticket.Status.OPEN, Ticket.Status.ASSIGNED}
    if ticket.status not in (Ticket.Status.OPEN, Ticket.Status.ASSIGNED):
        can = can | {reopened}
    return [
        (value, str(labels[value]))
        for value in Ticket.Status.values
        if value in can or value == ticket.status
    ]
