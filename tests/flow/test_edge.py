"""What a stranger sends to the real server: headers that say who they are, and bodies without an
end."""

import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flow.test_serve import Served
from tests.support.services import wait_for


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    (tmp_path / "tmp").mkdir()
    found = Served(
        tmp_path,
        TMPDIR=str(tmp_path / "tmp"),
        TRUSTED_PROXIES="127.0.0.2",
        PUBLIC_URL="https://help.example",
    )
    found.start()
    yield found
    if found.process and found.process.poll() is None:
        found.kill()


def guest(served: Served, number: int, *, by: str, forwarded: str) -> int:
    """The status of a guest's post that comes from the address `by` and says that it is of
    `forwarded`."""
    body = json.dumps(
        {"name": "Eve", "email": f"eve{number}@example.org", "description": "x"}
    ).encode()
    head = (
        f"POST /add/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nX-Forwarded-For: {forwarded}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection(
        ("127.0.0.1", served.http), timeout=20, source_address=(by, 0)
    ) as client:
        client.sendall(head.encode() + body)
        return int(client.makefile("rb").readline().split()[1])


def test_behind_a_proxy_that_is_trusted_each_guest_counts_alone_and_elsewhere_nobody_chooses_their_address(
    served: Served,
) -> None:
    # 20 posts an hour are one client's: by what a proxy says, each of these is another's.
    through_proxy = [
        guest(served, n, by="127.0.0.2", forwarded=f"6.6.6.6, 203.0.113.{n}") for n in range(22)
    ]
    assert through_proxy == [201] * 22
    alone = [guest(served, n, by="127.0.0.3", forwarded=f"203.0.113.{n}") for n in range(22)]
    assert 429 in alone
    said = (served.folder / "log").read_text()
    assert said.count("127.0.0.3 is not in TRUSTED_PROXIES") == 1


def test_https_is_what_a_trusted_proxy_says_and_nobody_else(served: Served) -> None:
    for by, is_secure in (("127.0.0.2", True), ("127.0.0.3", False)):
        with socket.create_connection(
            ("127.0.0.1", served.http), timeout=20, source_address=(by, 0)
        ) as client:
            client.sendall(
                b"GET /portal/sign-in/ HTTP/1.1\r\nHost: help.example\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n\r\n"
            )
            answer = client.makefile("rb").read().lower()
        assert answer.startswith(b"http/1.1 200")
        assert (b"strict-transport-security" in answer) is is_secure


def test_a_body_of_300_mb_is_refused_and_none_of_it_is_kept(served: Served) -> None:
    head = (
        b"POST /auth/jwt/create/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    )
    block = b"x" * 1_000_000
    for framing in (b"Content-Length: 300000000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", served.http), timeout=20) as client:
            client.sendall(head + framing)
            sent = 0
            try:
                while sent < 300:
                    client.sendall(
                        b"%x\r\n%s\r\n" % (len(block), block) if b"chunked" in framing else block
                    )
                    sent += 1
                    client.settimeout(0.001)
                    try:
                        answer = client.recv(65536)
                    except TimeoutError:
                        client.settimeout(20)
                        continue
                    break
            except ConnectionError:
                pytest.fail("the connection ended without an answer")
            assert answer.startswith(b"HTTP/1.1 413 ")
            assert sent < 100
        assert not any((served.folder / "tmp").iterdir())
    with urllib.request.urlopen(served.url("/api/health/"), timeout=5) as reply:
        assert reply.status == 200


def test_who_asks_before_sending_hears_at_once_that_it_is_too_large(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.http), timeout=20) as client:
        client.sendall(
            b"POST /portal/sign-in/ HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 300000000\r\n\r\n"
        )
        started = time.monotonic()
        answer = client.recv(65536)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert time.monotonic() - started < 1
        wait_for(lambda: not client.recv(65536), 10, "the end of the connection")


def test_an_api_client_is_told_in_the_apis_words(served: Served) -> None:
    asked = urllib.request.Request(
        served.url("/auth/jwt/create/"), b"x" * 2_000_000, {"Content-Type": "application/json"}
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(asked, timeout=20)
    assert refused.value.code == 413
    assert json.load(refused.value)["error"]["code"] == "too_large"
