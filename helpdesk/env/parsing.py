"""How a variable of the environment is read: text → value, or what is wrong with it.

What is wrong is said in words of our own, which never repeat the value or a part of it: it may be a
password, or hold one. The same goes for what raised it, which is neither shown nor chained. No
settings here: settings are made of this.
"""

import re
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar

from django.core.exceptions import ImproperlyConfigured

T = TypeVar("T")
_LINE = re.compile(r"(export )?\w+=.*|#.*|\s*", re.ASCII)
_SET_BY_KUBERNETES = re.compile(r"_(SERVICE_HOST|SERVICE_PORT|PORT)(_\w+)?")


class Wrong(ValueError):
    """What is wrong with a value, in words that don't repeat it."""


def read(name: str, given: str, how: Callable[[str], T]) -> T:
    """The value; ImproperlyConfigured with the variable's name and what is wrong."""
    try:
        given.encode()
        return how(given)
    except Wrong as error:
        wrong = str(error)
    except Exception:  # of a parser, with the value or a part of it in its words
        wrong = "cannot be read"
    raise ImproperlyConfigured(f"{name}: {wrong}")


def check_file(path: Path) -> None:
    """Raises ImproperlyConfigured where a line of the .env file is none: it would be left out, and
    shown in the log."""
    for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), 1):
        if not _LINE.fullmatch(line):
            raise ImproperlyConfigured(f"{path}: line {number} is neither NAME=VALUE nor a comment")


def unknown(names: set[str], known: set[str]) -> list[str]:
    """What is wrong with the names of variables that look like ours and are none."""
    found = []
    for name in sorted(names - known):
        near = get_close_matches(name, known, n=1, cutoff=0.85)
        if near:
            found.append(f"{name}: there is no such setting; is it {near[0]}?")
        elif name.startswith(("HELPDESK_", "ANYMAIL_")) and not _SET_BY_KUBERNETES.search(name):
            found.append(f"{name}: there is no such setting")
    return found
