"""A selected folder, and what is in it: however large it is, no answer is longer than imaplib
reads."""

import imaplib
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientReadOnlyError, ProtocolError

from inbound.transports.imap.account import Account
from inbound.transports.imap.leases import Lease

UID_DIGITS = 10  # RFC 9051 2.3.1.1: 32 bits


@dataclass(frozen=True, slots=True)
class Folder:
    client: IMAPClient
    account: Account
    validity: int  # UIDVALIDITY: under another one the same UIDs are other messages
    count: int  # of its messages, when it was selected
    newest: int  # the highest UID that any message can have had then
    uid_next: int = 0  # as the server says it; 0: it does not
    lease: Lease | None = (
        # none: by hand, nothing is moved, and the keys alone keep what is stored from doubling
        None
    )

    def fence(self) -> AbstractContextManager[None]:
        """What is written within it is written while the account is this process's to watch. Raises
        leases.Lost."""
        return self.lease.fence() if self.lease else nullcontext()

    def confirm(self) -> None:
        """Right before something is moved. Raises leases.Lost."""
        if self.lease:
            self.lease.confirm()

    def key(self, uid: int) -> str:
        """The transport's key of a message: a second fetch of it is no arrival."""
        return f"{self.keys}{uid}"[:300]

    @property
    def keys(self) -> str:
        """What the keys of all its messages begin with."""
        return f"{keys_of(self.account)}{self.validity}:"


def keys_of(account: Account) -> str:
    """What the keys of all messages of an account begin with, under whatever UIDVALIDITY."""
    return f"imap:{account.name}:"


def open_folder(
    client: IMAPClient, account: Account, *, readonly: bool = False, lease: Lease | None = None
) -> Folder:
    """Raises the server's error, in words where its answer lacks what it must say (RFC 3501
    6.3.1)."""
    try:
        said = client.select_folder(account.folder, readonly=readonly)
    except IMAPClientReadOnlyError:  # somebody else's folder, where mail is taken in all the same
        said = client.select_folder(account.folder, readonly=True)
    client.normalise_times = False  # dates with their zone
    if not said.get(b"UIDVALIDITY"):
        raise ProtocolError(
            f"the server gives no UIDVALIDITY of {account.folder}: it cannot tell one message from "
            "another for longer than "
            "a session (RFC 3501 2.3.1.1), so nothing is taken in, for it would come in again "
            "each time"
        )
    if b"EXISTS" not in said:
        raise ProtocolError(
            f"the server does not say how many messages {account.folder} has (EXISTS)"
        )
    uid_next = int(said.get(b"UIDNEXT", 0))
    newest = uid_next - 1 if uid_next else highest(client)
    return Folder(
        client, account, int(said[b"UIDVALIDITY"]), int(said[b"EXISTS"]), newest, uid_next, lease
    )


def highest(client: IMAPClient) -> int:
    """The highest UID that SEARCH shows; 0 in an empty folder."""
    return max(client.search(["*"]), default=0)


def search(folder: Folder, *criteria: Any) -> Iterator[list[int]]:
    """The UIDs of the messages that match, in parts, the highest part first.

    A server answers SEARCH in one line, and imaplib takes no longer one than _MAXLINE bytes. So a
    large folder is asked by stretches of sequence numbers, which have no gaps; UIDs can have gaps
    of millions. From the top, because what is expunged meanwhile moves all above it down: a message
    may be found twice, but none is passed over.
    """
    # Half of what is allowed: mail that arrives meanwhile lengthens the first answer.
    width = max(1, getattr(imaplib, "_MAXLINE", 1_000_000) // 2 // (UID_DIGITS + 1))
    if folder.count <= width:
        yield sorted(folder.client.search([*criteria] or ["ALL"]))
        return
    for top in range(folder.count, 0, -width):
        last = "*" if top == folder.count else str(top)
        yield sorted(folder.client.search([f"{max(1, top - width + 1)}:{last}", *criteria]))


def uids(folder: Folder, *criteria: Any) -> list[int]:
    """All that match, in ascending order."""
    return sorted({uid for part in search(folder, *criteria) for uid in part})


def uids_between(
    folder: Folder, after: int, to: int | None = None, *criteria: Any, most: int | None = None
) -> list[int]:
    """Those that match over `after`, and not over `to`, in ascending order; the highest `most` of
    them. Sequence numbers ascend as UIDs do, so the rest of a large folder is not asked for."""
    found: set[int] = set()
    for part in search(folder, "UID", f"{after + 1}:{to or '*'}", *criteria):
        # "9:*" is also the highest message where that is lower than 9.
        new = [uid for uid in part if uid > after and (to is None or uid <= to)]
        found.update(new)
        if (
            (found and not new)
            or (to is None and not new)
            or (most is not None and len(found) >= most)
        ):
            break
    return sorted(found)[-most if most else 0 :]
