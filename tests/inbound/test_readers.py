"""The processes that read mail for others: killed, late, greedy, forked, and left behind."""

import base64
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from inbound import reader_process, readers
from inbound.reading.message import Envelope
from inbound.reading.reading import Reading
from tests.support.mail import SUPPORT, eml
from tests.support.services import ROOT, wait_for

ENVELOPE = Envelope("cleo@example.net", (SUPPORT,))


@pytest.fixture(autouse=True)
def none_idle() -> Iterator[None]:
    """Readers of other tests are none of these."""
    readers._end_all()
    yield
    readers._end_all()


def read(raw: bytes) -> Reading:
    return readers.read(raw, ENVELOPE, {SUPPORT})


def idle() -> list[int]:
    return [reader.pid for reader in readers._idle]


def is_running(pid: int) -> bool:
    """Not merely unburied: a container may have nobody who buries the children of the dead."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[
            0
        ] not in {"Z", "X"}
    except OSError:
        return False


def children(pid: int) -> list[int]:
    return [
        int(found)
        for task in Path(f"/proc/{pid}/task").glob("*")
        for found in (task / "children").read_text().split()
    ]


@pytest.fixture
def as_reader(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Has readers run the product's own, after a few lines of another's."""
    real = subprocess.Popen

    def replace(lines: str) -> None:
        script = tmp_path / "reader.py"
        script.write_text(f"{lines}\nchild.main()\n")

        def popen(command: list[str], **more: Any) -> "subprocess.Popen[bytes]":
            more["env"] = {**more["env"], "PYTHONPATH": str(ROOT)}
            return real([command[0], str(script)], **more)

        monkeypatch.setattr(reader_process.subprocess, "Popen", popen)

    return replace


# What the child does with a mail whose subject tells it to.
ODD = """
import os, signal, time
from inbound.reading import child
real = child.read
def read(raw, *args, **fields):
    if b"Subject: sleep" in raw:
        time.sleep(60)
    if b"Subject: die" in raw:
        os.kill(os.getpid(), signal.SIGKILL)
    if b"Subject: greedy" in raw:
        b"x" * (2 * child.MEMORY)
    if b"Subject: stubborn" in raw:
        try:
            b"x" * (2 * child.MEMORY)
        except MemoryError:
            pass
    if b"Subject: print" in raw:
        print("a library's word", flush=True)
        os.write(1, b"\\0\\0\\0\\1" * 100)
    return real(raw, *args, **fields)
child.read = read
"""


# --- Killed


def test_a_reader_that_is_killed_between_two_mails_is_replaced() -> None:
    assert read(eml("one")).text == "one"
    (pid,) = idle()
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not is_running(pid), 5)
    assert read(eml("two")).text == "two"
    assert idle() != [pid]


def test_a_reader_that_dies_of_a_mail_is_that_mails_fault_and_replaced(
    as_reader: Callable[[str], None],
) -> None:
    as_reader(ODD)
    with pytest.raises(readers.Died, match="its reader died of it"):
        read(eml("x", subject="die"))
    assert idle() == []
    assert read(eml("after")).text == "after"


def test_one_that_is_killed_from_outside_in_the_middle_of_a_mail_is_noticed_at_once(
    as_reader: Callable[[str], None],
) -> None:
    as_reader(ODD)
    read(eml("warm"))
    (pid,) = idle()
    threading.Timer(0.2, os.kill, (pid, signal.SIGKILL)).start()
    begin = time.monotonic()
    with pytest.raises(readers.Died, match="exit status -9"):
        read(eml("x", subject="sleep"))
    assert time.monotonic() - begin < readers.SECONDS
    assert read(eml("after")).text == "after"


# --- Time and memory


def test_a_mail_that_takes_longer_than_it_may_ends_its_reader(
    as_reader: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    as_reader(ODD)
    monkeypatch.setattr(readers, "SECONDS", 0.3)
    read(eml("warm"))
    (pid,) = idle()
    begin = time.monotonic()
    with pytest.raises(readers.TooMuch, match="not read within"):
        read(eml("x", subject="sleep"))
    assert 0.3 <= time.monotonic() - begin < 2
    assert not is_running(pid)
    assert read(eml("after")).text == "after"


def test_a_mail_that_needs_more_memory_than_it_may_is_too_much(
    as_reader: Callable[[str], None],
) -> None:
    as_reader(ODD)
    read(eml("warm"))
    (pid,) = idle()
    with pytest.raises(readers.TooMuch, match="more memory"):
        read(eml("x", subject="greedy"))
    assert not is_running(pid)
    assert read(eml("x", subject="stubborn")).text == "x"  # whatever it tries, it does not get it


def test_what_a_mail_raises_is_told_and_its_reader_stays(as_reader: Callable[[str], None]) -> None:
    as_reader(
        'from inbound.reading import child\ndef read(*a, **k): raise KeyError("odd" * 1000)\nchild.read = read'
    )
    with pytest.raises(readers.Unreadable, match="KeyError") as raised:
        read(eml("x"))
    assert not isinstance(raised.value, readers.TooMuch)
    assert len(idle()) == 1


# --- The protocol


def test_what_a_library_prints_is_no_answer(as_reader: Callable[[str], None]) -> None:
    as_reader(ODD)
    for _ in range(2):
        assert read(eml("said", subject="print")).text == "said"
    assert len(idle()) == 1


def test_a_large_mail_comes_back_byte_for_byte() -> None:
    file = os.urandom(1 << 20) * 18
    raw = (
        b"From: cleo@example.net\nSubject: Large\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nLook\n"
        b"--b\nContent-Type: application/zip; name=a.zip\nContent-Transfer-Encoding: base64\n\n"
        + base64.encodebytes(file)
        + b"--b--\n"
    )
    assert 24_000_000 < len(raw) < 26_000_000
    reading = read(raw)
    (found,) = reading.parsed.attachments
    assert (reading.text, found.name, found.data == file) == ("Look", "a.zip", True)


def test_two_threads_at_once_get_their_own_answers() -> None:
    wrong: list[str] = []

    def work(name: str) -> None:
        for number in range(25):
            words = f"{name} {number} " + "x" * (number * 1000)
            if (found := read(eml(words)).text.strip()) != words.strip():
                wrong.append(f"{words[:20]}: {found[:20]}")

    threads = [threading.Thread(target=work, args=(f"thread{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []


def test_no_more_than_four_read_at_once_and_two_are_kept(
    as_reader: Callable[[str], None], tmp_path: Path
) -> None:
    as_reader(
        ODD.replace(
            "time.sleep(60)",
            f"while not os.path.exists({str(tmp_path / 'go')!r}): time.sleep(0.01)",
        )
    )
    before = len(children(os.getpid()))
    threads = [threading.Thread(target=lambda: read(eml("x", subject="sleep"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(children(os.getpid())) - before == readers.MOST, 15)
    time.sleep(0.3)
    assert len(children(os.getpid())) - before == readers.MOST
    (tmp_path / "go").touch()
    for thread in threads:
        thread.join(30)
    assert len(idle()) == readers.KEPT
    assert len(children(os.getpid())) - before == readers.KEPT


def test_one_apart_is_nobodys_afterwards() -> None:
    assert readers.read(eml("apart"), ENVELOPE, {SUPPORT}, apart=True).text == "apart"
    assert idle() == []


def test_a_reader_knows_no_secret_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "a-secret")
    monkeypatch.setenv("DATABASE_URL", "postgres://helpdesk:a-secret@db/helpdesk")
    read(eml("x"))
    (pid,) = idle()
    environment = (Path("/proc") / str(pid) / "environ").read_bytes()
    assert b"secret" not in environment
    assert {line.partition(b"=")[0] for line in environment.split(b"\0") if line} == {
        b"LANG",
        b"PATH",
        b"MALLOC_ARENA_MAX",
        b"MALLOC_MMAP_THRESHOLD_",
    }
    # Nor a file or a socket of ours.
    opened = {os.readlink(found) for found in Path(f"/proc/{pid}/fd").iterdir()}
    assert all(name.startswith("pipe:") for name in opened - {os.readlink(f"/proc/{pid}/fd/2")})


# --- Parents and forks

PARENT = """
import os, sys, time
from inbound import readers
from inbound.reading.message import Envelope
mail = b"From: a@b.cc\\n\\nHello"
assert readers.read(mail, Envelope(), set()).text == "Hello"
with readers._reader():
    with readers._reader() as second:
        print(*[reader.pid for reader in readers._idle], second.pid, flush=True)
"""


@pytest.fixture
def parent() -> Iterator[Callable[[str], "subprocess.Popen[str]"]]:
    started: list[subprocess.Popen[str]] = []

    def start(more: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-c", PARENT + more],
            cwd=ROOT,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait(10)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, None])
def test_no_reader_outlives_whom_it_reads_for(how: signal.Signals | None, parent: Any) -> None:
    process = parent("sys.stdin.read()")
    pids = [int(pid) for pid in process.stdout.readline().split()]
    assert pids
    assert all(map(is_running, pids))
    process.send_signal(how) if how else process.stdin.close()
    process.wait(10)
    wait_for(lambda: not any(map(is_running, pids)), 5, "the readers to end")


FORK = """
def answered(words):
    mail = b"From: a@b.cc\\n\\n" + words.encode()
    return readers.read(mail, Envelope(), set()).text == words
mine = {reader.pid for reader in readers._idle}
fork = os.fork()
ok = all(answered(f"{os.getpid()} {n}") for n in range(30))
pids = {reader.pid for reader in readers._idle}
if not fork:
    print("fork", ok, not pids & mine, flush=True)
    readers._end_all()
    os._exit(0)
os.waitpid(fork, 0)
print("parent", ok, pids == mine and all(reader.is_alive() for reader in readers._idle), flush=True)
"""


def test_a_fork_has_readers_of_its_own_and_leaves_its_parents_alone(parent: Any) -> None:
    process = parent(FORK)
    said, _ = process.communicate(timeout=30)
    assert sorted(said.splitlines()[1:]) == ["fork True True", "parent True True"]
