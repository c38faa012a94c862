"""Where variables are read: the process environment and `.env`; and the folder that is the
helpdesk's own."""

import os
import sys
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from helpdesk.env import parsing, variables

BASE_DIR = Path(__file__).resolve().parent.parent.parent
if Path(BASE_DIR / ".env").is_file():
    parsing.check_file(BASE_DIR / ".env")
    environ.Env.read_env(BASE_DIR / ".env")
for _words in variables.unknown(set(os.environ)):
    sys.stderr.write(f"{_words}\n")  # logging is not set up yet


def setting(name: str, default: str = "") -> Any:
    """The variable's value, read by its line of the table; ImproperlyConfigured names it where it
    cannot be read.

    `default` is for those that follow from others.
    """
    variable = variables.TABLE[name]
    return parsing.read(
        name, os.environ.get(name, "").strip() or default or variable.default, variable.read
    )


DEBUG: bool = setting("DEBUG")
VAR_DIR: Path = setting("VAR_DIR", str(BASE_DIR / "var"))
try:
    VAR_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
except OSError as _error:
    raise ImproperlyConfigured(f"VAR_DIR: cannot be made or used ({_error.strerror})") from None
