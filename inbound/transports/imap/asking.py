"""Asking a server for something of many messages, when it cannot say it of one of them.

Servers answer NO or rubbish for a message that they cannot read, or hang up in the middle (Dovecot
does), and take all the others of the same command with it. So each is asked for alone after that,
and the one is found.
"""

from typing import Any, TypeVar

from imapclient.exceptions import IMAPClientAbortError

from inbound.transports.imap import passed_over
from inbound.transports.imap.folder import Folder

T = TypeVar("T")


def asked(folder: Folder, uids: list[int], what: str, kind: type[T]) -> dict[int, T]:
    """What the server says of each. Left out is what is gone, and counted in passed_over what it
    cannot say it of. Raises where the connection ends: where one message alone was asked for, that
    is counted, too."""
    if not uids:
        return {}
    try:
        answer: dict[int, Any] = folder.client.fetch(uids, [what])
        named = {uid for uid in uids if uid not in answer}
        # One that a server leaves out of its answer is mostly gone; where it is not, it cannot be
        # read.
        there = (
            set(folder.client.search(["UID", ",".join(map(str, sorted(named)))])) & named
            if named
            else set()
        )
    except (IMAPClientAbortError, OSError) as error:
        if len(uids) == 1:
            passed_over.lost(folder, uids[0], error)
        raise
    except Exception as error:  # NO, BAD, or what imapclient makes of rubbish
        if len(uids) == 1:
            passed_over.failed(folder, uids[0], error)
            return {}
        return {
            uid: said for each in uids for uid, said in asked(folder, [each], what, kind).items()
        }
    key = what.replace(".PEEK", "").encode()
    found = {
        uid: value
        for uid in uids
        if uid in answer and isinstance(value := answer[uid].get(key), kind)
    }
    for uid in uids:
        if uid in there or (uid in answer and uid not in found):
            passed_over.failed(folder, uid, f"the server gives no {what} of it")
    return found
