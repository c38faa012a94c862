"""The content of one message, as it comes in after DATA.

A message ends at CRLF.CRLF and at nothing else (RFC 5321 4.1.1.4): a bare LF is content, so no
second message can be smuggled in. Lines may be of any length: real mail has them.
"""

from inbound.transports.smtp.flight import Taken

DOT = b"\r\n."  # at the beginning of a line: it was doubled, or is the end
END = b"\r\n.\r\n"


class TooMuch(Exception):
    """The message is over the limit; its end has been read and thrown away."""


class Busy(Exception):
    """We hold as many unstored bytes as we may; the message has been read and thrown away."""


class Message:
    """Keeps what comes while it may: not more than `max_bytes`, nor than `taken` has room for."""

    def __init__(self, taken: Taken, max_bytes: int) -> None:
        self._taken = taken
        self._max_bytes = max_bytes
        # so that a message whose first line is the dot ends there too
        self._data = bytearray(b"\r\n")
        self._has_dots = False
        self._refused: type[Exception] | None = None

    def feed(self, chunk: bytes) -> bytes | None:
        """None while its end has not come; then what was sent behind the end."""
        data = self._data
        if self._refused is None and not self._taken.take(len(chunk)):
            self._refused = Busy
        begin = max(0, len(data) - len(END) + 1)
        data += chunk
        end = self._find_end(begin)
        behind = None
        if end >= 0:
            behind = bytes(data[end + len(END) :])
            del data[end + 2 :]
        if len(data) - 2 > self._max_bytes:
            self._refused = self._refused or TooMuch
        if self._refused is not None:
            # To the end without keeping it: the answer can only come there.
            del data[: -len(END)]
        return behind

    def _find_end(self, begin: int) -> int:
        dot = self._data.find(DOT, begin)
        if dot < 0 or self._data.startswith(END, dot):
            return dot
        self._has_dots = True
        return self._data.find(END, dot)

    def content(self) -> bytes:
        """The whole message, dots undone (RFC 5321 4.5.2). Raises TooMuch and Busy."""
        if self._refused is not None:
            raise self._refused
        data = self._data
        if self._has_dots:
            data = data.replace(DOT, b"\r\n")
        return bytes(memoryview(data)[2:])
