"""The two ways to say no to whoever asks for a change."""

from helpdesk.models import Ticket


class Refused(Exception):
    """The change is not allowed; the message is for the person who asked. `is_permission`: it is
    not theirs to do, whatever they send."""

    def __init__(self, message: str, field: str = "", *, is_permission: bool = False) -> None:
        super().__init__(message)
        self.field = field
        self.is_permission = is_permission


class Conflict(Exception):
    """Someone else changed the ticket since the caller read it. `current` is its state now."""

    def __init__(self, current: Ticket) -> None:
        super().__init__(
            f"This ticket has been changed by someone else (version {current.version})."
        )
        self.current = current
