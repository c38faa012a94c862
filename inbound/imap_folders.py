"""The names of folders on IMAP servers: which two are one folder."""

import re
import unicodedata
from collections.abc import Iterable

from imapclient.imap_utf7 import decode

_INBOX = re.compile(r"^inbox(?=$|[/.\\])", re.IGNORECASE)


def as_known(folder: str) -> str:
    """INBOX is the same in whatever case (RFC 3501 5.1): two ways to write it are no two
    accounts."""
    return "INBOX" if folder.upper() == "INBOX" else folder


def is_same_folder(one: str, other: str, prefixes: Iterable[str] = ()) -> bool:
    """Whether both lead to one folder: quoted, in modified UTF-7 (RFC 3501 5.1.3), with a delimiter
    at an end, or with or without one of the server's prefixes for personal folders (RFC 2342) it is
    the same."""
    return _plain(one, prefixes) == _plain(other, prefixes)


def _plain(folder: str, prefixes: Iterable[str]) -> str:
    name = unicodedata.normalize("NFC", folder.strip())
    if len(name) > 1 and name[0] == name[-1] == '"':
        name = name[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    if name.isascii():
        try:
            name = decode(name.encode())
        except ValueError:
            pass  # an ampersand that stands for itself
    name = _INBOX.sub("INBOX", name.strip("/."))
    for prefix in prefixes:
        name = name.removeprefix(_INBOX.sub("INBOX", prefix))
    return name
