"""How a variable's hosts, networks, places to listen at and mail addresses are read."""

import ipaddress
import re

from helpdesk.env.parsing import Wrong
from helpdesk.env.values import each

# In any script; Docker's have a _.
_HOST = re.compile(r"[^\x00-\x2f:-@\[-^`{-\x7f]([^\x00-\x2c/:-@\[-^`{-\x7f])*")
PLACEHOLDERS = {"HOST", "HOSTNAME", "YOUR_HOST"}  # in capitals, as documentation writes them


def host(value: str) -> str:
    """A name or an address, without scheme, port and path."""
    if value in PLACEHOLDERS:
        raise Wrong("still holds a placeholder")
    if _is_ip(value.strip("[]")):
        return value.strip("[]")
    if "://" in value:
        raise Wrong("must be a host without http:// or the like")
    if not _HOST.fullmatch(value):
        raise Wrong("must be a host name or an address, without port and path")
    return value


def allowed_host(value: str) -> str:
    """As Django has it: a host, .example.com for all below it, or * for all."""
    if value == "*":
        return value
    found = host(value.removeprefix("."))
    return f"[{found}]" if ":" in found else value


def optional_host(value: str) -> str:
    return host(value).lower() if value else ""


def domain(value: str) -> str:
    return host(value).lower()


def ip_address(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise Wrong("must be an IP address") from None


def network(value: str) -> str:
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise Wrong("must be an IP address or a network, such as 10.0.0.0/8") from None
    return value


def networks(value: str) -> list[str]:
    return each(network)(value)


def proxies(value: str) -> list[str]:
    """Networks, or "off". All addresses at once are none: then anybody could say who they are."""
    if value.lower() == "off":
        return []
    for found in networks(value):
        if ipaddress.ip_network(found, strict=False).prefixlen == 0:
            raise Wrong("must not be every address: anybody could say then where they come from")
    return networks(value)


def bind(value: str) -> tuple[str, int]:
    """`HOST:PORT` to listen at. An empty host is every address."""
    name, colon, port = value.rpartition(":")
    if not colon or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
        raise Wrong("must be HOST:PORT, such as 127.0.0.1:8000")
    return host(name) if name else "0.0.0.0", int(port)  # noqa: S104  # what an empty host means


def listener(value: str) -> tuple[str, int] | None:
    """`HOST:PORT`, or "off"."""
    return None if value.lower() == "off" else bind(value)


def server(value: str) -> tuple[str, int] | None:
    """`HOST:PORT` to connect to, or "off"."""
    if value.lower() == "off":
        return None
    name, port = bind(value)
    if value.startswith(":") or not port:
        raise Wrong("must be HOST:PORT or off")
    return name, port


def mail_address(value: str) -> str:
    if not re.fullmatch(r"[^@\s<>,;:\"]{1,64}@[^@]+", value):
        raise Wrong("must be an e-mail address")
    try:
        host(value.rpartition("@")[2])
    except Wrong:
        raise Wrong("must be an e-mail address") from None
    return value.lower()


def _is_ip(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True
