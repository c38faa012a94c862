"""How a variable's words, numbers, files and keys are read."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from zoneinfo import TZPATH, ZoneInfo

from helpdesk.env.parsing import Wrong

T = TypeVar("T")


def boolean(value: str) -> bool:
    if value.lower() in {"1", "true", "yes", "on"}:
        return True
    if value.lower() in {"0", "false", "no", "off"}:
        return False
    raise Wrong("must be on or off")


def integer(low: int, high: int) -> Callable[[str], int]:
    def how(value: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,15}", value):
            raise Wrong("must be a whole number")
        if not low <= int(value) <= high:
            raise Wrong(f"must be from {low} to {high}")
        return int(value)

    return how


def size(value: str) -> int:
    """Bytes; a number with an optional kB or MB."""
    match = re.fullmatch(r"([0-9]{1,15})\s*(|k|kb|m|mb)", value.lower())
    if not match:
        raise Wrong("must be a number of bytes, kB or MB, such as 25MB")
    found = int(match[1]) * {"": 1, "k": 10**3, "m": 10**6}[match[2][:1]]
    if not found:
        raise Wrong("must be more than nothing")
    return found


def one_of(*allowed: str) -> Callable[[str], str]:
    def how(value: str) -> str:
        if value.lower() not in allowed:
            raise Wrong(f"must be one of {', '.join(allowed)}")
        return value.lower()

    return how


def log_level(value: str) -> str:
    return one_of("debug", "info", "warning", "error", "critical")(value).upper()


def zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except Exception:  # it is no name, no file, a folder, or no zone
        raise Wrong("must be a time zone, such as Europe/Berlin") from None
    system = Path("/usr/share/zoneinfo")
    if str(system) in TZPATH and system.exists() and not (system / value).exists():
        # Django refuses it otherwise, with other words.
        raise Wrong("must be a time zone that this system knows")
    return value


def words(value: str) -> list[str]:
    """Separated by commas. Nothing at all is an empty list; commas around nothing are a mistake."""
    found = [word.strip() for word in value.split(",") if word.strip()]
    if value and not found:
        raise Wrong("names nothing")
    return found


def each(how: Callable[[str], T]) -> Callable[[str], list[T]]:
    """Words, each read so; what is wrong says which."""

    def all_of(value: str) -> list[T]:
        found = []
        for number, word in enumerate(words(value), 1):
            try:
                found.append(how(word))
            except Wrong as error:
                raise Wrong(f"number {number} {error}") from None
        return found

    return all_of


def plain(value: str) -> str:
    return value


def folder(value: str) -> Path:
    return Path(value).resolve()


def file(value: str) -> str:
    """The path of a file that is there, or ""."""
    if value and not Path(value).is_file():
        raise Wrong("there is no such file")
    return value


def file_type(value: str) -> str:
    """The end of a file's name."""
    if not re.fullmatch(r"[a-z0-9]{1,20}", value.lower()):
        raise Wrong("must be the end of a file's name without a dot, such as pdf")
    return value.lower()


def credentials(value: str) -> str:
    """`user:password`, or ""."""
    user, _, password = value.partition(":")
    if value and not (user.strip() and password.strip()):
        raise Wrong("must be user:password")
    return value


def key(value: str) -> str:
    """Long enough that nobody guesses it."""
    if len(value) < 32:
        raise Wrong(f"must have at least 32 characters, has {len(value)}")
    return value
