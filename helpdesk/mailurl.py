"""EMAIL_URL, and a mailbox's own: which backend sends, and where. No Django here; settings read it."""

import importlib.util
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit


@dataclass(frozen=True, slots=True)
class Outgoing:
    backend: str
    options: dict[str, Any] = field(default_factory=dict)  # keyword arguments of the backend


def read_mail_url(url: str) -> Outgoing:
    """file:PATH, smtp://, smtp+tls://, smtps://USER:PASSWORD@HOST:PORT or anymail://PROVIDER?option=value.

    Raises ValueError with what is wrong; the message never repeats the URL, which holds a password.
    """
    parts = urlsplit(url)
    if parts.scheme == "file":
        return Outgoing("helpdesk.filemail.EmailBackend", {"file_path": parts.path})
    if parts.scheme == "anymail":
        provider = parts.netloc
        if not provider.isidentifier() or not importlib.util.find_spec(f"anymail.backends.{provider}"):
            raise ValueError(f"django-anymail has no provider {provider!r}")
        return Outgoing(f"anymail.backends.{provider}.EmailBackend", dict(parse_qsl(parts.query)))
    if parts.scheme in {"smtp", "smtp+tls", "smtps"}:
        if not parts.hostname:
            raise ValueError("must name the mail server's host")
        return Outgoing(
            "helpdesk.smtpmail.EmailBackend",
            {
                "host": parts.hostname,
                "port": parts.port or {"smtp": 25, "smtp+tls": 587, "smtps": 465}[parts.scheme],
                "username": unquote(parts.username or ""),
                "password": unquote(parts.password or ""),
                "use_tls": parts.scheme == "smtp+tls",
                "use_ssl": parts.scheme == "smtps",
            },
        )
    raise ValueError("must begin with smtp://, smtp+tls://, smtps://, anymail:// or file:")
