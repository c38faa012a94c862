"""EMAIL_URL, and a mailbox's own: which backend sends, and where; and a provider's options, which
are written as text.

No Django settings here; settings read it.
"""

import json
import pkgutil
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

from helpdesk.env.parsing import Wrong
from helpdesk.env.urls import split_url
from helpdesk.env.values import boolean

# Modules of anymail.backends that hand mail to nobody.
NO_PROVIDERS = {"base", "base_requests", "console", "test"}
# By django-anymail's documentation; all else is text.
SWITCHES = (
    "auto_confirm_sns_subscriptions",
    "debug_api_requests",
    "generate_message_id",
    "ignore_recipient_status",
    "ignore_unsupported_features",
    "prevent_header_encoding_bugs",
    "track_initial_open_as_opened",
    "use_bulk_api",
    "verify_attachment_extensions",
    "workaround_display_name_bugs",
)
NUMBERS = ("requests_timeout", "download_chunk_size")
OBJECTS = ("_params", "send_defaults")


@dataclass(frozen=True, slots=True)
class Outgoing:
    backend: str
    options: dict[str, Any] = field(default_factory=dict)  # keyword arguments of the backend


def read_mail_url(url: str) -> Outgoing:
    """file:PATH, smtp://, smtp+tls://, smtps://USER:PASSWORD@HOST:PORT or
    anymail://PROVIDER?option=value.

    Raises ValueError with what is wrong; the message never repeats the URL, which holds a password.
    """
    scheme = url.partition(":")[0].lower()
    if scheme == "file":
        return Outgoing("helpdesk.outbound.to_files.EmailBackend", {"file_path": _path(url)})
    if scheme == "anymail":
        return _provider(url)
    if scheme in {"smtp", "smtp+tls", "smtps"}:
        return _server(url)
    raise Wrong("must begin with smtp://, smtp+tls://, smtps://, anymail:// or file:")


def provider_option(name: str, value: str) -> Any:
    """What django-anymail expects of its option of that name: some are no text. Raises ValueError,
    without the value."""
    name = name.lower()
    if name.endswith(OBJECTS):
        try:
            found = json.loads(value)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise Wrong('must be a JSON object, such as {"region_name": "eu-central-1"}')
        return found
    if name.endswith(SWITCHES):
        return boolean(value)
    if name.endswith("api_url"):
        split_url(value, "http", "https")
    if name.endswith(NUMBERS):
        if not (value.isascii() and value.isdigit() and 0 < len(value) < 10 and int(value)):
            raise Wrong("must be a whole number above 0")
        return int(value)
    return value


def _path(url: str) -> str:
    path = url.partition(":")[2].removeprefix("//")
    if not path.startswith("/"):
        raise Wrong("must be file: with the whole path of a folder, as in file:/srv/sent-mail")
    return path


def _provider(url: str) -> Outgoing:
    provider, _, query = url.partition(":")[2].removeprefix("//").partition("?")
    known = providers()
    if provider.removesuffix("/") not in known:
        raise Wrong(f"must be anymail://PROVIDER, which is one of {', '.join(known)}")
    options = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if not name.isidentifier() or not value:
            raise Wrong("must have its options as option=value, percent-encoded")
        try:
            options[name] = provider_option(name, value)
        except Wrong as error:
            raise Wrong(f"{name} {error}") from None
    return Outgoing(f"anymail.backends.{provider.removesuffix('/')}.EmailBackend", options)


def providers() -> list[str]:
    """Those that django-anymail can send through."""
    import anymail.backends  # here: a pipe starts a process for each mail

    found = {module.name for module in pkgutil.iter_modules(anymail.backends.__path__)}
    return sorted(found - NO_PROVIDERS)


def _server(url: str) -> Outgoing:
    parts = split_url(url, "smtp", "smtp+tls", "smtps")
    if parts.path not in {"", "/"} or parts.query:
        raise Wrong("must end with the host or its port; / and ? in a password are %2F and %3F")
    return Outgoing(
        "helpdesk.outbound.to_smtp.EmailBackend",
        {
            "host": parts.hostname,
            "port": parts.port or {"smtp": 25, "smtp+tls": 587, "smtps": 465}[parts.scheme],
            "username": unquote(parts.username or ""),
            "password": unquote(parts.password or ""),
            "use_tls": parts.scheme == "smtp+tls",
            "use_ssl": parts.scheme == "smtps",
        },
    )
