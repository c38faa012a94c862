"""Mail into files, one each, for a helpdesk that is being tried out: shown to admins on the staff
site."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend


class EmailBackend(BaseEmailBackend):
    """Each message whole under EMAIL_FILE_PATH, its envelope in two headers before its own."""

    def __init__(self, *args: Any, file_path: str | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.folder = Path(file_path or settings.EMAIL_FILE_PATH)

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        self.folder.mkdir(parents=True, exist_ok=True)
        for message in email_messages:
            sender = getattr(message, "return_path", message.from_email)
            envelope = (
                f"X-Envelope-From: <{sender}>\r\nX-Envelope-To: "
                f"{', '.join(message.recipients())}\r\n"
            )
            content = envelope.encode() + message.message().as_bytes(linesep="\r\n")  # type: ignore[call-arg]
            path = self.folder / f"{time.time_ns()}-{os.getpid()}.eml"
            draft = path.with_suffix(".part")
            with draft.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            draft.rename(path)
        return len(email_messages)
