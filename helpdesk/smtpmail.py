"""Plain SMTP with the return path that each message asks for, the null one included."""

import smtplib
import socket
from typing import Any

from django.core.mail.backends.smtp import EmailBackend as DjangoBackend

from helpdesk import deadline


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
        sender = getattr(email_message, "return_path", email_message.from_email)
        content = email_message.message().as_bytes(linesep="\r\n")
        if sign := getattr(email_message, "sign", None):
            content = sign(content)
        assert self.connection is not None
        self.connection.sendmail(sender, email_message.recipients(), content)
        return True
