"""What a request changes of a ticket, all of it or none."""

from collections.abc import Callable
from typing import Any

from django.db import transaction
from rest_framework.request import Request

from helpdesk import access, actions
from helpdesk.actions import Refused
from helpdesk.api.requests import seen_version
from helpdesk.models import Person, Team, Ticket
from helpdesk.submissions import as_object, refused_to


def change(ticket: Ticket, given: dict[str, Any], request: Request) -> None:
    """All of it or none. The version, where one is given, is checked once, before the first
    change."""
    me: Any = request.user
    version = given.pop("version", None) or seen_version(request)
    for field in ("status", "assigned_to", "team", "tags"):
        if field in given and not me.is_staff:
            raise refused_to("Only staff change this.", field)
    steps = _steps(ticket, given, me)
    with transaction.atomic(), actions.changing(ticket, version=version) as current:
        for step in steps:
            step(current)


def _steps(ticket: Ticket, given: dict[str, Any], me: Any) -> list[Callable[[Ticket], object]]:
    """Raises Refused for what is not theirs to change, and for an agent or a team that is none."""
    steps: list[Callable[[Ticket], object]] = []
    if "title" in given:
        steps.append(lambda row: actions.set_subject(row, given["title"], actor=me))
    if "description" in given:
        steps.append(
            lambda row: actions.set_description(row, given["description"].strip(), actor=me)
        )
    if "priority" in given:
        steps.append(lambda row: actions.set_priority(row, given["priority"], actor=me))
    if "category" in given:
        _owner_may(ticket, me)
        steps.append(lambda row: actions.set_category(row, given["category"], actor=me))
    if "custom_fields" in given:
        steps.append(
            lambda row: actions.set_custom(row, as_object(given["custom_fields"]), actor=me)
        )
    if "tags" in given:
        steps.append(lambda row: actions.set_tags(row, given["tags"], actor=me))
    if "team" in given:
        team = team_named(given["team"])
        steps.append(lambda row: actions.set_team(row, team, actor=me))
    if "assigned_to" in given:
        agent = agent_with(given["assigned_to"])
        steps.append(lambda row: actions.assign(row, agent, actor=me))
    if "status" in given:
        steps.append(lambda row: actions.set_status(row, given["status"], actor=me))
    return steps


def agent_with(pk: int | None) -> Person | None:
    """To whom a ticket is to go; None: back to the queue. Whether it may is for `actions.assign` to
    say."""
    if pk is None:
        return None
    found = access.staff().filter(pk=pk).first()
    if found is None:
        raise Refused("There is no such agent.", "assigned_to")
    return found


def team_named(name: str | None) -> Team | None:
    if name is None:
        return None
    found = Team.objects.filter(name=name).first()
    if found is None:
        raise Refused(f"There is no team {name!r}.", "team")
    return found


def _owner_may(ticket: Ticket, me: Person) -> None:
    if me.is_staff:
        return
    if ticket.requester_id != me.pk:
        raise refused_to("Only who opened the ticket changes it.")
    if ticket.status != Ticket.Status.OPEN:
        raise Refused("It is being worked on already: add a comment instead.", "status")
