"""A private Postfix that keeps what it takes in its hold queue: what a mail server in C does."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.site import free_port

_MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/spool
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
myhostname = mx.example.com
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtpd_peername_lookup = no
relay_domains = example.com
header_checks = static:HOLD
message_size_limit = 26000000
smtpd_client_connection_count_limit = 0
"""
_MASTER = """
127.0.0.1:{port} inet n - n - 150 smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 1 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


def why_not() -> str:
    """What keeps one from being started here, or "" """
    if os.geteuid():
        return "Postfix runs only for root"
    return "" if _program() else "postfix is not installed"


@contextmanager
def postfix(folder: str | None) -> Iterator[tuple[int, int]]:
    """Its port, and its master's process id. The machine's own Postfix is not touched."""
    with tempfile.TemporaryDirectory(prefix="bench-postfix-", dir=folder) as name:
        own, port = Path(name), free_port()
        own.chmod(0o755)  # its daemons leave root behind
        for part in ("conf", "spool", "data"):
            (own / part).mkdir()
        shutil.chown(own / "data", "postfix")
        (own / "conf/main.cf").write_text(_MAIN.format(folder=own))
        (own / "conf/master.cf").write_text(_MASTER.format(port=port))
        _run(own, "start")
        try:
            yield port, int((own / "spool/pid/master.pid").read_text())
        finally:
            _run(own, "abort")


def _program() -> str | None:
    return shutil.which("postfix", path="/usr/sbin:/usr/local/sbin")


def _run(own: Path, command: str) -> None:
    subprocess.run(
        [str(_program()), "-c", str(own / "conf"), command],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=60,
    )
