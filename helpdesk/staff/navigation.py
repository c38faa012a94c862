"""The sidebar and the command palette."""

from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from unfold.dataclasses import SearchResult

from helpdesk import access, ledger
from helpdesk.staff import queues


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    if not access.is_staff(request.user):
        return []
    groups: list[dict[str, Any]] = [
        {
            "title": "Tickets",
            "items": _queues(request),
        },
        {
            "title": "Mail",
            "separator": True,
            "items": [_to_look_at(request), _model("Incoming", "mail", "inbound_inboundmail")],
        },
    ]
    groups[1]["items"] += [{"title": "Ledger", "icon": "balance", "link": reverse("admin:ledger")}]
    groups[1]["items"] += [
        {"title": "Mail to me", "icon": "notifications", "link": reverse("admin:me")}
    ]
    if access.is_admin(request.user):
        groups[1]["items"] += [_model("Outgoing", "outbox", "helpdesk_outboundmail")]
        if settings.EMAIL_BACKEND == "helpdesk.outbound.to_files.EmailBackend":
            groups[1]["items"] += [
                {"title": "Sent to files", "icon": "drafts", "link": reverse("admin:sent_mail")}
            ]
        groups.append(
            {
                "title": "Settings",
                "separator": True,
                "items": [
                    _model("Mailboxes", "alternate_email", "inbound_mailbox"),
                    _model("IMAP accounts", "cloud_download", "inbound_imapaccount"),
                    _model("Mail texts", "draft", "helpdesk_mailtemplate"),
                    _model("Teams", "groups", "helpdesk_team"),
                    _model("Categories", "label", "helpdesk_category"),
                    _model("SLA policies", "timer", "helpdesk_slapolicy"),
                    _model("Business calendars", "calendar_month", "helpdesk_businesscalendar"),
                    _model("People", "person", "helpdesk_person"),
                    _model("Blocked senders", "block", "helpdesk_blockedsender"),
                    _model("Support PINs", "pin", "helpdesk_supportpin"),
                    _model("Suppressed addresses", "unsubscribe", "helpdesk_suppression"),
                    _model("Trusted senders", "verified_user", "helpdesk_trustedway"),
                ],
            }
        )
    return groups


def command(request: HttpRequest, term: str) -> list[SearchResult]:
    """Ctrl+K: tickets by number or words."""
    if not access.is_staff(request.user):
        return []
    found = queues.page(request.user, {"q": term})
    return [
        SearchResult(
            title=f"#{ticket.pk} {ticket.subject}",
            description=str(ticket.requester),
            icon="confirmation_number",
            link=reverse("admin:ticket", args=[ticket.pk]),
        )
        for ticket in found.tickets[:10]
    ]


def _queues(request: HttpRequest) -> list[dict[str, Any]]:
    assert access.is_staff(request.user)
    shown = [queue for queue in queues.QUEUES if queue.in_sidebar]
    return [
        _queue(queue, number)
        for queue, number in zip(shown, queues.counts(request.user, shown), strict=True)
    ]


def _queue(queue: queues.Queue, number: str) -> dict[str, Any]:
    def active(current: HttpRequest) -> bool:
        return (
            current.path == reverse("admin:tickets")
            and current.GET.get("queue", "unsolved") == queue.slug
        )

    item: dict[str, Any] = {
        "title": queue.title,
        "icon": queue.icon,
        "link": f"{reverse('admin:tickets')}?queue={queue.slug}",
        "active": active,
    }
    return item | {"badge": number, "badge_variant": "primary"} if number else item


def _to_look_at(request: HttpRequest) -> dict[str, Any]:
    item: dict[str, Any] = {
        "title": "To look at",
        "icon": "visibility",
        "link": reverse("admin:to_look_at"),
    }
    if number := ledger.to_read(access.mails(request.user)):
        item |= {"badge": str(number), "badge_variant": "warning"}
    return item


def _model(title: str, icon: str, name: str) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": _list_of(name)}


@cache
def _list_of(name: str) -> str:
    return reverse(f"admin:{name}_changelist")
