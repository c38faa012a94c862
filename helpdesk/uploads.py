"""Files that people hand over through the API, the portal and the staff site: checked by what they are, not
by what they are called."""

import re
import secrets
import zipfile
from collections.abc import Sequence
from typing import Any

import filetype
from django.conf import settings
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile

from helpdesk import scanner
from helpdesk.actions import File, Refused
from inbound.reading.parse import safe_name

MAX_FILES = 20
TYPES = {
    "pdf": "application/pdf", "jpg": "image/jpeg", "jpeg": "image/jpeg", "png": "image/png", "gif": "image/gif",
    "webp": "image/webp", "txt": "text/plain", "csv": "text/csv",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "zip": "application/zip",
}  # fmt: skip
_INSIDE = {"docx": "word/document.xml", "xlsx": "xl/workbook.xml"}


def check(uploads: Sequence["UploadedFile[Any]"], field: str = "attachments") -> None:
    """Refused names what is wrong with the first file that can't be taken."""
    if len(uploads) > MAX_FILES:
        raise Refused(f"No more than {MAX_FILES} files at once.", field)
    for upload in uploads:
        name, size = upload.name or "file", upload.size or 0
        if size > settings.ATTACHMENT_MAX_BYTES:
            raise Refused(f"{name}: larger than {settings.ATTACHMENT_MAX_BYTES / 10**6:g} MB.", field)
        if size == 0:
            raise Refused(f"{name}: it is empty.", field)
        extension = name.rpartition(".")[2].lower() if "." in name else ""
        if extension not in settings.ATTACHMENT_TYPES:
            raise Refused(f"{name}: only {', '.join(settings.ATTACHMENT_TYPES)} are taken.", field)
        if not _is(upload, extension):
            raise Refused(f"{name}: its content is no {extension}.", field)
        scan(upload, field)


def store(ticket: int, uploads: Sequence["UploadedFile[Any]"], prefix: str) -> tuple[File, ...]:
    """Puts files that were checked into the storage, under names that can't be guessed. Nothing refers to them yet: those
    of a comment that is not written are swept up."""
    stored = []
    for upload in uploads:
        name = safe_name(upload.name or "", upload.content_type or "", 0)
        extension = re.sub(r"[^A-Za-z0-9]", "", name.rpartition(".")[2])[:10] if "." in name else ""
        path = f"tickets/{ticket}/{prefix}-{secrets.token_hex(8)}{'.' + extension if extension else ''}"
        given = upload.content_type if re.fullmatch(r"[\w.+-]+/[\w.+-]+", upload.content_type or "") else ""
        kind = TYPES.get(extension.lower()) or given or "application/octet-stream"
        upload.seek(0)
        stored.append(File(default_storage.save(path, upload), name, kind[:100], upload.size or 0, is_scanned=True))
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
