"""Which process holds a row, and is it gone?"""

import functools
import os
import re
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path


def holder() -> str:
    """This process, as rows name who holds them: where it runs, its id and when it was started, so
    that no other is ever taken for it."""
    return f"{_machine()} {_namespace()} {os.getpid()} {_started(os.getpid())}"


def is_gone(name: str) -> bool:
    """Whether that holder was a process of this machine (or of this container, before it was
    started again) and is none any more. Of other machines nobody knows: there the lease runs out.
    """
    machine, namespace, pid, started = ["", "", "", "", *name.split(" ")][-4:]
    if machine != _machine() or not pid.isdigit():
        return False
    if namespace != _namespace():
        return True  # its container was started again
    return _started(int(pid)) != started


@functools.cache
def _machine() -> str:
    """A name that is made once for this machine, or for this container's own files; "?" and its id
    where that fails."""
    path = Path(tempfile.gettempdir()) / f"helpdesk-{os.getuid()}"
    with suppress(FileExistsError, OSError):
        made = path.with_name(f"{path.name}-{secrets.token_hex(4)}")
        made.write_text(secrets.token_hex(8))
        with suppress(FileExistsError):
            os.link(made, path)  # whole, or not at all
        made.unlink()
    try:
        name = path.read_text()
    except OSError:
        name = ""
    return name if re.fullmatch(r"[0-9a-f]{16}", name) else f"?{secrets.token_hex(4)}"


@functools.cache
def _namespace() -> str:
    """Of process ids, since the machine was started (Linux); "" elsewhere."""
    try:
        return (
            Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
            + os.readlink("/proc/self/ns/pid")[5:-1]
        )
    except OSError:
        return "-"


def _started(pid: int) -> str:
    """When that process was started, in the kernel's ticks; "" where there is none. Without /proc,
    whether there is one."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        pass
    if Path("/proc/self/stat").exists():
        return ""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except OSError:
        pass
    return "-"
