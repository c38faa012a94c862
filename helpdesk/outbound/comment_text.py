"""What a mail of ours says of a comment, and plain text as the HTML of a mail."""

import re

from django.utils.html import escape, urlize
from django.utils.safestring import SafeString, mark_safe

from helpdesk.models import Comment

LINKED = 20_000  # characters in which links are looked for, which takes far longer than all else


def shown(comment: Comment) -> str:
    """What to read of a comment: what is new, or all of it where nothing is (a bare forward)."""
    return comment.text or comment.quoted_text


def words(text: str) -> SafeString:
    """Plain text as the HTML of a mail: paragraphs, line breaks and links."""
    pieces, left = [], LINKED
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        safe = escape(paragraph)
        pieces.append(urlize(safe, nofollow=True) if len(paragraph) <= left else safe)
        left -= len(paragraph)
    return mark_safe("\n".join(f"<p>{piece.replace(chr(10), '<br>')}</p>" for piece in pieces))  # noqa: S308  # escaped above
