"""“To look at”: mail that no rule could place. One click makes a ticket of it, or dismisses it."""

from collections.abc import Callable
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from helpdesk import access, ledger
from inbound import store
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
WORDS = {
    "no sender": "It names no sender that one could write to.",
    "from our own address": "From is our own address, and nobody else is named.",
    "auto-reply": "An automatic reply to nothing of ours.",
    "unknown report": "A delivery report about mail that we did not send.",
    "spam": "The mail filter marked it as spam.",
    "blocked sender": "Its sender is blocked.",
    "unknown bounce": "Taken for a delivery report by an earlier version.",
    "loop": "From is our own address; an earlier version took it for our mail.",
}


@require_GET
def to_look_at(request: HttpRequest) -> HttpResponse:
    assert access.is_staff(request.user)
    counts = ledger.to_look_at()
    group = request.GET.get("group", "")
    group = group if group in GROUPS else "unplaced"
    rows = InboundMail.objects.filter(to_look_at__in=GROUPS[group][1]).select_related("mailbox").order_by("-pk")
    if (before := request.GET.get("before", "")).isdigit():
        rows = rows.filter(pk__lt=int(before[:18]))
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
        ],
        "group": group,
        "rows": [(mail, why(mail)) for mail in shown],
        "older": link(group=group, before=str(shown[-1].pk)) if len(found) > PAGE else "",
        "is_fullwidth": "1",
    }
    return render(request, "staff/look.html", context)


@require_POST
def decide(request: HttpRequest) -> HttpResponse:
    """A ticket of what is ticked, or of one mail by its own button; or dismissed: what is ticked, or a whole group."""
    assert access.is_staff(request.user)
    group = request.POST.get("group", "")
    looks = GROUPS[group][1] if group in GROUPS else ()
    waiting = InboundMail.objects.filter(to_look_at__isnull=False)
    pks = [int(pk) for pk in request.POST.getlist("mail") if pk.isdigit()][:AT_ONCE]
    deed = request.POST.get("do", "")
    name, _, one = deed.partition("-")
    if one.isdigit():
        pks = [int(one)]
    deeds: dict[str, Callable[[], str]] = {
        "ticket": lambda: _tickets(store.requeue(waiting.filter(pk__in=pks), force=True)),
        "dismiss": lambda: _dismissed(store.dismiss(waiting.filter(pk__in=pks), by=str(request.user))),
        "all": lambda: _dismissed(store.dismiss(waiting.filter(to_look_at__in=looks), by=str(request.user))),
    }
    if name not in deeds or (name != "all" and not pks):
        messages.warning(request, "Tick some mail first.")
    else:
        messages.success(request, deeds[name]())
    return redirect(f"{reverse('admin:to_look_at')}?{urlencode({'group': group})}")


def count() -> int:
    """How many somebody should read."""
    counts = ledger.to_look_at()
    return sum(counts.get(look, 0) for look in GROUPS["unplaced"][1])


def why(mail: InboundMail) -> str:
    """Why it lies there, in words."""
    if mail.state == InboundMail.State.FAILED:
        return f"It could not be processed: {mail.error.splitlines()[0][:200] if mail.error else 'no reason is known'}"
    return WORDS.get(mail.reason, mail.reason)


def _tickets(number: int) -> str:
    return f"{number} mail{'s' if number != 1 else ''} will be {'tickets' if number != 1 else 'a ticket'} in a moment."


def _dismissed(number: int) -> str:
    return f"{number} mail{'s' if number != 1 else ''} dismissed. They stay under Incoming."
