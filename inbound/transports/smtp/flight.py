"""A limit of memory for mail that is on its way in, whatever the number of connections."""


class Flight:
    """How many bytes of unfinished messages all connections hold together."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0


class Taken:
    """What one message holds of the flight's bytes."""

    def __init__(self, flight: Flight) -> None:
        self.flight = flight
        self.bytes = 0

    def take(self, count: int) -> bool:
        if self.flight.held + count > self.flight.limit:
            return False
        self.flight.held += count
        self.bytes += count
        return True

    def release(self) -> None:
        self.flight.held -= self.bytes
        self.bytes = 0
