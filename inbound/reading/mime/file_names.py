"""What a stranger's file is called where it is shown and stored."""

import re

from inbound.reading import headers


def safe_name(name: str, kind: str, part: int) -> str:
    """A file name to show and store: its last path component, no control characters, 200 at the
    most."""
    name = re.split(r"[\\/]", headers.one_line(name[-1000:]))[-1].strip(". ")
    name = re.sub(r'[<>:"|?*]', "_", name)
    if not name:
        image = kind.split("/")[1] if kind.startswith("image/") else "bin"
        return f"part-{part}.{_EXTENSIONS.get(kind) or image}"
    return name if len(name) <= 200 else _shortened(name)


def _shortened(name: str) -> str:
    """With its extension, where it has one."""
    stem, dot, extension = name.rpartition(".")
    if dot and len(extension) < 20:
        return f"{stem[: 190 - len(extension)]}.{extension}"
    return name[:200]


_EXTENSIONS = {
    "text/plain": "txt",
    "text/html": "html",
    "text/calendar": "ics",
    "text/vcard": "vcf",
    "text/x-vcard": "vcf",
    "text/csv": "csv",
    "text/rfc822-headers": "txt",
    "message/rfc822": "eml",
    "message/delivery-status": "txt",
    "message/disposition-notification": "txt",
    "message/feedback-report": "txt",
    "image/jpeg": "jpg",
    "image/svg+xml": "svg",
    "application/pdf": "pdf",
    "application/zip": "zip",
    "application/msword": "doc",
    "application/pgp-signature": "asc",
    "application/pkcs7-signature": "p7s",
}
