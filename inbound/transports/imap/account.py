"""An IMAP account as it is watched, and how IMAP_URLS names one.

The settings are made by this: it knows no models, which are not there yet.
"""

from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qs, unquote, urlsplit

from inbound.imap_folders import as_known, is_same_folder

FIRST = ("recent", "unread", "all", "nothing")  # ImapAccount.FirstContact
OPTIONS = ("mailbox", "first", "move_to")  # of an address in IMAP_URLS


@dataclass(frozen=True, slots=True)
class Account:
    """Two that are equal are watched by one session: what rotates by itself, a refresh token, is no
    part of it."""

    host: str
    port: int
    user: str
    folder: str
    mailbox: str  # the address that its mail is for; "" is the first mailbox
    tls: str  # "tls" from the first byte, "starttls", or "" for a server on this machine
    # of IMAP_URLS; a row's is read where it is needed
    password: str = field(default="", repr=False)
    auth: str = "password"  # or "xoauth2"
    move_to: str = ""
    first_contact: str = "recent"
    row: int = 0  # the ImapAccount's id, where it is one
    # by a person: a new password ends the session under the old one
    edited_at: datetime | None = None

    @property
    def name(self) -> str:
        """What it is known by, in the cursor and in the log; without the password."""
        return f"{self.user}@{self.host}:{self.port}/{self.folder}"[:200]


def read_account(url: str) -> Account:
    """`imaps://USER:PASSWORD@HOST[:PORT]/FOLDER?mailbox=ADDRESS`; imap+tls:// is STARTTLS.

    Raises ValueError saying what is wrong. Clear text is for the loopback only.
    """
    parts = urlsplit(url)
    kinds = {"imaps": ("tls", 993), "imap+tls": ("starttls", 143), "imap": ("", 143)}
    if parts.scheme not in kinds or not parts.hostname:
        raise ValueError("must be imaps://USER:PASSWORD@HOST/FOLDER")
    if not parts.username or parts.password is None:
        raise ValueError("must hold a user and a password, percent-encoded")
    tls, port = kinds[parts.scheme]
    if not tls and parts.hostname not in {"localhost", "127.0.0.1", "::1"}:
        raise ValueError("imap:// sends the password in clear text: use imaps:// or imap+tls://")
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    if unknown := [name for name in query if name not in OPTIONS]:
        raise ValueError(
            f"{unknown[0]}= is no option: there are {', '.join(f'{name}=' for name in OPTIONS)}"
        )
    if query.get("first", "recent") not in FIRST:
        raise ValueError(f"first= must be one of {', '.join(FIRST)}")
    folder = as_known(unquote(parts.path.strip("/")) or "INBOX")
    if is_same_folder(folder, query.get("move_to", "")):
        raise ValueError(
            "move_to= is the watched folder itself: what is moved there would come in again"
        )
    return Account(
        parts.hostname,
        parts.port or port,
        unquote(parts.username),
        folder,
        query.get("mailbox", "").lower(),
        tls,
        unquote(parts.password),
        move_to=query.get("move_to", ""),
        first_contact=query.get("first", "recent"),
    )
