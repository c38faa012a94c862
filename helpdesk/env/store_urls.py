"""How the URLs of the database, the broker and the cache are read."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec

from kombu import Connection

from helpdesk.env.parsing import Wrong
from helpdesk.env.urls import ENCODE, UNFILLED, split_url

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")  # libpq's


def redis_url(value: str) -> str:
    """redis://HOST:PORT/DATABASE, or several of them with ; in between."""
    for one in value.split(";"):
        parts = split_url(one, "redis", "rediss")
        if not re.fullmatch(r"/?|/[0-9]{1,4}", parts.path):
            raise Wrong("must name Redis's database by its number, as in redis://redis:6379/1")
    return value


def broker_url(value: str) -> str:
    if value.startswith(("redis:", "rediss:")):
        redis_url(value)
    elif value.startswith(("redis+socket:///", "memory:")):
        return value
    elif value.startswith("sentinel:"):
        for one in value.split(";"):
            split_url(one, "sentinel")
    elif value.startswith(("amqp:", "amqps:")):
        split_url(value, "amqp", "amqps")
        if find_spec("amqp") is None:
            raise Wrong("must be redis://…, or the package amqp must be installed")
    else:
        raise Wrong("must be memory:// or redis://…")
    for one in value.split(";"):
        with _options_are_known():
            Connection(one)  # without any network: it connects when it is used
    return value


def cache_url(value: str) -> str:
    """redis:// or "" for the process's own."""
    if value.startswith(("redis:", "rediss:")):
        from redis import ConnectionPool  # slow to import for those who have none

        for one in redis_url(value).split(";"):
            with _options_are_known():
                ConnectionPool.from_url(one).make_connection()  # without any network, as above
        return value
    if value.startswith("locmem:"):
        return ""
    raise Wrong("must be redis://… or locmem://")


def database_url(value: str) -> str:
    if value.startswith("sqlite:"):
        if not re.fullmatch(r"sqlite:///[^?#]+|sqlite://:memory:", value):
            raise Wrong("must name a file, as in sqlite:////srv/helpdesk.sqlite3")
        return value
    scheme, found, rest = value.partition("://")
    if scheme not in {"postgres", "postgresql"} or not found:
        raise Wrong("must begin with sqlite:// or postgres://")
    if UNFILLED.search(value):
        raise Wrong("still holds a placeholder")
    user, _, place = rest.rpartition("@")
    if "/" in user:
        raise Wrong(ENCODE)
    hosts, _, name = place.partition("/")
    if not name.partition("?")[0]:
        raise Wrong("must name a database, as in postgres://USER:PASSWORD@HOST/NAME")
    for one in filter(None, hosts.split(",")):
        if not one.lower().startswith("%2f"):  # a socket's folder
            split_url(f"{scheme}://{one}", scheme)
    return value


def postgres_options(given: Mapping[str, object]) -> None:
    """Raises Wrong for options of a connection that neither libpq nor Django has, and for an
    sslmode that is none."""
    from psycopg.conninfo import make_conninfo  # slow to import for those who have SQLite

    with _options_are_known():
        make_conninfo(
            **{name: str(value) for name, value in given.items() if name != "assume_role"}
        )
    if str(given.get("sslmode", "prefer")) not in SSL_MODES:
        raise Wrong(f"must have one of these for sslmode: {', '.join(SSL_MODES)}")


@contextmanager
def _options_are_known() -> Iterator[None]:
    """What a library says of an option repeats it."""
    try:
        yield
    except Exception:
        raise Wrong(
            "has an option after the ? that is not known, or whose value cannot be read"
        ) from None
