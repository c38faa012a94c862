"""What the allocator keeps, each in a process of its own."""

import subprocess
import sys

import pytest

from tests.support.services import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it is about GNU's allocator")

BEGIN = """
import re
from helpdesk.processes import memory
def anonymous():
    return int(re.search(r"RssAnon:\\s+(\\d+)", open("/proc/self/status").read())[1]) // 1024
start = anonymous()
"""
# The first piece teaches the allocator to keep those of its size; a small one lies on the others.
LARGE = """
first = b"x" * (30 << 20)
del first
pieces = [b"x" * (10 << 20) for _ in range(5)]
small = b"x" * 100_000
del pieces
print(anonymous() - start)
"""
SMALL = """
pieces = [bytearray(2000) for _ in range(50_000)]
few = pieces[::100]
del pieces
{call}
print(anonymous() - start)
"""


def kept_megabytes(program: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + program], cwd=ROOT, capture_output=True, check=True
    )
    return int(done.stdout)


def test_what_is_large_goes_back_to_the_system() -> None:
    assert kept_megabytes(LARGE) > 40
    assert kept_megabytes(f"memory.give_back_what_is_large()\n{LARGE}") < 10


def test_what_is_free_between_pieces_in_use_goes_back_to_the_system() -> None:
    assert kept_megabytes(SMALL.format(call="")) > 80
    assert kept_megabytes(SMALL.format(call="memory.give_back_what_is_free()")) < 20
