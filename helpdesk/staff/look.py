"""“To look at”: mail that no rule could place. One click makes a ticket of it, or dismisses it."""

from collections.abc import Callable
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from helpdesk import access, ledger
from helpdesk.request_data import whole
from inbound import queue
from inbound.models import InboundMail

PAGE = 50
AT_ONCE = 500  # what one click makes tickets of
Look = InboundMail.Look
# What lies together. The first is what somebody should read; the others are dismissed in bulk.
GROUPS = {
    "unplaced": ("Unplaced and failed", (Look.UNPLACED, Look.FAILED)),
    "automatic": ("Automatic replies", (Look.AUTOMATIC,)),
    "spam": ("Spam", (Look.SPAM,)),
    "blocked": ("Blocked senders", (Look.BLOCKED,)),
    "backscatter": ("Returned mail of others", (Look.BACKSCATTER,)),
}
DISMISSED = "dismissed"
WORDS = {
    "unproven report": (
        "It reports that our mail failed, but did not come to that mail's return path."
    ),
    "no sender": "It names no sender that one could write to.",
    "from our own address": "From is our own address, and nobody else is named.",
    "auto-reply": "An automatic reply to nothing of ours.",
    "unknown report": "A delivery report about mail that we did not send.",
    "spam": "The mail filter marked it as spam.",
    "blocked sender": "Its sender is blocked.",
    "unknown bounce": "Taken for a delivery report by an earlier version.",
    "too large": (
        "It is larger than MAX_MAIL_BYTES, and was refused: only its header is here. "
        "Its sender may not know."
    ),
    "loop": "From is our own address; an earlier version took it for our mail.",
}


@require_GET
def to_look_at(request: HttpRequest) -> HttpResponse:
    assert access.is_staff(request.user)
    counts = ledger.to_look_at(access.mails(request.user))
    group = request.GET.get("group", "")
    if group not in GROUPS and group != DISMISSED:
        group = next(
            (
                slug
                for slug, (_, looks) in GROUPS.items()
                if any(counts.get(look) for look in looks)
            ),
            "unplaced",
        )
    rows = access.mails(request.user).select_related("mailbox").order_by("-pk")
    if group == DISMISSED:
        rows = rows.filter(looked_at__isnull=False, to_look_at=None).exclude(
            state=InboundMail.State.DONE
        )
    else:
        rows = rows.filter(to_look_at__in=GROUPS[group][1])
    if (before := whole(request.GET.get("before", ""))) is not None:
        rows = rows.filter(pk__lt=before)
    found = list(rows[: PAGE + 1])
    shown = found[:PAGE]

    def link(**query: str) -> str:
        return f"{reverse('admin:to_look_at')}?{urlencode(query)}"

    context = {
        **admin.site.each_context(request),
        "title": "To look at",
        "tabs": [
            (title, link(group=slug), slug == group, sum(counts.get(look, 0) for look in looks))
            for slug, (title, looks) in GROUPS.items()
        ]
        + [("Dismissed", link(group=DISMISSED), group == DISMISSED, 0)],
        "newest": shown[0].pk if shown else "",
        "group": group,
        "rows": [(mail, why(mail)) for mail in shown],
        "older": link(group=group, before=str(shown[-1].pk)) if len(found) > PAGE else "",
        "is_fullwidth": "1",
    }
    return render(request, "staff/look.html", context)


@require_POST
def decide(request: HttpRequest) -> HttpResponse:
    """A ticket of what is ticked, or of one mail by its own button; or dismissed: what is ticked,
    or a whole group."""
    assert access.is_staff(request.user)
    group = request.POST.get("group", "")
    looks = GROUPS[group][1] if group in GROUPS else ()
    there = access.mails(request.user)
    waiting = there.filter(to_look_at__isnull=False)
    lying = there.filter(looked_at__isnull=False) if group == DISMISSED else waiting
    # What has come since the page was made has been seen by nobody.
    shown = waiting.filter(to_look_at__in=looks, pk__lte=whole(request.POST.get("newest", "")) or 0)
    pks = [
        pk for ticked in request.POST.getlist("mail")[:AT_ONCE] if (pk := whole(ticked)) is not None
    ]
    deed = request.POST.get("do", "")
    name, _, one = deed.partition("-")
    if one:
        pks = [pk for pk in [whole(one)] if pk is not None]
    deeds: dict[str, Callable[[], str]] = {
        "ticket": lambda: _tickets(queue.requeue(lying.filter(pk__in=pks), force=True)),
        "dismiss": lambda: _dismissed(
            queue.dismiss(waiting.filter(pk__in=pks), by=str(request.user))
        ),
        "all": lambda: _dismissed(queue.dismiss(shown, by=str(request.user))),
    }
    if name not in deeds or (name != "all" and not pks):
        messages.warning(request, "Tick some mail first.")
    else:
        messages.success(request, deeds[name]())
    return redirect(f"{reverse('admin:to_look_at')}?{urlencode({'group': group})}")


def why(mail: InboundMail) -> str:
    """Why it is where it is, in words."""
    if came_to := mail.evidence.get("came_to"):
        return f"on ticket {mail.ticket_number}, which came to {came_to} as well"
    if mail.state == InboundMail.State.FAILED:
        return (
            "It could not be processed: "
            f"{mail.error.splitlines()[0][:200] if mail.error else 'no reason is known'}"
        )
    return WORDS.get(mail.reason, mail.reason)


def _tickets(number: int) -> str:
    return (
        f"{number} mail{'s' if number != 1 else ''} will be "
        f"{'tickets' if number != 1 else 'a ticket'} in a moment."
    )


def _dismissed(number: int) -> str:
    return (
        f"{number} mails dismissed. They are under Dismissed."
        if number != 1
        else "Dismissed. It is under Dismissed."
    )
