"""How a variable's URL is read."""

import re
from urllib.parse import SplitResult, urlsplit

from helpdesk.env.addresses import host
from helpdesk.env.parsing import Wrong

# https://<your host>
UNFILLED = re.compile(r"(?:^|[/:@=])(?:<[^<>@]*>|\$?\{[^{}@]*\})(?=$|[/:@?&])")
ENCODE = "must have # / ? and @ in a password percent-encoded, as %23 %2F %3F and %40"


def split_url(value: str, *schemes: str) -> SplitResult:
    """A URL of one of the schemes, whose host and port can be read. Raises Wrong.

    A character in a password that ends the host (/ ? #) would make the rest of the password a path,
    and the user a host: where such a rest may be one, it is refused.
    """
    listed = ", ".join(f"{scheme}://" for scheme in schemes)
    if value.partition("://")[0].lower() not in schemes or "://" not in value:
        raise Wrong(
            f"must begin with {listed}" if len(schemes) == 1 else f"must begin with one of {listed}"
        )
    if UNFILLED.search(value):
        raise Wrong("still holds a placeholder")
    try:
        parts = urlsplit(value)
        port, name = parts.port, parts.hostname or ""
    except ValueError:
        wrong = "is no URL with a host and a port from 1 to 65535; a password in it must be "
        raise Wrong(wrong + "percent-encoded") from None
    if port == 0:
        raise Wrong("must have a port from 1 to 65535")
    if "#" in value or ("@" in parts.path + parts.query and "@" not in parts.netloc):
        raise Wrong(ENCODE)
    if not name:
        raise Wrong("must name a host")
    written = parts.netloc.rpartition("@")[2]
    host(name if written.startswith("[") else written.partition(":")[0])
    return parts


def http_url(value: str) -> str:
    """Without a slash at its end."""
    parts = split_url(value, "http", "https")
    if parts.username is not None or parts.query:
        raise Wrong("must be an http or https URL without user, password and query")
    return value.rstrip("/")


def origin(value: str) -> str:
    """`https://app.example.com`, as a browser names where a page is from."""
    scheme = value.partition("://")[0]
    if not re.fullmatch(r"[a-z][a-z0-9+.-]*", scheme):
        raise Wrong("must be an origin, such as https://app.example.com")
    parts = split_url(value, scheme)
    if parts.path or parts.query or "@" in parts.netloc or value.endswith("?"):
        raise Wrong("must be an origin without a path, such as https://app.example.com")
    return value


def reset_url(value: str) -> str:
    """A page's address with {uid} and {token} in it."""
    filled = value.replace("{uid}", "1").replace("{token}", "1")
    if "{uid}" not in value or "{token}" not in value:
        raise Wrong("must hold {uid} and {token}")
    # What follows a # is for the page's own script.
    split_url(filled.replace("#", "", 1), "http", "https")
    return value
