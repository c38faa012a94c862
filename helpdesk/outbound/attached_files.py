"""A comment's files as parts of the mail that says it."""

from contextlib import suppress
from email.encoders import encode_base64
from email.mime.base import MIMEBase
from email.mime.image import MIMEImage
from urllib.parse import quote

from helpdesk.files import scanner
from helpdesk.models import Attachment
from helpdesk.outbound.message import Message

# characters of a file's name in a header, where each of a foreign script is up to twelve (RFC 2231)
FILE_NAME = 600


class NotScanned(Exception):
    """A file of the mail waits for the virus scanner. Temporary."""


def attach_files(composed: Message, comment: int, html: str) -> None:
    for item in Attachment.objects.filter(comment=comment).exclude(scan=Attachment.Scan.INFECTED):
        if item.scan == Attachment.Scan.WAITING and scanner.is_on():
            raise NotScanned(f"{item.name} waits for the virus scanner")
        with item.file.open("rb") as file:
            data = file.read()
        if (
            item.content_id
            and f"cid:{item.content_id}" in html
            and item.content_type.startswith("image/")
        ):
            picture = MIMEImage(data, _subtype=item.content_type.partition("/")[2])
            picture["Content-ID"] = f"<{item.content_id}>"
            picture.add_header("Content-Disposition", "inline", filename=_file_name(item.name))
            composed.pictures.append(picture)
        else:
            composed.attach(_file(item.name, data, item.content_type))


def _file(name: str, data: bytes, content_type: str) -> MIMEBase:
    """The file byte for byte. A mail or a web archive in it is a file as well: as message/* and
    multipart/* it would have to stand there as it is (RFC 2046 5.2.1), with its long lines and its
    8-bit text."""
    major, _, minor = content_type.partition("/")
    if major in {"message", "multipart"} or not minor:
        major, minor = "application", "octet-stream"
    part = MIMEBase(major, minor)
    if major == "text":
        with suppress(UnicodeDecodeError):
            data.decode()
            part.set_param("charset", "utf-8")
    part.set_payload(data)
    encode_base64(part)
    part.add_header("Content-Disposition", "attachment", filename=_file_name(name))
    return part


def _file_name(name: str) -> str | tuple[str, str, str]:
    """For a header's parameter (RFC 2231), its end kept, so that no line gets too long."""
    stem, dot, ending = name.rpartition(".")
    if not dot or len(ending) > 10:
        stem, dot, ending = name, "", ""
    while len(quote(f"{stem}{dot}{ending}")) > FILE_NAME:
        stem = stem[:-1]
    whole = f"{stem}{dot}{ending}"
    return whole if whole.isascii() else ("utf-8", "", whole)
