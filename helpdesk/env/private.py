"""What lies on the disk (customers' mail, the database, the keys) is for the account alone that the
helpdesk runs as."""

import os
import stat
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

UMASK = 0o077
OTHERS = 0o077  # what nobody else may do
MOST = 1000  # files right in the folder


def write_for_us_alone() -> None:
    """From here on, what this process and those that it starts create."""
    os.umask(UMASK)


def close(folder: Path, *files: Path) -> None:
    """Closes `folder`, what lies right in it, its secrets and `files` to everybody else, and says
    so where they were open. Deeper nothing is looked at: nobody comes past a closed folder. What
    belongs to another account stays as it is, and is named where it is a key."""
    closed, left = [], []
    for path in _looked_at(folder, files):
        try:
            found = path.lstat()
        except FileNotFoundError:
            continue
        mode = stat.S_IMODE(found.st_mode)
        if not mode & OTHERS or not (stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode)):
            continue
        try:
            if found.st_uid != os.geteuid():
                raise PermissionError
            path.chmod(mode & ~OTHERS)
            closed.append(f"{path} ({mode:04o})")
        except OSError:
            if path.parent.name == "secrets":
                left.append(f"{path} ({mode:04o})")
    if closed:
        _say(f"closed what other accounts could open: {', '.join(closed)}")
    if left:
        _say(f"other accounts can read keys, and they are not ours to close: {', '.join(left)}")


def _looked_at(folder: Path, files: tuple[Path, ...]) -> Iterator[Path]:
    yield folder  # first: what was open in it is not, from then on
    for inside in (folder, folder / "secrets"):
        if inside.is_dir():
            yield from islice(inside.iterdir(), MOST)
    yield from files


def _say(words: str) -> None:
    sys.stderr.write(f"VAR_DIR: {words}\n")  # logging is not set up yet
