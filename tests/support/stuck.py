"""An app that makes the reading of some mail hang, in a process that runs with
tests.stuck_settings."""

import re
import threading

from django.apps import AppConfig


class Stuck(AppConfig):
    name = "tests"

    def ready(self) -> None:
        from helpdesk.processes import alive
        from inbound.models import RawMail

        alive.FROZEN_SECONDS = 5.0
        content = RawMail.content.fget  # type: ignore[attr-defined]

        def hangs(raw: RawMail) -> bytes:
            found: bytes = content(raw)
            if b"Subject: Wait for ever" in found:
                threading.Event().wait()
            if b"Subject: Compute for ever" in found:
                re.match(r"(a+)+$", "a" * 60 + "b")  # with the interpreter's lock in its hand
            return found

        RawMail.content = property(hangs)  # type: ignore[assignment,method-assign]
