"""A variable of the environment, as the tables of variables have it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Variable:
    name: str
    # As somebody would write it; "" where there is none, or where it follows from others.
    default: str
    read: Callable[[str], Any]
    meaning: str  # Markdown, one line
    shown: str = ""  # the default in words, where it is none to be written down
