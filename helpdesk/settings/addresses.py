"""Where it listens, and what it is called outside."""

from urllib.parse import urlsplit

from helpdesk.settings.environment import setting

HTTP_ADDR: tuple[str, int] = setting("HTTP_ADDR")
SMTP_ADDR: tuple[str, int] | None = setting("SMTP_ADDR")
LMTP_ADDR: tuple[str, int] | None = setting("LMTP_ADDR")
_EVERYWHERE = {"0.0.0.0", "::"}  # noqa: S104  # compared with, not bound to
_host, _port = f"[{HTTP_ADDR[0]}]" if ":" in HTTP_ADDR[0] else HTTP_ADDR[0], HTTP_ADDR[1]
_local_url = f"http://{'localhost' if HTTP_ADDR[0] in _EVERYWHERE else _host}:{_port or 8000}"
PUBLIC_URL: str = setting("PUBLIC_URL", _local_url)
ALLOWED_HOSTS: list[str] = setting(
    "ALLOWED_HOSTS", f"localhost,127.0.0.1,[::1],{_host},{urlsplit(PUBLIC_URL).hostname}"
)
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
_https = PUBLIC_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
# Whose X-Forwarded-For and X-Forwarded-Proto are believed (helpdesk.edge.proxies).
TRUSTED_PROXIES: list[str] = setting("TRUSTED_PROXIES")
SECURE_HSTS_SECONDS = 3600 * 24 * 30 if _https else 0
SESSION_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
