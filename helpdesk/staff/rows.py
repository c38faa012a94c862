"""The rows of the ticket list. They are made here and not by a template: thirty of them, of twenty
tags each, took longer than all that the database does for the page."""

from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.timezone import localtime

from helpdesk.models import Ticket
from helpdesk.templatetags.staff import age, due_class, due_in, priority_badge, status_badge

SHOWN_TIME = "j M Y H:i"


def row(ticket: Ticket) -> SafeString:
    """A ticket's `<li>`: a box to tick, what it is about and whose it is, how it stands, who has it
    and when it was last touched."""
    pk = ticket.pk
    waits = " hd-waits" if ticket.customer_waits_since else ""
    at = localtime(ticket.activity_at)
    return mark_safe(  # noqa: S308  # each part escapes what people wrote
        f'<li class="hd-row{waits}">\n'
        f'<label class="hd-check"><input type="checkbox" name="ticket" value="{pk}"'
        f' aria-label="Tick #{pk}"></label>\n'
        f'<a class="hd-row-main" href="{escape(_link(pk))}">\n'
        f'<span class="hd-row-subject">{escape(ticket.subject)}</span>\n'
        f'<span class="hd-row-who"><span class="hd-number">#{pk}</span> {_requester(ticket)}</span>'
        f"{_who_waits(ticket)}\n</a>\n"
        f'<div class="hd-row-meta">\n<span class="hd-row-badges">{_badges(ticket)}</span>\n'
        f'<span class="hd-row-agent">\n{_holder(ticket)}\n</span>\n</div>\n'
        f'<time class="hd-row-age" datetime="{at.isoformat()}"'
        f' title="{date_format(at, SHOWN_TIME)}">{age(ticket.activity_at)}</time>\n</li>'
    )


def _link(pk: int) -> str:
    return f"{reverse('admin:tickets')}{pk}/"


def _requester(ticket: Ticket) -> str:
    person = ticket.requester
    address = f' <span class="hd-faint">{escape(person.email)}</span>' if person.name else ""
    return f"{escape(person)}{address}"


def _who_waits(ticket: Ticket) -> str:
    lines: list[str] = ticket.who_waits  # type: ignore[attr-defined]
    return "".join(f'<span class="hd-row-why hd-faint">{escape(line)}</span>' for line in lines)


def _badges(ticket: Ticket) -> str:
    found = []
    if ticket.is_forged:  # type: ignore[attr-defined]
        found.append(
            '<span class="hd-badge hd-spam" title="By the rules of its sender&#x27;s domain (DMARC)'
            ' it is not from there">Not from them</span>'
        )
    if ticket.has_held and not ticket.who_waits:  # type: ignore[attr-defined]
        found.append(
            '<span class="hd-badge hd-pending" title="Somebody waits to be let in">Held</span>'
        )
    if ticket.sla_due_at:
        found.append(_due(ticket))
    elif ticket.is_breached and ticket.is_unsolved:
        found.append('<span class="hd-due hd-due-late">missed</span>')
    if ticket.priority != Ticket.Priority.NORMAL:
        found.append(priority_badge(ticket))
    return "".join([*found, status_badge(ticket)])


def _due(ticket: Ticket) -> str:
    assert ticket.sla_due_at is not None
    how = due_class(ticket.sla_due_at)
    was_missed = ticket.is_breached and how != "late"
    before = "; a time before was missed" if was_missed else ""
    missed = '<span class="hd-due-late">missed</span>, ' if was_missed else ""
    return (
        f'<span class="hd-due hd-due-{how}"'
        f' title="Due {date_format(localtime(ticket.sla_due_at), SHOWN_TIME)}{before}">'
        f"{missed}{'' if how == 'late' else 'due '}{due_in(ticket.sla_due_at)}</span>"
    )


def _holder(ticket: Ticket) -> str:
    team = ticket.team
    if ticket.assignee is not None:
        holder = escape(ticket.assignee)
    elif ticket.status == Ticket.Status.OPEN and team and team.strategy != team.Strategy.MANUAL:
        holder = mark_safe('<span class="hd-faint">Waits for a free agent</span>')
    else:
        holder = mark_safe('<span class="hd-faint">Unassigned</span>')
    return f'{holder}<br><span class="hd-faint">{escape(team)}</span>' if team else holder
