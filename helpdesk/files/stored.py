"""Where attachments are kept: Django's storage, under `tickets/`, in a folder for each ticket, and
one for each thousand mails.

A mail's files are named by the mail and the part, so that a second attempt overwrites what the
first one left. They are written before the transaction that refers to them, and so before anybody
knows the ticket; what a failed attempt leaves behind is swept up by `orphans`.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from itertools import islice
from typing import Any

from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage, default_storage
from django.db import transaction

from helpdesk.models import Attachment, Comment
from inbound.reading.message import Attachment as MailAttachment

CHUNK = 500  # names that one query asks for
PER_FOLDER = 1000  # mails


class Storage(FileSystemStorage):
    """The local disk. A file is on it, not only in the page cache, before its row is committed."""

    def __init__(self) -> None:
        super().__init__(allow_overwrite=True)

    def _save(self, name: str, content: "File[Any]") -> str:
        name = super()._save(name, content)  # type: ignore[misc]
        descriptor = os.open(self.path(name), os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return name


def save_mail_files(mail: int, attachments: Iterable[MailAttachment]) -> dict[int, str]:
    """Stores a mail's attachments: part → name in the storage. Raises OSError."""
    return {
        item.part: default_storage.save(mail_file_name(mail, item), ContentFile(item.data))
        for item in attachments
    }


def mail_file_name(mail: int, item: MailAttachment) -> str:
    _stem, dot, extension = item.name.rpartition(".")
    extension = (
        "".join(char for char in extension if char.isascii() and char.isalnum())[:10] if dot else ""
    )
    folder = f"tickets/mails-{mail // PER_FOLDER}"
    return f"{folder}/mail-{mail}-{item.part}{'.' + extension if extension else ''}"


def discard(stored: Iterable[str]) -> None:
    """Deletes files whose comment was not written after all."""
    for name in stored:
        default_storage.delete(name)


def discard_after_commit(comment: Comment) -> None:
    """Deletes a comment's files once the transaction that deletes it has committed."""
    names = list(Attachment.objects.filter(comment=comment).values_list("file", flat=True))
    transaction.on_commit(lambda: discard(names), robust=True)


def orphans(before: datetime) -> Iterator[str]:
    """Stored files older than `before` that no attachment names: left by attempts that failed. One
    query for CHUNK of them, however few a ticket has."""
    names = _stored_names()
    while some := list(islice(names, CHUNK)):
        known = set(Attachment.objects.filter(file__in=some).values_list("file", flat=True))
        for name in some:
            with suppress(FileNotFoundError):  # somebody else has just deleted it
                if name not in known and default_storage.get_modified_time(name) < before:
                    yield name


def _stored_names() -> Iterator[str]:
    with suppress(FileNotFoundError):
        for folder in default_storage.listdir("tickets")[0]:
            with suppress(FileNotFoundError):
                yield from (
                    f"tickets/{folder}/{name}"
                    for name in default_storage.listdir(f"tickets/{folder}")[1]
                )
