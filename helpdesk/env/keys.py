"""Where the signing keys come from: the environment, or files under VAR_DIR/secrets.

On one machine `manage.py serve` makes what is missing. Anywhere else a missing key stops the start:
two hosts that each made their own would sign reply addresses the other refuses.
"""

import os
import secrets
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from helpdesk.env import parsing
from helpdesk.env.variables import TABLE


def key(name: str, var_dir: Path, *, make: str, debug: bool) -> str:
    """The key called `name`: from the environment, from its file, or made (see the module).

    `make` is "make" (create the file), "throwaway" (this process only) or "" (refuse).
    Raises ImproperlyConfigured with the variable's name when there is none.
    """
    if given := os.environ.get(name, ""):
        if not debug:
            parsing.read(name, given, TABLE[name].read)
        return given
    path = var_dir / "secrets" / name.lower()
    if path.exists():
        return path.read_text().strip()
    if make == "make":
        return _create(path)
    if make == "throwaway" or debug:
        return secrets.token_urlsafe(48)
    raise ImproperlyConfigured(
        f"{name}: not set. Put a random string of 32 characters or more into the environment, "
        f"or run `manage.py serve` once, which makes {path}"
    )


def _create(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    value = secrets.token_urlsafe(48)
    # Linked into place whole, so that of two processes starting at once both read the same key.
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(value + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        value = path.read_text().strip()
    finally:
        draft.unlink()
    return value
