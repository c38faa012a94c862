"""Filters for the words of a mail."""

import re

from django import template
from django.conf import settings
from django.urls import reverse
from django.utils.html import escape, urlize
from django.utils.safestring import SafeString, mark_safe

from helpdesk import history, markdown
from helpdesk.models import Comment, Event, Ticket

register = template.Library()

_PREFIXES = re.compile(r"^(?:\s*(?:re|aw|sv|antw|odp|ynt|回复|答复|fwd?|wg)\s*(?:\[\d+\])?\s*[:：]\s*)+", re.IGNORECASE)


@register.filter
def cut_re(subject: str) -> str:
    """The subject without the Re: and Fwd: before it, so that ours adds one and mailers thread it."""
    return _PREFIXES.sub("", subject).strip() or subject


SHOWN = 100_000  # characters of a comment on a page; no agent writes more
LINKED = 20_000  # characters in which links are looked for, which takes far longer than all else


@register.filter
def words(text: str) -> SafeString:
    """Plain text as the HTML of a mail: paragraphs, line breaks and links."""
    pieces, left = [], LINKED
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        safe = escape(paragraph)
        pieces.append(urlize(safe, nofollow=True) if len(paragraph) <= left else safe)
        left -= len(paragraph)
    return mark_safe("\n".join(f"<p>{piece.replace(chr(10), '<br>')}</p>" for piece in pieces))  # noqa: S308  # escaped above


@register.filter
def beginning(text: str) -> str:
    """As much as a page can show. A mail may hold megabytes of text: the ticket keeps them, and so does the mail."""
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}\n\n[…]"


@register.filter
def shown(comment: Comment) -> str:
    """What to read of a comment: what is new, or all of it where nothing is (a bare forward)."""
    return comment.text or comment.quoted_text


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
