"""Whom a connection counts for, wherever something is limited by client: SMTP, the API, the portal,
the staff site."""

from ipaddress import IPv6Address, ip_address, ip_network


def client_key(address: str) -> str:
    """One key for one client: an IPv4 address, or an IPv6 /64, from which one customer chooses
    addresses (RFC 6177).

    An IPv4 address that is written as IPv6 (RFC 4291 2.5.5.2) is the IPv4 address. What is no
    address is its own key.
    """
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address[:100] or "unknown"
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped or ip_network((int(found), 64), strict=False))
    return str(found)
