"""What the virus scanner says of a file that is in the storage already."""

from django.db import transaction

from helpdesk.files.stored import discard
from helpdesk.history import record
from helpdesk.models import Attachment


def scanned(file: Attachment, result: str, signature: str = "") -> None:
    """The outcome, once. An infected file is deleted; its name and the signature's stay in the
    conversation, and in the ticket's history."""
    with transaction.atomic():
        changed = Attachment.objects.filter(pk=file.pk, scan=Attachment.Scan.WAITING).update(
            scan=result, signature=signature[:200], scan_due_at=None
        )
        if changed and result == Attachment.Scan.INFECTED:
            record(
                file.comment.ticket,
                "file-kept-out",
                None,
                name=file.name,
                signature=signature[:200],
            )
            transaction.on_commit(lambda: discard([str(file.file.name)]), robust=True)
