"""The link in mail that comes by itself again and again: turns that kind off, without signing in
(RFC 8058)."""

from django.core import signing
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from helpdesk import actions
from helpdesk.models import Person
from helpdesk.models.mail_kinds import KINDS
from helpdesk.outbound.compose import UNSUBSCRIBE_SALT


# A mail program posts here by itself, with no cookie and no token but the one in the address.
@csrf_exempt
@require_http_methods(["GET", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """GET asks, POST does it: those who fetch every link in a mail to look at it change nothing."""
    try:
        pk, slug = signing.loads(token, salt=UNSUBSCRIBE_SALT)
    except signing.BadSignature:
        raise Http404 from None
    person = get_object_or_404(Person, pk=pk)
    if request.method == "POST":
        actions.choose_mail(person, muted=[*person.muted, slug])
    return render(
        request, "mail_choice.html", {"kind": KINDS.get(slug), "is_done": request.method == "POST"}
    )
