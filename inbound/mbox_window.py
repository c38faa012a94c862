"""The stretch of a file that is looked at, in memory that does not grow with the file."""

from typing import Protocol

CHUNK = 1 << 18


class File(Protocol):
    def read(self, size: int, /) -> bytes: ...
    def seekable(self) -> bool: ...
    def tell(self) -> int: ...
    def seek(self, offset: int, /) -> int: ...


class Window:
    """The stretch of a file that is looked at; `passed` bytes of the file lie before it."""

    def __init__(self, file: File) -> None:
        self.data = bytearray()
        self.passed = 0
        self.fault: Exception | None = None  # at which reading ended
        self._file = file
        self._is_whole = False

    def reach(self, length: int) -> bool:
        """Reads on until there are so many bytes, or the file ends; whether there are."""
        while len(self.data) < length and not self._is_whole:
            try:
                piece = self._file.read(CHUNK)
            except Exception as error:
                self.fault, piece = error, b""
            self._is_whole = not piece
            self.data += piece
        return len(self.data) >= length

    def drop(self, length: int) -> None:
        del self.data[:length]  # only moves the beginning
        self.passed += length

    def drop_unread(self, length: int) -> None:
        while length and self.reach(1):
            step = min(length, len(self.data))
            self.drop(step)
            length -= step

    def at(self, start: int, length: int) -> bytes | None:
        """The bytes from `start` on, which may lie far behind the window; None where the file is
        read in its order only."""
        if start + length <= len(self.data) or self._is_whole:
            return bytes(self.data[start : start + length])
        if not self._file.seekable():
            return None
        here = self._file.tell()
        self._file.seek(here + start - len(self.data))
        found = self._file.read(length)
        self._file.seek(here)
        return found
