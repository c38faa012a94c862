"""A comment that is changed or taken away afterwards."""

from datetime import timedelta
from typing import Any

from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone

from helpdesk import search
from helpdesk.actions.common import changing
from helpdesk.actions.content import Content, from_markdown
from helpdesk.history import record
from helpdesk.models import (
    Attachment,
    Comment,
    OutboundMail,
    Person,
)
from helpdesk.refused import Refused

EDITABLE_FOR = timedelta(minutes=15)


def edit_comment(comment: Comment, text: str, *, actor: Person) -> None:
    """An author changes their own message of the API or the portal, for 15 minutes."""
    text = text.replace("\r\n", "\n").strip()
    if not text:
        raise Refused("Write something first.", "body")
    with changing(comment.ticket):
        _own_and_fresh(comment, actor)
        rewrite(comment, text, actor)


def delete_comment(comment: Comment, *, actor: Person) -> None:
    """An author takes their own message back for 15 minutes; an admin deletes any but the first."""
    with changing(comment.ticket) as current:
        if not actor.is_superuser:
            _own_and_fresh(comment, actor)
        first = current.comments.order_by("created_at", "id").first()
        if first is not None and first.pk == comment.pk:
            raise Refused("This is what opened the ticket; delete or withdraw the ticket instead.")
        record(current, "comment-deleted", actor, author=str(comment.author))
        delete_files(Attachment.objects.filter(comment=comment))
        comment.delete()


def _own_and_fresh(comment: Comment, actor: Person) -> None:
    if comment.mail_id or comment.via == Comment.Via.EMAIL:
        raise Refused("What came by mail is never changed.")
    if comment.author_id != actor.pk:
        raise Refused("Only its author changes a comment.")
    if timezone.now() - comment.created_at > EDITABLE_FOR:
        raise Refused("A comment can be changed for 15 minutes.")
    left = OutboundMail.objects.filter(comment=comment, kind="reply").exclude(
        state=OutboundMail.State.CANCELLED
    )
    if left.exists():
        raise Refused("It has been mailed to the customer already.")


def rewrite(comment: Comment, text: str, actor: Person) -> None:
    comment.text, comment.edited_at = text, timezone.now()
    if actor.is_staff:
        comment.html = from_markdown(Content(text=text)).html
    comment.save(update_fields=["text", "html", "edited_at"])
    search.move(comment, comment.ticket)
    record(comment.ticket, "comment-edited", actor, comment=comment.pk)


def delete_files(rows: Any) -> None:
    names = list(rows.values_list("file", flat=True))

    def delete() -> None:
        for name in names:
            default_storage.delete(name)

    transaction.on_commit(delete, robust=True)
