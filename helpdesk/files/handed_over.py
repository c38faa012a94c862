"""What a comment is given as a file."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class File:
    """A file that is in the storage already, under `stored`."""

    stored: str
    name: str
    content_type: str
    size: int
    content_id: str = ""
    is_inline: bool = False
    is_scanned: bool = False  # before it was put there
