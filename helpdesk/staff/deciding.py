"""What becomes of a mail: held mail is admitted or rejected, any is made a ticket of its own."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from helpdesk import access, actions
from helpdesk.models import Comment, Person
from helpdesk.request_data import whole


@require_POST
def decide(request: HttpRequest, pk: int) -> HttpResponse:
    """Held mail: admit once, admit as participant, detach, reject. Any other mail: detach."""
    assert access.is_staff(request.user)
    comment = access.comment(request.user, pk)
    found, decision = comment.ticket, request.POST.get("decision", "")
    try:
        if decision in {"admit", "admit-participant"}:
            as_participant = decision == "admit-participant"
            actions.admit(comment, actor=request.user, as_participant=as_participant)
        elif decision.startswith("trust-"):
            _trust(request, comment, decision[6:], request.user)
        elif decision.startswith("also-"):
            _is_also(request, comment, whole(decision[5:]) or 0, request.user)
        elif decision == "reject":
            actions.reject(comment, actor=request.user)
        elif decision == "detach":
            new = actions.detach(comment, actor=request.user)
            messages.success(request, f"This mail is ticket #{new.pk} now.")
            return redirect("admin:ticket", new.pk)
    except actions.Refused as why:
        messages.error(request, str(why))
    return redirect("admin:ticket", found.pk)


def _trust(request: HttpRequest, comment: Comment, way: str, me: Person) -> None:
    """What comes that way from its author is let in from now on; a held mail at once."""
    if comment.visibility == Comment.Visibility.HELD:
        actions.admit(comment, actor=me, as_participant=False, trusting=way)
    else:
        actions.trust(comment, way, actor=me)
    words = f"Mail from {comment.author} that is {way} is let in from now on."
    messages.success(request, words)


def _is_also(request: HttpRequest, comment: Comment, participant: int, me: Person) -> None:
    """Its address is one more of that participant's."""
    person = access.participant(comment.ticket, participant)
    if person is not None:
        address = request.POST.get("address", "")
        actions.admit_as(comment, person, address=address, actor=me)
        messages.success(request, f"{address} is {person} from now on.")
