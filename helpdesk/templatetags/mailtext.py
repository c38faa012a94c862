"""Filters for the words of a mail."""

import re

from django import template
from django.conf import settings
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe

from helpdesk import history
from helpdesk.models import Event, Ticket
from helpdesk.outbound import markdown
from helpdesk.outbound.comment_text import shown, words

register = template.Library()
register.filter(shown)
register.filter(words)

_PREFIXES = re.compile(
    r"^(?:\s*(?:re|aw|sv|antw|odp|ynt|回复|答复|fwd?|wg)\s*(?:\[\d+\])?\s*[:：]\s*)+", re.IGNORECASE
)


@register.filter
def cut_re(subject: str) -> str:
    """The subject without the Re: and Fwd: before it, so that ours adds one and mailers thread
    it."""
    return _PREFIXES.sub("", subject).strip() or subject


SHOWN = 100_000  # characters of a comment on a page; no agent writes more


@register.filter
def beginning(text: str) -> str:
    """As much as a page can show. A mail may hold megabytes of text: the ticket keeps them, and so
    does the mail."""
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}\n\n[…]"


@register.filter
def quoted(text: str) -> str:
    """Each line behind `> `."""
    return "\n".join(f"> {line}".rstrip() for line in text.strip().split("\n"))


@register.filter
def marked(text: str) -> SafeString:
    """Markdown of ours (a signature) as HTML."""
    return mark_safe(markdown.to_html(text))  # noqa: S308  # sanitised there


@register.filter
def staff_link(ticket: Ticket) -> str:
    return settings.PUBLIC_URL + reverse("admin:ticket", args=[ticket.pk])


@register.filter
def described(event: Event) -> str:
    return history.describe(event)
