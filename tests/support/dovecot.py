"""A private Dovecot on free ports: each user is a Maildir whose password is "secret", ended by its
own pid."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from django.utils import timezone
from imapclient import IMAPClient

from tests.support.services import free_port, need, wait_for

CONFIG = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
ssl = no
disable_plaintext_auth = no
default_login_user = {user}
default_internal_user = {user}
default_internal_group = {group}
first_valid_uid = 0
mail_location = maildir:{folder}/mail/%u
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}/mail/%u
}}
service imap-login {{
  chroot =
  service_count = 0
  inet_listener imap {{
    address = 127.0.0.1
    port = {port}
  }}
  inet_listener imaps {{
    address = 127.0.0.1
    port = {tls_port}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
{more}
"""


@dataclass
class Dovecot:
    folder: Path
    more: str = ""
    port: int = field(default_factory=free_port)
    tls_port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None

    def url(self, user: str) -> str:
        """For IMAP_URLS."""
        return f"imap://{user}:secret@127.0.0.1:{self.port}/INBOX?mailbox=support@example.com"

    def start(self) -> None:
        """Starts it, and returns once it answers. Mail of an earlier start is still there."""
        user, group = _account()
        (self.folder / "conf").write_text(
            CONFIG.format(
                folder=self.folder,
                user=user,
                group=group,
                port=self.port,
                tls_port=self.tls_port,
                more=self.more,
            )
        )
        with (self.folder / "log").open("ab") as log:
            command = [need("dovecot"), "-F", "-c", str(self.folder / "conf")]
            self.process = subprocess.Popen(command, stderr=log, start_new_session=True)
        wait_for(self._answers, 15, "dovecot to answer")

    def stop(self) -> None:
        """Ends it, and the sessions that would outlive it."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process = None

    def cut(self) -> int:
        """Kills the process behind each session, as a crash would; how many there were."""
        assert self.process is not None
        sessions = [
            pid for pid, group, name in _processes() if (group, name) == (self.process.pid, "imap")
        ]
        for pid in sessions:
            with suppress(ProcessLookupError):  # it ended by itself
                os.kill(pid, signal.SIGKILL)
        return len(sessions)

    def put(
        self, user: str, name: str, raw: bytes, *, flags: str = "", age: timedelta = timedelta(0)
    ) -> None:
        """A message as a delivery agent or another client leaves it: in new, or in cur with
        Maildir's flags."""
        box = self.folder / "mail" / user
        for part in ("tmp", "new", "cur"):
            if not (box / part).is_dir():
                (box / part).mkdir(parents=True)
                (box / part).chmod(0o777)
                box.chmod(0o777)
        draft = box / "tmp" / name
        draft.write_bytes(raw)
        draft.chmod(0o666)
        written = (timezone.now() - age).timestamp()
        os.utime(draft, (written, written))
        draft.rename(box / "cur" / f"{name}:2,{flags}" if flags else box / "new" / name)

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "log").read_text()
        try:
            with IMAPClient("127.0.0.1", self.port, ssl=False, timeout=10):
                return True
        except OSError:
            return False


@contextmanager
def dovecot(more: str = "") -> Iterator[Dovecot]:
    """`more` is configuration that goes below, and so over, what is there."""
    need("dovecot")
    # Its sockets' paths have to be short.
    folder = Path(tempfile.mkdtemp(prefix="dovecot-"))
    folder.chmod(0o755)
    (folder / "mail").mkdir()
    (folder / "mail").chmod(0o777)
    server = Dovecot(folder, more)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _account() -> tuple[str, str]:
    if os.getuid() == 0:
        return "nobody", "nogroup"
    return pwd.getpwuid(os.getuid()).pw_name, str(os.getgid())


def _processes() -> Iterator[tuple[int, int, str]]:
    """Each process's id, its group's, and its name."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            name, _, rest = path.read_text().partition("(")[2].rpartition(")")
            yield int(path.parent.name), int(rest.split()[2]), name
