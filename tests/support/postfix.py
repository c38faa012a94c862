"""A private Postfix for tests, which takes mail for example.com and hands it on by LMTP as
docs/MTA.md says."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.services import free_port, wait_for

MAIN = """
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
default_transport = discard:

relay_domains = example.com
transport_maps = inline:{{ example.com=lmtp:inet:127.0.0.1:{lmtp} }}
relay_recipient_maps = {recipients}
recipient_delimiter = +
message_size_limit = 24000000
lmtp_line_length_limit = 0

queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 2s
address_verify_poll_delay = 1s
unverified_recipient_reject_code = 550
"""
# One port looks recipients up in the list, the other asks the helpdesk (the tests' own address,
# too).
MASTER = """
127.0.0.1:{smtp} inet n - n - - smtpd
127.0.0.1:{asking} inet n - n - - smtpd
  -o relay_recipient_maps=
  -o {{ smtpd_recipient_restrictions = reject_unauth_destination, reject_unverified_recipient }}
cleanup unix n - n - 0 cleanup
qmgr unix n - n 1 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n - 0 flush
proxymap unix - - n - - proxymap
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass
class Postfix:
    """`port` knows its recipients from a list, `asking_port` asks the helpdesk for each."""

    folder: Path
    port: int
    asking_port: int

    def queue(self) -> list[dict[str, Any]]:
        """What waits in its queue, as `postqueue -j` tells it."""
        said = self._run("postqueue", "-j").stdout
        return [json.loads(line) for line in said.splitlines()]

    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text() if path.exists() else ""

    def forget_log(self) -> None:
        os.truncate(self.folder / "log", 0)

    def forget_mail(self) -> None:
        self._run("postsuper", "-d", "ALL")

    def start(self) -> None:
        self._run("postfix", "start")
        wait_for(lambda: "daemon started" in self.log(), 60, "Postfix to start")

    def stop(self) -> None:
        # `stop` would wait for deliveries that are under way.
        if (self.folder / "spool/pid/master.pid").exists():
            self._run("postfix", "abort")

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        # The daemon keeps what it inherits open: a pipe to it would never end.
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(
                [_need(program), "-c", str(self.folder / "conf"), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=30,
                umask=0o022,
            )
            output.seek(0)
            said = output.read()
        if done.returncode:
            raise RuntimeError(f"{program} {' '.join(arguments)}: {said}\n{self.log()}")
        return subprocess.CompletedProcess(done.args, 0, said)


@contextmanager
def postfix(lmtp: int, *recipients: str) -> Iterator[Postfix]:
    """A running Postfix that hands mail for `recipients` to LMTP at that port, and throws away what
    goes elsewhere.

    It tries again every second or two what could not be delivered. The machine's own Postfix is not
    touched.
    """
    _need("postfix")
    with tempfile.TemporaryDirectory(prefix="test-postfix-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # its daemons leave root behind
        for part in ("conf", "spool", "data"):
            (folder / part).mkdir()
            (folder / part).chmod(0o755)  # whatever a test before has closed
        shutil.chown(folder / "data", "postfix")
        listed = " ".join(f"{recipient}=ok" for recipient in recipients)
        server = Postfix(folder, free_port(), free_port())
        main = MAIN.format(folder=folder, lmtp=lmtp, recipients=f"inline:{{ {listed} }}")
        master = MASTER.format(smtp=server.port, asking=server.asking_port)
        for name, text in (("main.cf", main), ("master.cf", master)):
            (folder / "conf" / name).write_text(text)
            (folder / "conf" / name).chmod(0o644)
        try:
            server.start()
            yield server
        finally:
            server.stop()


def _need(program: str) -> str:
    """Where that program of Postfix's is. Without it, or without root, the test is skipped by name;
    in CI it fails."""
    found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    missing = (
        f"{program} is not installed"
        if not found
        else ""
        if os.geteuid() == 0
        else "Postfix runs only for root"
    )
    if found and not missing:
        return found
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)
