"""dkimpy, as we use it: imported late, and given the body in the form in which it is signed."""

import re
from typing import Any


def library() -> Any:
    import dkim  # 0.2 s, and few mails need it in a process that reads

    return dkim


def prepare(mail: Any, canonical: str) -> bytes:
    """Gives dkimpy the body in the form in which it is signed: its own way there takes the square
    of a long run of blanks. What it does again changes nothing any more. Returns the body."""
    _, _, how = canonical.lower().partition("/")
    if how == "relaxed":
        # RFC 6376 3.4.4
        lines = (re.sub(rb"[\t ]+", b" ", line.rstrip(b"\t ")) for line in mail.body.split(b"\r\n"))
        body = _without_last_lines(b"\r\n".join(lines))
        mail.body = b"" if body == b"\r\n" else body
    else:
        mail.body = _without_last_lines(mail.body)
    return bytes(mail.body)


def _without_last_lines(body: bytes) -> bytes:
    """RFC 6376 3.4.3. Only whole CRLFs are lines."""
    end = len(body)
    while body.endswith(b"\r\n", 0, end):
        end -= 2
    return body[:end] + b"\r\n"
