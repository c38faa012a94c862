"""Every variable of the environment: its name, what it is where nobody sets it, how it is read, and
what it means.

helpdesk/settings reads by this table; README.md's table and .env.example are written from it (`make
settings`).
"""

from functools import partial
from typing import Any

from helpdesk.env import addresses, mail_variables, parsing, store_urls, urls, values
from helpdesk.env.server_url import provider_option, providers
from helpdesk.env.variable import Variable

GROUPS: dict[str, list[Variable]] = {
    "Where it is": [
        Variable(
            "VAR_DIR",
            "",
            values.folder,
            "SQLite file, attachments, mail sent to files, `secrets/`; for the helpdesk's account "
            "alone: what is open to others is closed at the start",
            "`var/`",
        ),
        Variable(
            "HTTP_ADDR",
            "127.0.0.1:8000",
            addresses.bind,
            "where `serve` listens for browsers and the API",
        ),
        Variable(
            "SMTP_ADDR",
            "127.0.0.1:2525",
            addresses.listener,
            "where mail is taken by SMTP, or `off`",
        ),
        Variable(
            "LMTP_ADDR", "off", addresses.listener, "where mail is taken by LMTP, `HOST:PORT`"
        ),
        Variable(
            "PUBLIC_URL",
            "",
            urls.http_url,
            "its address for people: in links, and whose cookies are for https alone",
            "from `HTTP_ADDR`",
        ),
        Variable(
            "ALLOWED_HOSTS",
            "",
            values.each(addresses.allowed_host),
            "the names that it is asked by, separated by commas, without scheme and port",
            "this machine and `PUBLIC_URL`'s host",
        ),
        Variable(
            "TRUSTED_PROXIES",
            "127.0.0.0/8,::1/128",
            addresses.proxies,
            "addresses and networks whose `X-Forwarded-For` and `-Proto` are believed, or `off`: "
            "[docs/PROXY.md](docs/PROXY.md)",
        ),
        Variable(
            "TIME_ZONE",
            "UTC",
            values.zone,
            "of the staff site and of mail, where nobody has chosen another",
        ),
        Variable(
            "LOG_LEVEL",
            "INFO",
            values.log_level,
            "`debug`, `info`, `warning`, `error` or `critical`",
        ),
        Variable(
            "DEBUG",
            "off",
            values.boolean,
            "for developers alone: errors with their source, short keys, a front end at port 5173",
        ),
    ],
    "Database, broker and cache": [
        Variable(
            "DATABASE_URL",
            "",
            store_urls.database_url,
            "`postgres://USER:PASSWORD@HOST/NAME` in production",
            "SQLite in `VAR_DIR`",
        ),
        Variable(
            "DATABASE_POOL",
            "20",
            values.integer(2, 500),
            "connections a process keeps to PostgreSQL",
        ),
        Variable(
            "DATABASE_PREPARE",
            "on",
            values.boolean,
            "what processes mail prepares its statements on PostgreSQL; `off` behind a pooler that "
            "knows none (PgBouncer before 1.21)",
        ),
        Variable(
            "CELERY_BROKER_URL",
            "memory://",
            store_urls.broker_url,
            "`redis://HOST:6379/0` in production; the default works inside `serve` alone",
        ),
        Variable(
            "CACHE_URL",
            "locmem://",
            store_urls.cache_url,
            "`redis://HOST:6379/1` in production; while it is away everything goes on, and what is "
            "throttled is counted in the database",
        ),
        Variable(
            "CONFIG_SECONDS",
            "2",
            values.integer(0, 3600),
            "how long a process trusts what it has read of the configuration on the staff site",
        ),
    ],
    "Keys": [
        Variable(
            "SECRET_KEY",
            "",
            values.key,
            "signs sessions and links; 32 random characters or more, as each of these. Required "
            "where it is not `serve` that runs",
            "made in `VAR_DIR/secrets` by `serve`",
        ),
        Variable(
            "SECRET_KEY_FALLBACKS",
            "",
            values.each(values.plain),
            "former ones that are still believed, separated by commas",
        ),
        Variable("JWT_KEY", "", values.key, "signs the API's tokens", "made as `SECRET_KEY`"),
        Variable(
            "PIN_KEY", "", values.key, "PINs and codes are kept under it", "made as `SECRET_KEY`"
        ),
        Variable(
            "FERNET_KEYS",
            "",
            values.each(values.key),
            "encrypt what is kept secret in the database, separated by commas: the first encrypts, "
            "all decrypt",
            "made as `SECRET_KEY`",
        ),
        Variable(
            "HELPDESK_KEYS",
            "",
            values.one_of("", "make", "throwaway"),
            "what becomes of a key that is missing: `make` it in `VAR_DIR/secrets`, `throwaway` "
            "(for this process), or the start is refused",
            "by the command",
        ),
    ],
    "Mail out": mail_variables.OUT,
    "Mail in": mail_variables.IN,
    "People, tickets and files": [
        Variable(
            "ADMIN_EMAIL",
            "admin@example.com",
            addresses.mail_address,
            "the first admin, made when there is none",
        ),
        Variable("ADMIN_PASSWORD", "", values.plain, "their password", "random, printed once"),
        Variable(
            "AGENT_MAX_TICKETS",
            "15",
            values.integer(1, 10_000),
            "active tickets that an agent can be given or take",
        ),
        Variable(
            "AGENTS_SEE",
            "all",
            values.one_of("all", "teams"),
            "or `teams`: an agent sees the tickets and mail of the teams they are in or lead, "
            "nobody's, and their own, and is told of no other",
        ),
        Variable(
            "ATTACHMENT_MAX_BYTES",
            "5MB",
            values.size,
            "files by the API and the portal; together no more than `MAX_MAIL_BYTES`",
        ),
        Variable(
            "ATTACHMENT_TYPES",
            "pdf,jpg,jpeg,png,docx",
            values.each(values.file_type),
            "their types, without a dot",
        ),
        Variable(
            "CLAMAV_ADDR",
            "off",
            addresses.server,
            "a ClamAV daemon (`HOST:PORT`) that is asked about them, about agents' files, and "
            "after its arrival about those of mail",
        ),
    ],
    "The API": [
        Variable(
            "REQUESTS_A_MINUTE",
            "60",
            values.integer(1, 1_000_000),
            "of a user, or of a client that is not signed in",
        ),
        Variable(
            "SIGN_INS_A_MINUTE",
            "10",
            values.integer(1, 1_000_000),
            "of a client, for whatever signs in or asks for a code",
        ),
        Variable(
            "JWT_ACCESS_MINUTES", "15", values.integer(1, 1440), "how long an access token lasts"
        ),
        Variable(
            "JWT_REFRESH_DAYS", "14", values.integer(1, 365), "how long a sign-in can be prolonged"
        ),
        Variable(
            "PASSWORD_RESET_URL",
            "",
            urls.reset_url,
            "the page of a link that sets a password, with `{uid}` and `{token}` in it",
            "the portal's",
        ),
        Variable(
            "CORS_ALLOWED_ORIGINS",
            "",
            values.each(urls.origin),
            "where pages are from that may ask the API, such as `https://app.example.com`, "
            "separated by commas",
        ),
    ],
}
TABLE = {variable.name: variable for group in GROUPS.values() for variable in group}

# docker-compose.yml's own.
COMPOSE = {
    "HELPDESK_TAG",
    "HTTP_PUBLISH",
    "OUTBOUND_PROCESSES",
    "POSTGRES_PASSWORD",
    "SMTP_PUBLISH",
    "WORKER_PROCESSES",
}
# Of django-anymail's, those that are no single provider's.
ANYMAIL = {
    "ANYMAIL_DEBUG_API_REQUESTS",
    "ANYMAIL_IDNA_ENCODER",
    "ANYMAIL_IGNORE_RECIPIENT_STATUS",
    "ANYMAIL_IGNORE_UNSUPPORTED_FEATURES",
    "ANYMAIL_REQUESTS_TIMEOUT",
    "ANYMAIL_SEND_DEFAULTS",
    "ANYMAIL_WEBHOOK_SECRET",
}


def anymail(environment: dict[str, str]) -> dict[str, Any]:
    """django-anymail's settings of those variables. ImproperlyConfigured names the one that is
    wrong."""
    return {
        name.removeprefix("ANYMAIL_"): parsing.read(
            name, value.strip(), partial(provider_option, name)
        )
        for name, value in environment.items()
        if name.startswith("ANYMAIL_") and value.strip()
    }


def unknown(names: set[str]) -> list[str]:
    """What is wrong with the names of variables that look like ours and are none."""
    known = {*TABLE, *COMPOSE, *ANYMAIL}
    prefixes = tuple(f"ANYMAIL_{provider.upper()}_" for provider in providers())
    return parsing.unknown({name for name in names if not name.startswith(prefixes)}, known)
