"""How the portal shows things, in the customer's words."""

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from helpdesk.models import Comment, Ticket
from helpdesk.outbound.texts import name_for_customers

register = template.Library()


@register.filter
def state_badge(ticket: Ticket) -> SafeString:
    """What a status means to who waits for the answer."""
    words = {
        Ticket.Status.OPEN: _("Received"),
        Ticket.Status.ASSIGNED: _("Being worked on"),
        Ticket.Status.PENDING: _("Waiting for you"),
        Ticket.Status.RESOLVED: _("Resolved"),
        Ticket.Status.CLOSED: _("Closed"),
    }
    return format_html(
        '<span class="badge state-{}">{}</span>', ticket.status, words[Ticket.Status(ticket.status)]
    )


@register.filter
def who(comment: Comment) -> str:
    """The name under which mail goes out: not the agent's where the mailbox does not show it."""
    return (
        name_for_customers(comment.author, comment.ticket.mailbox)
        if comment.author
        else _("Support")
    )


@register.filter
def scores(ticket: Ticket) -> list[tuple[int, str]]:
    return [(5, _("Very good")), (4, _("Good")), (3, _("All right")), (2, _("Poor")), (1, _("Bad"))]
