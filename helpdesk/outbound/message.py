"""The form of every mail of ours: an envelope of its own, seven-bit, short lines."""

from collections.abc import Callable
from email.charset import BASE64, QP, Charset
from email.header import Header
from email.message import Message as PlainMessage
from email.mime.image import MIMEImage
from typing import Any

from django.core.mail import EmailMultiAlternatives
from django.core.mail.message import SafeMIMEMultipart


class Message(EmailMultiAlternatives):
    """A mail with an envelope of its own (the return path "" is the null one, which Django's class
    takes for none), and pictures that its HTML shows in their place.

    Providers know no envelope: what django-anymail reads (`to`, `from_email`) is what the reader
    sees.
    """

    return_path: str = ""
    envelope_to: str = ""
    needs_utf8: bool = False  # only a server with SMTPUTF8 can take it (RFC 6531)
    sign: Callable[[bytes], bytes] | None = None  # what plain SMTP does to the bytes last

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.pictures: list[MIMEImage] = []
        # Whatever the next server offers: one on the way that had to convert 8-bit text would break
        # the signature, and lines of more than 998 characters are broken by many (RFC 5321
        # 4.5.3.1.6, RFC 6152 3, RFC 6376 5.3).
        self.encoding = seven_bit(str(self.body))

    def attach_alternative(self, content: Any, mimetype: str) -> None:
        super().attach_alternative(content, mimetype)
        self.encoding = seven_bit(f"{self.body}{content}")

    def recipients(self) -> list[str]:
        return [self.envelope_to]

    def message(self, *, policy: Any = None) -> Any:
        whole = super().message()
        if not str(self.subject).isascii():
            # Django's first encoded word does not fit beside the header's name, and some show the
            # fold as a space.
            del whole["Subject"]
            PlainMessage.__setitem__(
                whole, "Subject", Header(str(self.subject), "utf-8", header_name="Subject")
            )
        if self.needs_utf8:
            # RFC 6532: addresses stand there as they are. Django would encode a local part, which
            # makes it another.
            addresses = {
                "From": self.from_email,
                "To": self.extra_headers.get("To", self.to[0]),
                "Cc": self.extra_headers.get("Cc", ""),
                "Reply-To": ", ".join(self.reply_to),
            }
            for name, value in addresses.items():
                del whole[name]
                if value:
                    PlainMessage.__setitem__(whole, name, _Utf8(value))
        return whole

    def _create_alternatives(self, msg: Any) -> Any:
        # RFC 2387: the HTML and its pictures are one multipart/related among the alternatives.
        whole = super()._create_alternatives(msg)  # type: ignore[misc]
        if self.pictures and whole.is_multipart():
            parts = whole.get_payload()
            related = SafeMIMEMultipart(_subtype="related", encoding=self.encoding or "utf-8")
            related.attach(parts.pop())
            for picture in self.pictures:
                related.attach(picture)
            whole.attach(related)
        return whole


def seven_bit(text: str) -> Charset:
    """UTF-8 as quoted-printable, or as base64 where that is shorter by far (RFC 2045 6.7, 6.8)."""
    charset = Charset("utf-8")
    foreign = len(text) - len(text.encode("ascii", "ignore"))
    charset.body_encoding = BASE64 if foreign * 3 > len(text) else QP
    return charset


class _Utf8:
    """A header's value that goes out as it is."""

    def __init__(self, value: str) -> None:
        self.value = value

    def encode(self, **kwargs: object) -> str:
        """As the email package asks its Header: text whose surrogates become bytes again."""
        return self.value.encode().decode("ascii", "surrogateescape")
