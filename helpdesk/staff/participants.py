"""Who takes part in a ticket, and how they are reached and let in."""

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from helpdesk import access, actions, request_data
from helpdesk.actions import pins, suppression
from helpdesk.models import Participant, Person
from helpdesk.request_data import whole


@require_POST
def change_people(request: HttpRequest, pk: int) -> HttpResponse:
    assert access.is_staff(request.user)
    found = access.ticket(request.user, pk)
    if written := request.POST.get("add", "").strip():
        try:
            person = actions.person_for(request_data.address(written))
        except forms.ValidationError:
            messages.error(request, f"{written[:300]} is no e-mail address.")
            return redirect("admin:ticket", found.pk)
        if person.is_staff:
            messages.error(request, f"{person} is an agent and sees the ticket anyway.")
        else:
            actions.add_participant(
                found, person, Participant.Role.CC, source="agent", actor=request.user
            )
    elif (removed := whole(request.POST.get("remove", ""))) is not None:
        person_row = Person.objects.filter(pk=removed).first()
        if person_row:
            actions.remove_participant(found, person_row, actor=request.user)
    return redirect("admin:ticket", found.pk)


@require_POST
def asked(request: HttpRequest, pk: int) -> HttpResponse:
    """Whether the many people of a first mail's To and Cc take part."""
    assert access.is_staff(request.user)
    found = access.ticket(request.user, pk)
    comment = access.comments(request.user, found).exclude(asks_to_add=[]).first()
    if comment is not None:
        actions.let_take_part(comment, actor=request.user, yes="yes" in request.POST)
    return redirect("admin:ticket", found.pk)


@require_POST
def watch(request: HttpRequest, pk: int) -> HttpResponse:
    assert access.is_staff(request.user)
    found = access.ticket(request.user, pk)
    if "stop" in request.POST:
        actions.unwatch(found, request.user)
    else:
        actions.watch(found, request.user)
    return redirect("admin:ticket", found.pk)


@require_POST
def lift(request: HttpRequest, pk: int) -> HttpResponse:
    """Lets mail go to a participant's address again that was taken off for bouncing."""
    assert access.is_staff(request.user)
    found = access.ticket(request.user, pk)
    address = request.POST.get("address", "")
    if address in {
        row.address for row in access.suppressed(found.participants.select_related("person"))
    }:
        sent = suppression.lift(address, actor=request.user)
        messages.success(
            request,
            f"Mail goes to {address} again."
            + (f" {sent} kept-back answers go out." if sent else ""),
        )
    return redirect("admin:ticket", found.pk)


@require_POST
def end_links(request: HttpRequest, pk: int) -> HttpResponse:
    """The links in mail to the participants open the ticket no more."""
    assert access.is_staff(request.user)
    found = access.ticket(request.user, pk)
    actions.end_links(found, actor=request.user)
    messages.success(
        request, "The links in mail that has gone out for this ticket open it no more."
    )
    return redirect("admin:ticket", found.pk)


@require_POST
def pin(request: HttpRequest, pk: int) -> HttpResponse:
    """A support PIN for the requester; the next page shows it, once."""
    assert access.is_staff(request.user)
    found = access.ticket(request.user, pk)
    try:
        request.session[f"pin-{pk}"] = pins.issue_pin(
            found.requester, actor=request.user, ticket=found
        )
    except actions.Refused as why:
        messages.error(request, str(why))
    return redirect("admin:ticket", found.pk)
