"""Plain SMTP with the return path that each message asks for, the null one included."""

import base64
import re
import smtplib
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from django.core.mail.backends.smtp import EmailBackend as DjangoBackend

from helpdesk import deadline
from helpdesk.outbound.wire import Unwritable, needs_utf8, on_the_wire


class MayBeSent(smtplib.SMTPServerDisconnected):
    """The connection ended, or went silent, or said what nobody can read, after the whole mail was
    handed over and before the server's answer (RFC 1047)."""


class _SMTP(smtplib.SMTP):
    """Its connection is cut when the time for the mail is up. A reply is what its first digit says
    (RFC 5321 4.2.1)."""

    def hand_over(
        self, sender: str, recipient: str, content: bytes, options: Sequence[str]
    ) -> None:
        """One mail to one recipient. Raises what `sendmail` raises, and MayBeSent."""
        if not self.has_extn("pipelining"):
            self.sendmail(sender, [recipient], content, options)
            return
        if self.has_extn("size"):
            options = (f"size={len(content)}", *options)
        self._ask_at_once(sender, recipient, options)
        self._send_content(content)

    def mail(self, sender: str, options: Sequence[str] = ()) -> tuple[int, bytes]:
        return _plain(*super().mail(sender, options))

    def rcpt(self, recip: str, options: Sequence[str] = ()) -> tuple[int, bytes]:
        return _plain(*super().rcpt(recip, options))

    def data(self, msg: Any) -> tuple[int, bytes]:
        # smtplib's own would not tell a connection that ended before the mail from one that ended
        # after it.
        self.putcmd("data")
        code, said = self.getreply()
        if code != 354:
            raise smtplib.SMTPDataError(code, said)
        return self._content(msg)

    def _ask_at_once(self, sender: str, recipient: str, options: Sequence[str]) -> None:
        """MAIL, RCPT and DATA in one write (RFC 2920 3.1). Returns where all three were granted."""
        self.command_encoding = "utf-8" if "SMTPUTF8" in options else "ascii"
        commands = [
            f"MAIL FROM:{smtplib.quoteaddr(sender)}{''.join(f' {option}' for option in options)}",
            f"RCPT TO:{smtplib.quoteaddr(recipient)}",
            "DATA",
        ]
        if any("\r" in command or "\n" in command for command in commands):
            raise ValueError("an address with a line break")
        self.send("".join(f"{command}\r\n" for command in commands))
        granted = _plain(*self.getreply())
        if granted[0] != 250:
            self._take_back(granted[0], was_mail=True)
            raise smtplib.SMTPSenderRefused(*granted, sender)
        granted = _plain(*self.getreply())
        if granted[0] != 250:
            self._take_back(granted[0])
            raise smtplib.SMTPRecipientsRefused({recipient: granted})
        code, said = self.getreply()
        if code != 354:
            raise smtplib.SMTPDataError(code, said)

    def _take_back(self, code: int, *, was_mail: bool = False) -> None:
        """After a refusal of what DATA was sent along with. A server that asks for the mail all the
        same gets none: a lone dot where it has no recipient (RFC 2920 3.1)."""
        if code == 421:
            self.close()
            return
        # The refusal is said, whatever becomes of the connection.
        with suppress(smtplib.SMTPServerDisconnected, OSError):
            has_recipient = was_mail and _plain(*self.getreply())[0] == 250
            if self.getreply()[0] != 354:
                return
            if has_recipient:
                self.close()
            else:
                self.send(b".\r\n")
                self.getreply()

    def _send_content(self, content: bytes) -> None:
        code, said = self._content(content)
        if code != 250:
            raise smtplib.SMTPDataError(code, said)

    def _content(self, msg: bytes) -> tuple[int, bytes]:
        quoted = re.sub(rb"(?m)^\.", b"..", msg)  # RFC 5321 4.5.2
        self.send(quoted + (b"" if quoted.endswith(b"\r\n") else b"\r\n") + b".\r\n")
        try:
            code, said = self.getreply()
        except (smtplib.SMTPServerDisconnected, OSError) as error:
            raise MayBeSent(f"the connection ended before the answer: {error}") from error
        if not 200 <= code < 600 or (code, said) == (500, b"Line too long."):
            raise MayBeSent(f"the answer cannot be read: {code} {said[:200]!r}")
        return _plain(code, said)

    def auth(
        self, mechanism: str, authobject: Any, *, initial_response_ok: bool = True
    ) -> tuple[int, bytes]:
        """smtplib's, in UTF-8 (RFC 4616 2, RFC 4954 4): it writes nothing but ASCII."""

        def encoded(words: str) -> str:
            return base64.b64encode(words.encode()).decode() or "="

        first = authobject() if initial_response_ok else None
        if first is not None:
            code, said = self.docmd("AUTH", f"{mechanism} {encoded(first)}")
        else:
            code, said = self.docmd("AUTH", mechanism)
        for _ in range(5):
            if code != 334:
                break
            code, said = self.docmd(encoded(authobject(base64.b64decode(said))))
        if code in (235, 503):
            return code, said
        raise smtplib.SMTPAuthenticationError(code, said)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return deadline.connect(host, port, timeout)


class _SMTPS(smtplib.SMTP_SSL, _SMTP):  # TLS asks the next in this row for the socket
    pass


class EmailBackend(DjangoBackend):
    """Raises smtplib's errors: the outbox decides what they mean."""

    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        return _SMTPS if self.use_ssl else _SMTP

    has_sent = False  # by the connection that is open

    def open(self) -> bool | None:
        self.has_sent = self.has_sent and self.connection is not None
        return super().open()

    def _send(self, email_message: Any) -> bool:
        sender = _sender(getattr(email_message, "return_path", email_message.from_email))
        recipients = [on_the_wire(address) for address in email_message.recipients()]
        content = email_message.message().as_bytes(linesep="\r\n")
        if sign := getattr(email_message, "sign", None):
            content = sign(content)
        utf8 = getattr(email_message, "needs_utf8", False)
        for recipient in recipients:
            try:
                self._hand_over(sender, recipient, content, utf8=utf8)
            except smtplib.SMTPException as error:
                if not (self.has_sent and _is_good_bye(error)):
                    raise
                # The server has ended a connection that was open already: nobody's fault.
                self.close()
                self.open()
                self._hand_over(sender, recipient, content, utf8=utf8)
            self.has_sent = True
        return True

    def _hand_over(self, sender: str, recipient: str, content: bytes, *, utf8: bool) -> None:
        assert isinstance(self.connection, _SMTP)
        self.connection.ehlo_or_helo_if_needed()
        options = self._utf8(sender, recipient) if utf8 else ()
        if self.connection.has_extn("dsn"):
            # RFC 3461 4.3: we have the mail ourselves, and what signs somebody in is not to travel
            # back.
            options = (*options, "RET=HDRS")
        self.connection.hand_over(sender, recipient, content, options)

    def _utf8(self, sender: str, recipient: str) -> tuple[str, ...]:
        """The options of MAIL FROM (RFC 6531). Raises Unwritable for a recipient, and
        SMTPSenderRefused for a sender, that the server cannot write."""
        assert self.connection is not None
        if self.connection.has_extn("smtputf8"):
            return ("SMTPUTF8", "BODY=8BITMIME")
        if needs_utf8(recipient):
            raise Unwritable(recipient, "the server does not offer SMTPUTF8")
        raise smtplib.SMTPSenderRefused(553, b"the server does not offer SMTPUTF8", sender)


def _is_good_bye(error: Exception) -> bool:
    """Whether the connection has ended, or the server says that it ends it (421, RFC 5321 3.8),
    before it had the mail."""
    if isinstance(error, smtplib.SMTPSenderRefused):
        return error.smtp_code == 421
    return isinstance(error, smtplib.SMTPServerDisconnected) and not isinstance(error, MayBeSent)


def _plain(code: int, said: bytes) -> tuple[int, bytes]:
    """smtplib takes nothing for a yes but the codes that it knows."""
    return (250 if 200 <= code < 300 else code), said


def _sender(address: str) -> str:
    try:
        return on_the_wire(address)
    except Unwritable as error:  # ours to repair
        raise smtplib.SMTPSenderRefused(553, str(error).encode(), address) from error
