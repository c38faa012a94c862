"""Who asks, where a proxy stands in between."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from helpdesk.edge import proxies
from helpdesk.edge.proxies import behind_proxies
from helpdesk.env.addresses import proxies as read_proxies
from helpdesk.settings import setting

TRUSTED = ["10.0.0.0/24", "2001:db8:ffff::/48"]


@pytest.fixture(autouse=True)
def _nobody_seen_yet() -> None:
    proxies._untrusted.clear()
    proxies._told.clear()


def seen(
    peer: str | None, *headers: tuple[str, str], trusted: Iterable[str] = TRUSTED
) -> tuple[str, str, list[str]]:
    """The client, the scheme and the names of the headers that the application is given."""
    found: dict[str, Any] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        found.update(scope)

    scope = {
        "type": "http",
        "scheme": "http",
        "client": (peer, 4711) if peer else None,
        "path": "/",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
    }
    asyncio.run(behind_proxies(app, trusted)(scope, None, None))  # type: ignore[arg-type]
    client = found["client"][0] if found["client"] else ""
    return client, found["scheme"], [name.decode() for name, _ in found["headers"]]


def for_(value: str) -> tuple[str, str]:
    return ("X-Forwarded-For", value)


def test_nobody_on_the_open_internet_says_who_they_are() -> None:
    assert seen("203.0.113.9", for_("198.51.100.1"), ("X-Forwarded-Proto", "https")) == (
        "203.0.113.9",
        "http",
        [],
    )
    assert seen("203.0.113.9", for_("10.0.0.1"))[0] == "203.0.113.9"


def test_a_trusted_proxy_says_who_asks_and_by_which_scheme() -> None:
    assert seen("10.0.0.1", for_("198.51.100.1"), ("X-Forwarded-Proto", "https")) == (
        "198.51.100.1",
        "https",
        [],
    )


def test_what_a_client_wrote_before_the_proxy_did_is_not_believed() -> None:
    assert seen("10.0.0.1", for_("127.0.0.1, 10.0.0.7, 198.51.100.1"))[0] == "198.51.100.1"
    # In a line of its own as well.
    assert seen("10.0.0.1", for_("127.0.0.1"), for_("198.51.100.1"))[0] == "198.51.100.1"
    assert seen("10.0.0.1", for_("198.51.100.1"), ("X-Forwarded-Proto", "https, http"))[1] == "http"


def test_several_trusted_hops_are_walked_through_from_the_right() -> None:
    assert seen("10.0.0.1", for_("6.6.6.6, 198.51.100.1, 10.0.0.3, 10.0.0.2"))[0] == "198.51.100.1"
    # Each hop added the scheme that it was asked by: the outermost trusted one's counts.
    both = (for_("198.51.100.1, 10.0.0.2"), ("X-Forwarded-Proto", "https, http"))
    assert seen("10.0.0.1", *both)[:2] == ("198.51.100.1", "https")
    assert (
        seen("10.0.0.1", for_("10.0.0.3, 10.0.0.2"))[0] == "10.0.0.3"
    )  # whoever it is, they are ours


@pytest.mark.parametrize(
    ("written", "client"),
    [
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("198.51.100.1:4711", "198.51.100.1"),
        ("::ffff:198.51.100.1", "198.51.100.1"),
        ("fe80::1%eth0", "fe80::1"),
        (" 198.51.100.1 ", "198.51.100.1"),
        ("6.6.6.6, 2001:db8:ffff::7", "6.6.6.6"),
    ],
)
def test_an_address_is_read_as_proxies_write_it(written: str, client: str) -> None:
    assert seen("2001:db8:ffff::1", for_(written))[0] == client


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        "unknown",
        "_hidden",
        "-",
        "198.51.100.1:port",
        "[2001:db8::1",
        "[2001:db8::1]4711",
        "999.1.1.1",
        "1.2.3.4:²",
        "' OR 1=1",
        "\xff\xfe",
        "," * 5000,
        "1" * 60_000,
        "6.6.6.6, unknown",
    ],
    ids=lambda value: value[:20] or "nothing",
)
def test_behind_what_is_no_address_nobody_is_believed(garbage: str) -> None:
    assert seen("10.0.0.1", for_(garbage))[0] == "10.0.0.1"
    assert seen("10.0.0.1", for_(f"6.6.6.6, {garbage}, 10.0.0.2"))[0] == "10.0.0.2"


def test_a_peer_that_comes_by_ipv6_with_an_ipv4_address_is_the_same_peer() -> None:
    assert seen("::ffff:10.0.0.1", for_("198.51.100.1"))[0] == "198.51.100.1"


def test_no_other_header_says_who_asks() -> None:
    others = [
        ("Forwarded", "for=6.6.6.6;proto=https"),
        ("X-Real-IP", "6.6.6.6"),
        ("X-Forwarded-Host", "evil.example"),
    ]
    assert seen("10.0.0.1", *others, ("Accept", "*/*")) == ("10.0.0.1", "http", ["accept"])
    assert seen("10.0.0.1", ("X-Forwarded-Proto", "javascript"))[1] == "http"
    assert seen(None, for_("6.6.6.6"))[0] == ""


def test_a_proxy_that_nobody_trusts_is_named_once_in_the_log_and_in_staffs_health(
    caplog, admin_client, client
) -> None:
    with caplog.at_level(logging.WARNING, "helpdesk.edge.proxies"):
        for _ in range(3):
            seen("192.168.7.7", for_("198.51.100.1"))
    (line,) = caplog.messages
    assert "192.168.7.7" in line
    assert "TRUSTED_PROXIES" in line
    assert admin_client.get("/api/health/").json()["proxies_not_trusted"] == [
        "192.168.7.7 says 'x-forwarded-for: 198.51.100.1'"
    ]
    assert client.get("/api/health/").json()["proxies_not_trusted"] == 1
    assert client.get("/api/health/").status_code == 200


def test_whoever_plays_with_the_header_fills_neither_memory_nor_log(caplog) -> None:
    with caplog.at_level(logging.WARNING, "helpdesk.edge.proxies"):
        for number in range(300):
            seen(f"203.0.{number // 250}.{number % 250}", for_("6.6.6.6" * 1000))
    assert len(caplog.messages) == proxies.REMEMBERED == len(proxies.not_trusted())
    assert len(max(proxies.not_trusted())) < 300


@pytest.mark.parametrize(
    "value", ["*", "0.0.0.0/0", "::/0", "proxy.example.com", "10.0.0.0/33", "10.0.0.1;10.0.0.2"]
)
def test_a_setting_that_trusts_everybody_or_nothing_that_is_a_network_stops_the_start(
    value: str, monkeypatch
) -> None:
    monkeypatch.setenv("TRUSTED_PROXIES", value)
    with pytest.raises(ImproperlyConfigured, match="TRUSTED_PROXIES"):
        setting("TRUSTED_PROXIES")


def test_networks_addresses_or_nobody_are_trusted() -> None:
    assert read_proxies("10.0.0.1, 2001:db8::/32") == ["10.0.0.1", "2001:db8::/32"]
    assert read_proxies("off") == []
