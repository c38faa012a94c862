"""An IMAP account, as IMAP_URLS names it."""

from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass(frozen=True, slots=True)
class Account:
    host: str
    port: int
    user: str
    password: str
    folder: str
    mailbox: str  # the address that its mail is for; "" is the first mailbox
    tls: str  # "tls" from the first byte, "starttls", or "" for a server on this machine

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
    return Account(
        parts.hostname, parts.port or port, unquote(parts.username), unquote(parts.password),
        unquote(parts.path.strip("/")) or "INBOX", parse_qs(parts.query).get("mailbox", [""])[0].lower(), tls,
    )  # fmt: skip
