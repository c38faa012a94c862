"""What a comment is made of, wherever it comes from."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.utils import timezone

from helpdesk import changes, search
from helpdesk.files import scanner
from helpdesk.files.handed_over import File
from helpdesk.models import Attachment, Comment, Person, Ticket
from helpdesk.outbound import markdown
from inbound.models import InboundMail
from tasks.ring import ring


@dataclass(frozen=True, slots=True)
class Content:
    """Text and sanitised HTML of a comment, its quoted history, and its files."""

    text: str
    html: str = ""
    quoted_text: str = ""
    quoted_html: str = ""
    files: tuple[File, ...] = ()
    is_automatic: bool = False
    mail: InboundMail | None = None
    created_at: datetime | None = None


def from_markdown(content: Content) -> Content:
    """The same with its HTML. A picture that the text shows by its file name is shown in its
    place."""
    files = tuple(
        replace(file, is_inline=True, content_id=f"{secrets.token_hex(12)}@helpdesk")
        if file.content_type.startswith("image/") and markdown.shows(content.text, file.name)
        else file
        for file in content.files
    )
    images = {file.name: file.content_id for file in files if file.is_inline}
    return replace(
        content, files=files, html=content.html or markdown.to_html(content.text, images)
    )


def write_comment(
    ticket: Ticket,
    author: Person | None,
    content: Content,
    *,
    visibility: str,
    via: str,
    held_reason: str = "",
    asks_to_add: Sequence[Sequence[str]] = (),
) -> Comment:
    """The comment's row, its attachments' rows and its place in the search index."""
    comment = Comment(
        pk=changes.number_for(Comment),
        ticket=ticket,
        author=author,
        mail=content.mail,
        visibility=visibility,
        via=via,
        text=content.text,
        html=content.html,
        quoted_text=content.quoted_text,
        quoted_html=content.quoted_html,
        is_automatic=content.is_automatic,
        held_reason=held_reason,
        asks_to_add=[list(found) for found in asks_to_add],
    )
    if content.created_at:
        comment.created_at = content.created_at
    changes.insert(comment)
    files = [_attachment(comment, file) for file in content.files]
    changes.insert_all(files)
    for row in files:
        if row.scan == Attachment.Scan.WAITING:
            ring("tasks.scanning.scan", row.pk)
    changes.together(search.index, (comment, ticket))
    return comment


def _attachment(comment: Comment, file: File) -> Attachment:
    return Attachment(
        pk=changes.number_for(Attachment),
        comment=comment,
        file=file.stored,
        name=file.name,
        content_type=file.content_type,
        size=file.size,
        content_id=file.content_id,
        is_inline=file.is_inline,
        **_scan(file),
    )


def _scan(file: File) -> dict[str, Any]:
    if not scanner.is_on():
        return {}
    if file.is_scanned:
        return {"scan": Attachment.Scan.CLEAN}
    return {"scan": Attachment.Scan.WAITING, "scan_due_at": timezone.now()}
