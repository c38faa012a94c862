"""Waiting for new mail between two contacts: the server tells (IDLE, RFC 2177), or it is asked."""

import select
import ssl
import threading
import time

from django.conf import settings
from imapclient import IMAPClient

from inbound.transports.imap.connecting import TIMEOUT
from inbound.transports.imap.leases import Lease

IDLE_SECONDS = 28 * 60  # RFC 2177: less than 29 minutes
POLL_SECONDS = 60


def wait(client: IMAPClient, stop: threading.Event, lease: Lease) -> None:
    """Until the server says something, or it is time to ask: before it counts as not reached."""
    began = time.monotonic()
    if client.has_capability("IDLE") and _idle(client):
        until = began + min(IDLE_SECONDS, settings.MAILBOX_SILENCE / 2)
        # IMAPClient's idle_check takes a connection that ended for one where nothing happens, and
        # waits on.
        while time.monotonic() < until and not (
            stop.is_set() or lease.is_lost or _has_said_something(client)
        ):
            pass
        client.idle_done()
    else:
        stop.wait(min(POLL_SECONDS, settings.MAILBOX_SILENCE / 2))
        client.noop()


def _idle(client: IMAPClient) -> bool:
    """Whether the server waits with us (RFC 2177). IMAPClient's own takes what a server tells
    before it says so for an error, and so does it where a server names IDLE and refuses it."""
    tag = client._imap._command("IDLE")
    while client._imap._get_response() is not None:
        if client._imap.tagged_commands[tag]:
            del client._imap.tagged_commands[tag]
            return False
    client._idle_tag = tag
    return True


def _has_said_something(client: IMAPClient) -> bool:
    """Within a second. That the connection ended is something, too."""
    connection = client.socket()
    connection.setblocking(False)
    try:
        # What came together with the answer to IDLE lies in imaplib's buffer, where select does not
        # see it.
        if client._imap.file.peek(1):
            return True
    except (BlockingIOError, ssl.SSLWantReadError):
        pass
    finally:
        connection.settimeout(TIMEOUT)
    poll = select.poll()  # select() itself knows no more than 1,024 files
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(1000))
