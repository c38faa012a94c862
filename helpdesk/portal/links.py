"""By the link in a mail: a ticket to read, and to say that a guest's request is theirs. Nothing
else."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from helpdesk import access
from helpdesk.files import frames
from helpdesk.outbound.links import Ended, Link, read_link
from helpdesk.portal.conversation import conversation, file_of, take_for_theirs

P = ParamSpec("P")


def by_link(
    view: Callable[Concatenate[HttpRequest, str, Link, P], HttpResponseBase],
) -> Callable[Concatenate[HttpRequest, str, P], HttpResponseBase]:
    """For pages whose address holds a link; one that opens nothing any more leads to signing in."""

    @wraps(view)
    def guarded(
        request: HttpRequest, token: str, *args: P.args, **kwargs: P.kwargs
    ) -> HttpResponseBase:
        try:
            found = read_link(token)
        except Ended as ended:
            context = {
                "title": _("This link does not work any more"),
                "number": ended.ticket,
                "days": settings.TICKET_LINK_DAYS,
            }
            response: HttpResponseBase = render(
                request, "portal/link_ended.html", context, status=404
            )
        else:
            response = view(request, token, found, *args, **kwargs)
        # The address is the key: it must not go along to other sites. (With no-referrer a browser
        # would send the form's origin as null, which is refused.)
        response["Referrer-Policy"] = "same-origin"
        response["X-Robots-Tag"] = "noindex"
        return response

    return guarded  # type: ignore[return-value]


@never_cache  # type: ignore[arg-type]
@require_GET
@by_link
def ticket(request: HttpRequest, token: str, link: Link) -> HttpResponse:
    if request.user.is_authenticated and request.user == link.reader:
        return redirect("portal:ticket", link.ticket.pk)
    return conversation(request, link.ticket, link.reader, token=token, until=link.until)


@never_cache  # type: ignore[arg-type]
@require_POST
@by_link
def confirm(request: HttpRequest, token: str, link: Link) -> HttpResponse:
    take_for_theirs(request, link.ticket, link.reader)
    return redirect("portal:link", token)


@require_GET
@by_link
def file(request: HttpRequest, token: str, link: Link, pk: int) -> HttpResponseBase:
    item = access.attachment(link.reader, pk)
    if item.comment.ticket_id != link.ticket.pk:
        raise Http404
    return file_of(request, item)


@require_GET
@by_link
def comment_html(request: HttpRequest, token: str, link: Link, pk: int) -> HttpResponse:
    comment = access.comment(link.reader, pk)
    if comment.ticket_id != link.ticket.pk:
        raise Http404
    return frames.comment_page(request, comment, comment.html)
