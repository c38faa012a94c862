"""What went wrong with a server of somebody's, in words for who set it up: what to look at, and
what was said."""

import socket
import ssl

from imapclient.exceptions import LoginError

from inbound.reading import headers

WRONG_SIGN_IN = "the user name or the password is wrong, or the account may not sign in this way"
NO_TLS = (
    "TLS does not begin: does this port speak it from the first byte (993, 465), by "
    "STARTTLS (143, 587), or not at all?"
)


def in_words(error: BaseException) -> str:
    """One line: what it means, where that is known, and the library's or server's own words."""
    said = _said(error)
    meaning = _meaning(error)
    return headers.one_line(f"{meaning}: {said}" if meaning else f"{type(error).__name__}: {said}")[
        :1000
    ]


def _meaning(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return "the server's certificate is not believed"
    if isinstance(error, ssl.SSLError):
        return NO_TLS
    if isinstance(error, socket.gaierror):
        return "there is no such host"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens at that host and port"
    if isinstance(error, TimeoutError):
        return "the server does not answer in time"
    return WRONG_SIGN_IN if isinstance(error, LoginError) else ""


def _said(error: BaseException) -> str:
    """Without the quotes of Python's bytes."""
    if error.args and isinstance(error.args[0], bytes):
        return error.args[0].decode("utf-8", "replace")
    words = str(error)
    if words[:2] in {"b'", 'b"'} and words[-1:] == words[1]:
        words = words[2:-1]
    return words
