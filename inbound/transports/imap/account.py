"""An IMAP account, from the staff site's row or as IMAP_URLS names it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:  # settings read this file before there are models
    from inbound.models import ImapAccount


@dataclass(frozen=True, slots=True)
class Account:
    """Two that are equal are watched by one session: what rotates by itself, a refresh token, is no part of it."""

    host: str
    port: int
    user: str
    folder: str
    mailbox: str  # the address that its mail is for; "" is the first mailbox
    tls: str  # "tls" from the first byte, "starttls", or "" for a server on this machine
    password: str = field(default="", repr=False)  # of IMAP_URLS; a row's is read where it is needed
    auth: str = "password"  # or "xoauth2"
    move_to: str = ""
    first_contact: str = "recent"
    row: int = 0  # the ImapAccount's id, where it is one
    edited_at: datetime | None = None  # by a person: a new password ends the session under the old one

    @property
    def name(self) -> str:
        """What it is known by, in the cursor and in the log; without the password."""
        return f"{self.user}@{self.host}:{self.port}/{self.folder}"[:200]


def of_row(row: "ImapAccount") -> Account:
    return Account(
        row.host, row.port, row.username, row.folder or "INBOX", row.mailbox.address, row.security, auth=row.auth,
        move_to=row.move_to, first_contact=row.first_contact, row=row.pk, edited_at=row.edited_at,
    )  # fmt: skip


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
    return Account(
        parts.hostname, parts.port or port, unquote(parts.username), unquote(parts.path.strip("/")) or "INBOX",
        query.get("mailbox", "").lower(), tls, unquote(parts.password), move_to=query.get("move_to", ""),
        first_contact=query.get("first", "recent"),
    )  # fmt: skip
