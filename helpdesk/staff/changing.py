"""A ticket's status, priority, assignee, team and category."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from helpdesk import access, actions
from helpdesk.models import Category, Person, Team, Ticket
from helpdesk.request_data import whole

Change = Callable[[int | None], Any]  # given the version that its ticket is to have


@require_POST
def change(request: HttpRequest, pk: int) -> HttpResponse:
    """Status, priority, assignee or team: whichever the form carries. `version` guards against
    surprises."""
    assert access.is_staff(request.user)
    found = access.ticket(request.user, pk)
    version = whole(request.POST.get("version", ""))
    for apply in _changes(request, found, request.user):
        try:
            apply(version)
        except actions.Refused as why:
            messages.error(request, str(why))
        except actions.Conflict:
            words = "Someone else changed this ticket while you had it open."
            messages.error(request, f"{words} Look again, then change it.")
            break
        # Each change brings `found` up to date: the next one follows on it.
        version = found.version if version is not None else None
    if not access.tickets(request.user).contains(found):
        messages.success(request, f"#{pk} is changed, and not yours to see any more.")
        return redirect("admin:tickets")
    return redirect("admin:ticket", found.pk)


def _changes(request: HttpRequest, found: Ticket, me: Person) -> list[Change]:
    """What the form says that the ticket is not yet."""
    post, changes = request.POST, _assignment(request, found, me)
    priority = whole(post.get("priority", ""))
    if priority is not None and priority != found.priority:
        changes.append(lambda seen: actions.set_priority(found, priority, actor=me, version=seen))
    if "team" in post:
        team = Team.objects.filter(pk=whole(post["team"]) or 0).first()
        changes.append(lambda seen: actions.set_team(found, team, actor=me, version=seen))
    if "category" in post:
        category = Category.objects.filter(pk=whole(post["category"]) or 0).first()
        changes.append(lambda seen: actions.set_category(found, category, actor=me, version=seen))
    if (status := post.get("status")) and status != found.status:
        changes.append(lambda seen: actions.set_status(found, status, actor=me, version=seen))
    return changes


def _assignment(request: HttpRequest, found: Ticket, me: Person) -> list[Change]:
    if "assignee" not in request.POST:
        return []
    assignee = request.POST["assignee"]
    chosen = me.pk if assignee == "me" else whole(assignee)
    if chosen == found.assignee_id:
        return []
    agent = access.staff().filter(pk=chosen).first() if chosen is not None else None
    if chosen is not None and agent is None:
        messages.error(request, "There is no such agent.")
        return []
    return [lambda seen: actions.assign(found, agent, actor=me, version=seen)]


@require_POST
def spam(request: HttpRequest, pk: int) -> HttpResponse:
    assert access.is_staff(request.user)
    found = access.ticket(request.user, pk)
    try:
        if "not" in request.POST:
            actions.not_spam(found, actor=request.user)
        else:
            actions.mark_spam(found, actor=request.user)
            messages.success(
                request, f"#{found.pk} is closed as spam, and {found.requester.email} is blocked."
            )
            return redirect("admin:tickets")
    except actions.Refused as why:
        messages.error(request, str(why))
    return redirect("admin:ticket", found.pk)
