"""Signing in with a user name and a password, in whatever letters they are.

LOGIN (RFC 3501 6.2.3) is what every server knows, but its words are ASCII. Others go by
AUTHENTICATE PLAIN (RFC 4616), in UTF-8. Where a server does not offer that, they go as literals of
LOGIN: many take them. Not by UTF8=ACCEPT: that is enabled after signing in only, and changes
nothing about LOGIN (RFC 6855 section 5).
"""

import re

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError, LoginError

_ATOM = re.compile(r"[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]+")  # imaplib does not quote a user name
_PRINTABLE = re.compile(r"[ -~]*")


def sign_in(client: IMAPClient, user: str, password: str) -> None:
    """Raises LoginError in words, and what the server's connection raises."""
    if "\0" in user + password:
        raise LoginError(
            "the user name or the password holds a NUL character, which no server takes"
        )
    can_login = not client.has_capability("LOGINDISABLED")
    if can_login and _ATOM.fullmatch(user) and _PRINTABLE.fullmatch(password):
        client.login(user, password)
    elif client.has_capability("AUTH=PLAIN"):
        client.plain_login(user, password)
    elif can_login:
        _login_by_literals(client, user.encode(), password.encode())
    else:
        offered = [
            name.decode("ascii", "replace")
            for name in client.capabilities()
            if name.startswith(b"AUTH=")
        ]
        raise LoginError(
            "the server lets nobody sign in with a password on this connection: it says "
            "LOGINDISABLED, and offers " + (", ".join(offered) or "nothing else")
        )


def _login_by_literals(client: IMAPClient, user: bytes, password: bytes) -> None:
    """LOGIN with both arguments as literals (RFC 3501 4.3), each sent when the server asks
    for it."""
    # imaplib announces one literal of a command by itself; a method it asks as often as the server
    # does.
    client._imap.literal = _Literals(user + b" {%d}" % len(password), password).following
    try:
        client._checkok("login", *client._imap._simple_command("LOGIN", f"{{{len(user)}}}"))
    except IMAPClientAbortError:
        raise
    except IMAPClientError as error:
        raise LoginError(
            f"{error} (the user name or the password has letters beyond plain ASCII, and the "
            "server offers no "
            "AUTHENTICATE PLAIN, which takes any)"
        ) from error
    client._imap.state = "AUTH"


class _Literals:
    def __init__(self, *parts: bytes) -> None:
        self._parts = list(parts)

    def following(self, _: bytes) -> bytes:
        if not self._parts:
            raise IMAPClientAbortError("the server asks for a third argument of LOGIN")
        return self._parts.pop(0)
