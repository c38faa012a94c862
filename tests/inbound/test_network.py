"""Whom a connection counts for."""

import pytest

from inbound.network import client_key


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2:ffff::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        ("a socket", "a socket"),
        ("x" * 200, "x" * 100),
    ],
)
def test_a_client_is_an_address_or_a_network_that_one_customer_has(address: str, key: str) -> None:
    assert client_key(address) == key


def test_two_networks_of_ipv6_are_two_clients() -> None:
    assert client_key("2001:db8:1:2::1") != client_key("2001:db8:1:3::1")
