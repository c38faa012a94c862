"""The messages that lie under a path: a file, an mbox, a Maildir with its folders, or a folder of
any of these.

Mail programs keep more beside them. In a folder a file is taken by its name (`MAIL`; in an MH
folder a number), because it lies in a Maildir, or because it begins as an mbox does, as the
mailboxes of Thunderbird and Apple Mail do, which have names of any kind. What is given by its own
name is always mail. Nothing is left out in silence: what cannot be read is named, and so is what is
no mail.
"""

import gzip
import os
import re
import stat
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from inbound import mbox
from inbound.mbox_window import CHUNK, File

MAIL = {".eml", ".emlx", ".txt", ".msg"}
MBOX = {".mbox", ".mbx"}
UNREADABLE = (OSError, EOFError, zlib.error)
PEEKED = 4_000  # bytes in which an mbox shows that it is one
BOXES = {"cur", "new"}  # a Maildir's


@dataclass(frozen=True, slots=True)
class Found:
    """A message by the name of its file and its place there; `raw` is None where it cannot be had,
    and `why` says so. Or a file, or a link to a folder, that is passed over, for it is no mail;
    `why` says more where people might expect mail."""

    name: str
    raw: bytes | None
    why: str = ""
    is_mail: bool = True


def messages(source: Path, limit: int) -> Iterator[Found]:
    """One after the other, in the order of their names; none of more than `limit` bytes is held."""
    if not os.path.isdir(source):
        yield from _file(source, limit)
        return
    unreadable: list[OSError] = []
    for folder, inner, files in os.walk(source, onerror=unreadable.append):
        yield from _refused(unreadable)
        here = Path(folder)
        for name in sorted(files):
            yield from _in_folder(here / name, limit)
        yield from _passed_over_in(here, inner)
        inner[:] = sorted(name for name in inner if _is_walked(here / name))
    yield from _refused(unreadable)


def _refused(errors: list[OSError]) -> Iterator[Found]:
    while errors:
        error = errors.pop(0)
        yield Found(str(error.filename), None, _unreadable(error))


def _passed_over_in(here: Path, inner: list[str]) -> Iterator[Found]:
    for path in (here / name for name in sorted(inner)):
        if path.is_symlink():
            yield Found(str(path), None, "a link to a folder is not followed", is_mail=False)
        elif not _is_walked(path):
            yield Found(str(path), None, is_mail=False)


def _is_walked(folder: Path) -> bool:
    """Hidden folders are a Maildir's own (Maildir++), or no business of ours."""
    is_maildir = any(os.path.isdir(folder / box) for box in BOXES)
    return not folder.is_symlink() and (folder.name[0] != "." or is_maildir)


def _in_folder(path: Path, limit: int) -> Iterator[Found]:
    try:
        kind = _kind(path)
    except UNREADABLE as error:
        yield Found(str(path), None, _unreadable(error))
        return
    if kind == "file":
        yield from _file(path, limit)
    elif kind == "message":
        yield _one_file(path, limit)
    else:
        yield Found(str(path), None, is_mail=False)


def _kind(path: Path) -> str:
    """What a file in a folder is: "file", which may hold many messages, "message", or "" where it
    is no mail. Raises what reading it raises."""
    name = path.name.lower()
    if name.startswith(".") or name.endswith(".msf") or not stat.S_ISREG(path.stat().st_mode):
        return ""
    box = path.absolute().parent
    if box.name == "tmp" and any(os.path.isdir(box.parent / each) for each in BOXES):
        return ""  # it is not delivered yet
    # A folder that is called "new" may be no Maildir's.
    if box.name == "cur" or (box.name == "new" and os.path.isdir(box.parent / "cur")):
        return "message"
    if _suffix(path) in MAIL | MBOX:
        return "file"
    with _opened(path) as file:
        if mbox.begins(file.peek(PEEKED)):
            return "file"
        head = file.read(PEEKED)  # unlike peek, it says where a .gz is cut off
    is_one = box.name == "new" or _NUMBER.fullmatch(name)
    return "message" if is_one and _FIELD.match(head) else ""


def too_large(size: int, limit: int) -> str:
    return f"it has {size:,} bytes, more than MAX_MAIL_BYTES ({limit:,})"


def _file(path: Path, limit: int) -> Iterator[Found]:
    number = 0
    try:
        with _opened(path) as file:  # once: a pipe can't be opened again
            if _suffix(path) == ".emlx":
                yield _apples(path, file, limit)
                return
            if _suffix(path) not in MBOX and not mbox.begins(file.peek(PEEKED)):
                yield _one(path, file, limit)
                return
            for found in mbox.messages(file, limit):
                number = found.number
                why = (
                    f"{_title(found.head)}{too_large(found.size, limit)}"
                    if found.raw is None
                    else ""
                )
                yield Found(f"{path}, message {number}", found.raw, why)
    except UNREADABLE as error:
        yield Found(
            f"{path}, behind message {number}" if number else str(path), None, _unreadable(error)
        )


def _one_file(path: Path, limit: int) -> Found:
    try:
        with _opened(path) as file:
            return _one(path, file, limit)
    except UNREADABLE as error:
        return Found(str(path), None, _unreadable(error))


def _one(path: Path, file: File, limit: int) -> Found:
    raw, size = read_limited(file, limit)
    return Found(str(path), raw, "" if raw is not None else too_large(size, limit))


def _apples(path: Path, file: "BufferedReader | _Gzip", limit: int) -> Found:
    """An .emlx of Apple Mail: a line with the number of bytes, so many bytes of mail, and a
    property list. Some programs write a mail alone under this name."""
    counted = _COUNT.match(file.peek(PEEKED))
    if not counted:
        return _one(path, file, limit)
    file.read(counted.end())
    size = int(counted[1])
    if size > limit:
        return Found(str(path), None, too_large(size, limit))
    raw = file.read(size)
    if len(raw) < size:
        return Found(
            str(path),
            None,
            f"it ends after {len(raw):,} bytes of the {size:,} that its first line says",
        )
    return Found(str(path), raw)


def read_limited(file: File, limit: int) -> tuple[bytes | None, int]:
    """What is in the file, and how many bytes; None where these are more than `limit`."""
    raw = file.read(limit + 1)
    if len(raw) <= limit:
        return raw, len(raw)
    size = len(raw)
    del raw
    while piece := file.read(CHUNK):
        size += len(piece)
    return None, size


def _opened(path: Path) -> "BufferedReader | _Gzip":
    return _Gzip(path) if path.suffix.lower() == ".gz" else path.open("rb")


class _Gzip(gzip.GzipFile):
    def seekable(self) -> bool:
        return False  # it is, by reading everything again from its beginning


def _suffix(path: Path) -> str:
    return Path(path.name.lower().removesuffix(".gz")).suffix


def _unreadable(error: Exception) -> str:
    return f"it cannot be read: {type(error).__name__}: {error}"


def _title(head: bytes) -> str:
    """By which of its fields a person finds a message again."""
    found = {name.lower(): value for name, value in _TITLES.findall(head)}
    value = found.get(b"subject") or found.get(b"message-id") or b""
    return f"({value.decode('utf-8', 'replace').strip()}) " if value.strip() else ""


_NUMBER = re.compile(r"[0-9]+")
_FIELD = re.compile(rb"[!-9;-~]{1,100}[ \t]{0,10}:|From ")
_COUNT = re.compile(rb"[ \t]{0,100}([0-9]{1,12})[ \t]{0,100}\r?\n")
_TITLES = re.compile(rb"(?<![^\r\n])(subject|message-id):([^\r\n]{0,200})", re.IGNORECASE)
