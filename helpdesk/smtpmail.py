"""Plain SMTP with the return path that each message asks for, the null one included."""

from typing import Any

from django.core.mail.backends.smtp import EmailBackend as DjangoBackend


class EmailBackend(DjangoBackend):
    """Raises smtplib's errors: the outbox decides what they mean."""

    def _send(self, email_message: Any) -> bool:
        sender = getattr(email_message, "return_path", email_message.from_email)
        content = email_message.message().as_bytes(linesep="\r\n")
        if sign := getattr(email_message, "sign", None):
            content = sign(content)
        assert self.connection is not None
        self.connection.sendmail(sender, email_message.recipients(), content)
        return True
