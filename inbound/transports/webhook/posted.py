"""The mail in a provider's post, as django-anymail's views hand it over: the bytes that came over
the wire where the post holds them, and otherwise a mail made of what the provider has taken apart.

Nothing here reads a stranger's mail: that is done later, in a process of its own
(inbound/readers.py).
"""

import hashlib
import re
from base64 import b64decode, encodebytes
from collections.abc import Iterable
from email.policy import EmailPolicy
from typing import Any

from anymail.inbound import AnymailInboundMessage
from django.conf import settings

from inbound.glance import HEAD


class TooLarge(Exception):
    """The mail has more than MAX_MAIL_BYTES: `size` bytes. `head` is where it begins."""

    def __init__(self, head: bytes, size: int) -> None:
        super().__init__(
            f"the mail has {size:,} bytes, and MAX_MAIL_BYTES is {settings.MAX_MAIL_BYTES:,}"
        )
        self.head, self.size = head, size


class _AsItCame(EmailPolicy):
    """Header fields are kept as they are given, in their order and number, and written without
    being parsed: what Python's own policy makes of a field that a stranger has written takes time
    without bound, and raises for a second Subject or a folded value."""

    def header_max_count(self, name: str) -> None:
        return None

    def header_store_parse(self, name: str, value: Any) -> tuple[str, str]:
        """Raises TypeError for what is no text."""
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError("a header field is no text")
        return re.sub(r"[^!-9;-~]", "-", name)[:200] or "-", unfolded(value)

    def header_fetch_parse(self, name: str, value: str) -> Any:
        return value


AS_IT_CAME = _AsItCame(linesep="\r\n", utf8=True, refold_source="none", cte_type="8bit")

# A mail without any of them, and without a word or a file, is none.
_SAYS_SOMETHING = ("From", "To", "Subject", "Date", "Message-ID", "Received")

_FIELD = re.compile(rb"^[!-9;-~]{1,200}[ \t]?:", re.MULTILINE)


class Posted(AnymailInboundMessage):  # type: ignore[misc]
    """What django-anymail's views take a post's mail for. `raw` holds the bytes as they came,
    `size` their number; where that is more than MAX_MAIL_BYTES, `raw` is where they begin."""

    raw: bytes | None = None
    size = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "policy": AS_IT_CAME})

    @classmethod
    def parse_raw_mime(cls, s: str) -> "Posted":
        """`s` is Unicode; a byte that was none comes as half of a surrogate pair, and goes back to
        what it was."""
        if not isinstance(s, str):
            raise TypeError("the mail is no text")
        return cls.parse_raw_mime_bytes(_bytes(s))

    @classmethod
    def parse_raw_mime_bytes(cls, b: bytes) -> "Posted":
        return cls.parse_raw_mime_chunks([b])

    @classmethod
    def parse_raw_mime_chunks(cls, chunks: Iterable[bytes]) -> "Posted":
        """Of what is too large no more than the beginning is kept."""
        found, kept = cls(), bytearray()
        for chunk in chunks:
            found.size += len(chunk)
            if found.size <= settings.MAX_MAIL_BYTES:
                kept += chunk
            else:
                kept = (kept + chunk[:HEAD])[:HEAD]
        found.raw = bytes(kept)
        return found

    @classmethod
    def construct(cls, *args: Any, **kwargs: Any) -> "Posted":
        for name in ("text", "html"):
            kwargs[name] = None if kwargs.get(name) is None else _writable(kwargs[name])
        return super().construct(*args, **kwargs)  # type: ignore[no-any-return]

    @classmethod
    def construct_attachment(
        cls,
        content_type: str | None,
        content: str | bytes,
        charset: str | None = None,
        filename: str | None = None,
        content_id: str | None = None,
        base64: bool = False,
    ) -> "Posted":
        """Byte for byte, in base64; a mail that is attached is a file, for it would be written anew
        otherwise."""
        if base64:
            content = b64decode(content)
        data = content.encode() if isinstance(content, str) else content
        part = cls()
        part["Content-Type"] = content_type or "application/octet-stream"
        if part.get_content_maintype() in {"message", "multipart"}:
            part.replace_header("Content-Type", "application/octet-stream")
        if charset:
            part.set_param("charset", charset)
        part["Content-Disposition"] = "attachment" if content_id is None else "inline"
        if filename:
            for header, param in (("Content-Type", "name"), ("Content-Disposition", "filename")):
                part.set_param(param, unfolded(filename), header=header)
        if content_id is not None:
            part["Content-ID"] = f"<{content_id.strip('<> ')}>"
        part["Content-Transfer-Encoding"] = "base64"
        part.set_payload(encodebytes(data).decode("ascii"))
        return part

    def content(self) -> bytes:
        """The mail's bytes. Raises TooLarge, and ValueError where there is no mail at all."""
        if self.raw is None:
            if not any(self.get(name) for name in _SAYS_SOMETHING) and not any(
                part.get_payload() for part in self.walk() if not part.is_multipart()
            ):
                raise ValueError("the post holds no mail: neither a header nor a text")
            self._set_boundaries()
            self.raw = self.as_bytes(policy=AS_IT_CAME)
            self.size = len(self.raw)
        if not _FIELD.search(self.raw[:HEAD]):
            raise ValueError("the post holds no mail: no header field stands in it")
        if self.size > settings.MAX_MAIL_BYTES:
            raise TooLarge(self.raw[:HEAD], self.size)
        return self.raw

    def _set_boundaries(self) -> None:
        """Made of what they separate: the same post makes the same bytes when it comes again."""
        found = hashlib.sha256()
        for part in self.walk():
            found.update(repr(part.items()).encode("utf-8", "surrogatepass"))
            if not part.is_multipart():
                found.update(str(part.get_payload()).encode("utf-8", "surrogatepass"))
        for number, part in enumerate(self.walk()):
            if part.is_multipart():
                part.set_boundary(f"=_{found.hexdigest()[:40]}_{number}")


def unfolded(value: str) -> str:
    """On one line (RFC 5322 2.2.3), in what can be written down."""
    lines = value.splitlines()
    return _writable(" ".join(line.strip() for line in lines) if len(lines) > 1 else value)


def _writable(value: str) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is none")
    return value.encode("utf-8", "replace").decode()


def _bytes(value: str) -> bytes:
    try:
        return value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half of a pair that JSON has spelt out
        return value.encode("utf-8", "replace")
