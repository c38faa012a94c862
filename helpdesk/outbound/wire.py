"""An address as it is written on the wire: its domain in ASCII (RFC 5890), its local part as it is
(RFC 6531)."""

from email.header import Header
from email.utils import formataddr

import idna


class Unwritable(ValueError):
    """The mail server has no way to write this address."""

    def __init__(self, address: str, why: str) -> None:
        super().__init__(f"the mail server cannot write to this address: {address}: {why}")


def on_the_wire(address: str) -> str:
    """The address with its domain in ASCII. Raises Unwritable where the domain has no such form."""
    local, at, domain = address.rpartition("@")
    return f"{local}{at}{ascii_domain(domain, address)}" if at else address


def ascii_domain(domain: str, address: str = "") -> str:
    """IDNA 2008, as registries have it; where that refuses a name, the older IDNA. Raises
    Unwritable."""
    if domain.isascii():
        return domain
    try:
        return idna.encode(domain, uts46=True).decode()
    except UnicodeError:
        pass
    try:
        return domain.encode("idna").decode()
    except UnicodeError as error:
        raise Unwritable(address or domain, "its domain is none") from error


def needs_utf8(address: str) -> bool:
    """Whether only a server with SMTPUTF8 can take it."""
    return not address.rpartition("@")[0].isascii()


def shown(name: str, address: str, *, utf8: bool = False) -> str:
    """An address for a header, its name encoded (RFC 2047). Without `utf8`, one that needs it, and
    one whose domain is none, is a group of nobody under its name (RFC 6854): the reader sees who it
    was, and all can write it."""
    try:
        written = on_the_wire(address)
    except Unwritable:
        written = ""
    if not written or (needs_utf8(address) and not utf8):
        return _phrase(name or address) + ":;"
    return f"{_phrase(name)} <{written}>" if name else written


def _phrase(name: str) -> str:
    """RFC 2047 2: an encoded word has 75 characters at most; a long name is several, which a header
    can be folded between."""
    if name.isascii():
        return formataddr((name, "@")).removesuffix(" <@>")
    # The first is shorter, so that it fits on the line of the header's own name.
    return Header(name, "utf-8", header_name="Reply-To").encode(linesep="").replace("?==?", "?= =?")
