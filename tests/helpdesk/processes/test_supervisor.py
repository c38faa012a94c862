"""Processes that are started again where they die, in real processes."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpdesk.processes import supervisor
from tests.support.services import ROOT, wait_for

PROGRAM = """
import logging, os, signal, sys, time
from helpdesk.processes import supervisor
logging.basicConfig(level="INFO", format="%(message)s")
supervisor.PAUSE, supervisor.STOP_SECONDS = 0.05, 2.0

def say(words):
    print(words, flush=True)

def wait(name):
    def body(ready):
        say(f"{name} is {os.getpid()}")
        def end(*_):
            say(f"{name} ends")
            raise SystemExit
        signal.signal(signal.SIGTERM, end)
        ready()
        while True:
            time.sleep(60)
    def run(ready):
        try:
            return body(ready)
        except SystemExit:
            return 0
    return run

def deaf(ready):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    say(f"deaf is {os.getpid()}")
    ready()
    time.sleep(60)

def unable(ready):
    raise OSError("the port is taken")

say(f"prepared {supervisor.in_a_child(lambda: 'something')}")
bodies = {"a": wait("a"), "b": wait("b"), "deaf": deaf, "unable": unable}
parts = [supervisor.Part(name, bodies[name]) for name in sys.argv[1:]]
sys.exit(supervisor.Supervisor(parts, up=lambda: say("up"), ended=lambda words: say(f"noted: {words}")).run())
"""


class Program:
    def __init__(self, folder: Path, *parts: str) -> None:
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, *parts], cwd=ROOT, stdout=log, stderr=log
            )

    def said(self) -> str:
        return self._log.read_text()

    def pids(self, name: str) -> list[int]:
        return [int(pid) for pid in re.findall(rf"^{name} is (\d+)$", self.said(), re.MULTILINE)]

    def until(self, words: str) -> None:
        wait_for(lambda: words in self.said(), 20, words)


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[Program]]:
    found: list[Program] = []
    yield found
    for one in found:
        one.process.kill()
        one.process.wait()


def start(started: list[Program], folder: Path, *parts: str) -> Program:
    program = Program(folder, *parts)
    started.append(program)
    return program


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_one_that_is_killed_is_started_again_and_the_new_one_notes_it(
    started: list[Program], tmp_path: Path
) -> None:
    program = start(started, tmp_path, "a", "b")
    program.until("up\n")
    (first,) = program.pids("a")
    (other,) = program.pids("b")
    os.kill(first, signal.SIGKILL)
    program.until(f"noted: a (process {first}) was ended by SIGKILL\n")
    wait_for(lambda: len(program.pids("a")) == 2, 20)
    assert f"a (process {first}) was ended by SIGKILL; it is started again in 0.1 s" in (
        program.said()
    )
    os.kill(program.pids("a")[1], signal.SIGKILL)
    program.until("started again in 0.1 s\nnoted: ")
    wait_for(lambda: len(program.pids("a")) == 3, 20)
    assert program.pids("b") == [other]
    assert program.said().count("up\n") == 1


def test_told_to_end_they_end_in_their_order_and_well(
    started: list[Program], tmp_path: Path
) -> None:
    program = start(started, tmp_path, "b", "a")
    program.until("up\n")
    program.process.send_signal(signal.SIGTERM)
    assert program.process.wait(20) == 0
    assert program.said().endswith("b ends\na ends\n")


def test_one_that_does_not_end_is_killed_and_that_is_an_error(
    started: list[Program], tmp_path: Path
) -> None:
    program = start(started, tmp_path, "deaf", "a")
    program.until("up\n")
    (deaf,) = program.pids("deaf")
    program.process.send_signal(signal.SIGTERM)
    assert program.process.wait(20) == 1
    assert not is_there(deaf)
    assert program.said().endswith("deaf is killed: it did not end\na ends\n")


def test_who_is_told_twice_waits_for_nobody(started: list[Program], tmp_path: Path) -> None:
    program = start(started, tmp_path, "deaf")
    program.until("up\n")
    for _ in range(2):
        program.process.send_signal(signal.SIGINT)
        wait_for(lambda: True, 1)
    assert program.process.wait(20) == 1


def test_one_that_cannot_be_started_ends_them_all(started: list[Program], tmp_path: Path) -> None:
    program = start(started, tmp_path, "a", "unable")
    assert program.process.wait(20) == 1
    assert "OSError: the port is taken" in program.said()
    assert "ended with status 1 before it was ready" in program.said()
    assert not is_there(program.pids("a")[0])


def test_they_end_at_once_with_the_one_that_watches_over_them(
    started: list[Program], tmp_path: Path
) -> None:
    program = start(started, tmp_path, "a", "deaf")
    program.until("up\n")
    program.process.kill()
    program.process.wait()
    for pid in (*program.pids("a"), *program.pids("deaf")):
        wait_for(lambda pid=pid: not is_there(pid), 5)  # type: ignore[misc]


def test_a_process_ends_though_nobody_has_heard_that_it_was_ready(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever goes with something unread resets the line, and does not merely end it."""
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(b".")
        ours.close()
        supervisor._end_with_it(theirs)
    assert ended == [1]
