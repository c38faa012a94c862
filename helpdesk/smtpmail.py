"""Plain SMTP with the return path that each message asks for, the null one included."""

import smtplib
import socket
from typing import Any

from django.core.mail.backends.smtp import EmailBackend as DjangoBackend

from helpdesk import deadline
from helpdesk.wire import Unwritable, needs_utf8, on_the_wire


class _SMTP(smtplib.SMTP):
    """Its connection is cut when the time for the mail is up."""

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return deadline.connect(host, port, timeout)


class _SMTPS(smtplib.SMTP_SSL, _SMTP):  # TLS asks the next in this row for the socket
    pass


class EmailBackend(DjangoBackend):
    """Raises smtplib's errors: the outbox decides what they mean."""

    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        return _SMTPS if self.use_ssl else _SMTP

    def _send(self, email_message: Any) -> bool:
        assert self.connection is not None
        sender = _sender(getattr(email_message, "return_path", email_message.from_email))
        recipients = [on_the_wire(address) for address in email_message.recipients()]
        self.connection.ehlo_or_helo_if_needed()
        options = self._utf8(sender, recipients) if getattr(email_message, "needs_utf8", False) else ()
        if self.connection.has_extn("dsn"):
            # RFC 3461 4.3: we have the mail ourselves, and what signs somebody in is not to travel back.
            options = (*options, "RET=HDRS")
        content = email_message.message().as_bytes(linesep="\r\n")
        if sign := getattr(email_message, "sign", None):
            content = sign(content)
        self.connection.sendmail(sender, recipients, content, options)
        return True

    def _utf8(self, sender: str, recipients: list[str]) -> tuple[str, ...]:
        """The options of MAIL FROM (RFC 6531). Raises Unwritable for a recipient, and SMTPSenderRefused for a sender,
        that the server cannot write."""
        assert self.connection is not None
        if self.connection.has_extn("smtputf8"):
            return ("SMTPUTF8", "BODY=8BITMIME")
        for address in filter(needs_utf8, recipients):
            raise Unwritable(address, "the server does not offer SMTPUTF8")
        raise smtplib.SMTPSenderRefused(553, b"the server does not offer SMTPUTF8", sender)


def _sender(address: str) -> str:
    try:
        return on_the_wire(address)
    except Unwritable as error:  # ours to repair
        raise smtplib.SMTPSenderRefused(553, str(error).encode(), address) from error
