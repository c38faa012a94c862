"""The ticket list and what can be done with several at once."""

from urllib.parse import urlencode

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from helpdesk import access, actions, assignment
from helpdesk.health import accounts
from helpdesk.models import Person, Ticket
from helpdesk.outbound import servers
from helpdesk.request_data import page_of_ours, whole
from helpdesk.staff import queues
from helpdesk.staff.rows import row

MAX_BULK = 200


@require_GET
def ticket_list(request: HttpRequest) -> HttpResponse:
    assert access.is_staff(request.user)
    page = queues.page(request.user, request.GET.dict())

    def link(**changes: str) -> str:
        query = {"queue": page.queue.slug, **page.filters, **changes}
        said = urlencode({name: value for name, value in query.items() if value})
        return f"{reverse('admin:tickets')}?{said}"

    context = {
        **admin.site.each_context(request),
        "title": page.queue.title,
        "page": page,
        "rows": map(row, page.tickets),
        "tabs": [
            (queue.title, link(queue=queue.slug), queue.slug == page.queue.slug)
            for queue in queues.QUEUES
        ],
        "older": link(before=page.older) if page.older else "",
        "newer": link(after=page.newer) if page.newer else "",
        "clear": f"{reverse('admin:tickets')}?queue={page.queue.slug}",
        "choices": queues.choices(request.user),
        "trouble": _trouble() if access.is_admin(request.user) else [],
        "statuses": [
            (value, label)
            for value, label in Ticket.Status.choices
            if value != Ticket.Status.ASSIGNED
        ],
        "is_fullwidth": "1",
    }
    return render(request, "staff/tickets.html", context)


def _trouble() -> list[tuple[str, str, str]]:
    """What keeps mail from going out or coming in, for who can mend it: in a sentence, in the
    server's words, and where more about it is."""
    out = [
        (
            (
                f"Mail from {server.name or 'this helpdesk'} does not go out. "
                "It waits, and nothing is lost."
            ),
            server.error,
            reverse("admin:helpdesk_outboundmail_changelist"),
        )
        for server in servers.failing()
    ]
    silent = [
        (
            "An IMAP account is not reached; its mail is not taken in.",
            words,
            reverse("admin:inbound_imapaccount_changelist"),
        )
        for words in accounts.silent()
    ]
    return out + silent


@require_POST
def bulk(request: HttpRequest) -> HttpResponse:
    """Assigns or moves the ticked tickets, one by one; says how many changed, and why others did
    not."""
    assert access.is_staff(request.user)
    back = page_of_ours(request.POST.get("back", "")) or reverse("admin:tickets")
    pks = [
        pk
        for ticked in request.POST.getlist("ticket")[:MAX_BULK]
        if (pk := whole(ticked)) is not None
    ]
    assignee, status = request.POST.get("assignee", ""), request.POST.get("status", "")
    if not pks or not (assignee or status):
        messages.warning(request, "Tick some tickets, and choose an agent or a status.")
        return redirect(back)
    changed, skipped = 0, []
    for ticket in access.tickets(request.user).filter(pk__in=pks).order_by("pk"):
        try:
            if _change(ticket, assignee, status, request.user):
                changed += 1
            else:
                skipped.append(f"#{ticket.pk}: it was so already")
        except actions.Refused as why:
            skipped.append(f"#{ticket.pk}: {why}")
    if changed:
        messages.success(request, f"{changed} ticket{'s' if changed != 1 else ''} changed.")
    if skipped:
        rest = f" … and {len(skipped) - 5} more" if len(skipped) > 5 else ""
        messages.warning(request, f"{len(skipped)} skipped. {' '.join(skipped[:5])}{rest}")
    return redirect(back)


def _change(ticket: Ticket, assignee: str, status: str, actor: Person) -> bool:
    changed = False
    if assignee == "none":
        changed |= actions.assign(ticket, None, actor=actor)
    elif (chosen := whole(assignee)) is not None:
        agent = access.staff().filter(pk=chosen).first()
        if agent is None:
            raise actions.Refused("There is no such agent.", "assigned_to")
        changed |= actions.assign(ticket, agent, actor=actor)
    if status:
        changed |= actions.set_status(ticket, status, actor=actor)
    return changed


@require_POST
def take_next(request: HttpRequest) -> HttpResponse:
    """The most urgent ticket that waits is the agent's."""
    assert access.is_staff(request.user)
    try:
        return redirect("admin:ticket", assignment.take_next(request.user).pk)
    except actions.Refused as why:
        messages.warning(request, str(why))
        return redirect("admin:tickets")
