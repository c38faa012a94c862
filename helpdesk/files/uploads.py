"""Files that people hand over through the API, the portal and the staff site: checked by what they
are, not by what they are called."""

import re
import secrets
import zipfile
from collections.abc import Sequence
from typing import Any

import filetype
from django.conf import settings
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile

from helpdesk.files import scanner
from helpdesk.files.handed_over import File
from helpdesk.refused import Refused
from inbound.reading.mime.file_names import safe_name

MAX_FILES = 20
MAX_TOGETHER = 20 * 10**6  # of files that go out with an agent's answer
TYPES = {
    "pdf": "application/pdf",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "webp": "image/webp",
    "txt": "text/plain",
    "csv": "text/csv",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "zip": "application/zip",
}
_INSIDE = {"docx": "word/document.xml", "xlsx": "xl/workbook.xml"}


def check(
    uploads: Sequence["UploadedFile[Any]"], field: str = "attachments", *, any_type: bool = False
) -> None:
    """Refused names what is wrong with the first file that can't be taken.

    `any_type`: agents answer with whatever a customer needs, a log, a macro, a program. What the
    settings say of types and sizes is said of the API and the portal, and does not hold on the
    agents' site; there all files together are bounded. They are scanned as everybody's are.
    """
    if any_type:
        if sum(upload.size or 0 for upload in uploads) > MAX_TOGETHER:
            most = MAX_TOGETHER // 10**6
            raise Refused(f"{field}: together they must not be larger than {most} MB.", field)
    elif len(uploads) > MAX_FILES:
        raise Refused(f"No more than {MAX_FILES} files at once.", field)
    for upload in uploads:
        if not any_type:
            _check_kind(upload, field)
        scan(upload, field)


def _check_kind(upload: "UploadedFile[Any]", field: str) -> None:
    """Whether one file is of a size and a type that are taken, and is what its name says."""
    name, size = upload.name or "file", upload.size or 0
    if size > settings.ATTACHMENT_MAX_BYTES:
        most = settings.ATTACHMENT_MAX_BYTES / 10**6
        raise Refused(f"{name}: larger than {most:g} MB.", field)
    if size == 0:
        raise Refused(f"{name}: it is empty.", field)
    extension = name.rpartition(".")[2].lower() if "." in name else ""
    if extension not in settings.ATTACHMENT_TYPES:
        raise Refused(f"{name}: only {', '.join(settings.ATTACHMENT_TYPES)} are taken.", field)
    if not _is(upload, extension):
        raise Refused(f"{name}: its content is no {extension}.", field)


def store(
    ticket: int, uploads: Sequence["UploadedFile[Any]"], prefix: str, *, any_type: bool = False
) -> tuple[File, ...]:
    """Puts files that were checked into the storage, under names that can't be guessed. Nothing
    refers to them yet: those of a comment that is not written are swept up. Of `any_type` nobody
    has looked whether a file is what its name says: it is what the browser says."""
    stored = []
    for upload in uploads:
        name = safe_name(upload.name or "", upload.content_type or "", 0)
        extension = re.sub(r"[^A-Za-z0-9]", "", name.rpartition(".")[2])[:10] if "." in name else ""
        ending = f".{extension}" if extension else ""
        path = f"tickets/{ticket}/{prefix}-{secrets.token_hex(8)}{ending}"
        given = (
            upload.content_type
            if re.fullmatch(r"[\w.+-]+/[\w.+-]+", upload.content_type or "")
            else ""
        )
        by_name = "" if any_type else TYPES.get(extension.lower())
        kind = by_name or given or "application/octet-stream"
        upload.seek(0)
        stored.append(
            File(
                default_storage.save(path, upload),
                name,
                kind[:100],
                upload.size or 0,
                is_scanned=True,
            )
        )
    return tuple(stored)


def scan(upload: "UploadedFile[Any]", field: str = "attachments") -> None:
    """Has it looked at, where there is a scanner. Raises Refused or scanner.ScannerAway."""
    if not scanner.is_on():
        return
    upload.seek(0)
    try:
        signature = scanner.scan(upload)
    finally:
        upload.seek(0)
    if signature:
        raise Refused(f"{upload.name}: the virus scanner refuses it ({signature}).", field)


def _is(upload: "UploadedFile[Any]", extension: str) -> bool:
    upload.seek(0)
    head = upload.read(8192)
    upload.seek(0)
    if extension in _INSIDE:
        try:
            with zipfile.ZipFile(upload) as archive:
                return _INSIDE[extension] in archive.namelist()
        except Exception:  # what a made-up archive makes zipfile raise is anybody's guess
            return False
        finally:
            upload.seek(0)
    if extension in {"txt", "csv"}:
        return b"\0" not in head and filetype.guess(head) is None
    found = filetype.guess(head)
    expected = TYPES.get(extension)
    return found is not None and (expected is None or found.mime == expected)
