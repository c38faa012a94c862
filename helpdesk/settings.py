"""Every setting, read from the process environment or `.env`.

A bad value stops the start with the name of the variable and what is wrong with it. The table of
variables is in README.md.
"""

import ipaddress
import os
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import environ
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static
from django.urls import reverse_lazy
from kombu import Exchange, Queue

from helpdesk import private
from helpdesk.keys import key
from helpdesk.mailurl import read_mail_url
from inbound.transports.imap.account import read_account

BASE_DIR = Path(__file__).resolve().parent.parent
if Path(BASE_DIR / ".env").is_file():
    environ.Env.read_env(BASE_DIR / ".env")

T = TypeVar("T")


def setting(name: str, default: str, read: Callable[[str], T]) -> T:
    """The variable's value through `read`; ImproperlyConfigured names the variable when it can't be."""
    given = os.environ.get(name, "").strip() or default
    try:
        return read(given)
    except (ValueError, KeyError) as error:
        # An address with a password in it is not repeated, nor in what raised it.
        if "://" in given or "PASSWORD" in name or "SECRET" in name or "KEY" in name:
            raise ImproperlyConfigured(f"{name}: {_without(given, str(error))}") from None
        raise ImproperlyConfigured(f"{name}: {error} (it is {given!r})") from error


def _without(secret: str, words: str) -> str:
    return words.replace(secret, "…") if secret else words


def boolean(value: str) -> bool:
    if value.lower() in {"1", "true", "yes", "on"}:
        return True
    if value.lower() in {"0", "false", "no", "off"}:
        return False
    raise ValueError("must be on or off")


def integer(low: int, high: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        if not re.fullmatch(r"-?\d+", value):
            raise ValueError("must be a whole number")
        if not low <= int(value) <= high:
            raise ValueError(f"must be from {low} to {high}")
        return int(value)

    return read


def listener(value: str) -> tuple[str, int] | None:
    """`HOST:PORT`, or "off"."""
    if value.lower() == "off":
        return None
    host, colon, port = value.rpartition(":")
    if not colon or not port.isdigit() or not 0 <= int(port) <= 65535:
        raise ValueError("must be HOST:PORT or off")
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104  # what an empty host means


def zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("must be a time zone, such as Europe/Berlin") from None
    return value


def log_level(value: str) -> str:
    return one_of("debug", "info", "warning", "error", "critical")(value).upper()


def size(value: str) -> int:
    """Bytes; a number with an optional kB or MB."""
    match = re.fullmatch(r"(\d+)\s*(|k|kb|m|mb)", value.lower())
    if not match:
        raise ValueError("must be a number of bytes, kB or MB")
    return int(match[1]) * {"": 1, "k": 10**3, "m": 10**6}[match[2][:1]]


def words(value: str) -> list[str]:
    return [word.strip() for word in value.split(",") if word.strip()]


def networks(value: str) -> list[str]:
    for network in words(value):
        ipaddress.ip_network(network, strict=False)  # raises ValueError with what is wrong
    return words(value)


def proxies(value: str) -> list[str]:
    """Networks, or "off". All addresses at once are none: then anybody could say who they are."""
    if value.lower() == "off":
        return []
    for network in networks(value):
        if ipaddress.ip_network(network, strict=False).prefixlen == 0:
            raise ValueError("must not be every address: anybody could say then where they come from")
    return networks(value)


def one_of(*allowed: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value.lower() not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return value.lower()

    return read


def address(value: str) -> str:
    if not re.fullmatch(r"[^@\s<>,;]+@[^@\s<>,;]+", value):
        raise ValueError("must be an e-mail address")
    return value.lower()


def http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be an http or https URL")
    return value.rstrip("/")


DEBUG = setting("DEBUG", "off", boolean)
VAR_DIR = setting("VAR_DIR", str(BASE_DIR / "var"), lambda value: Path(value).resolve())
VAR_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)

# --- Where it listens, and what it is called outside

HTTP_ADDR = setting("HTTP_ADDR", "127.0.0.1:8000", listener)
SMTP_ADDR = setting("SMTP_ADDR", "127.0.0.1:2525", listener)
LMTP_ADDR = setting("LMTP_ADDR", "off", listener)
_EVERYWHERE = {"0.0.0.0", "::"}  # noqa: S104  # compared with, not bound to
_host, _port = HTTP_ADDR or ("127.0.0.1", 8000)
_local_url = f"http://{'localhost' if _host in _EVERYWHERE else _host}:{_port}"
PUBLIC_URL = setting("PUBLIC_URL", _local_url, http_url)
ALLOWED_HOSTS = setting(
    "ALLOWED_HOSTS",
    f"localhost,127.0.0.1,[::1],{_host},{urlsplit(PUBLIC_URL).hostname}",
    words,
)
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
_https = PUBLIC_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
# Whose X-Forwarded-For and X-Forwarded-Proto are believed (helpdesk.proxies).
TRUSTED_PROXIES = setting("TRUSTED_PROXIES", "127.0.0.0/8,::1/128", proxies)
SECURE_HSTS_SECONDS = 3600 * 24 * 30 if _https else 0
SESSION_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"

# --- Keys: one for each use, so that one leaked key opens one door

_make = os.environ.get("HELPDESK_KEYS", "")
SECRET_KEY = key("SECRET_KEY", VAR_DIR, make=_make, debug=DEBUG)
SECRET_KEY_FALLBACKS = setting("SECRET_KEY_FALLBACKS", "", words)
JWT_KEY = key("JWT_KEY", VAR_DIR, make=_make, debug=DEBUG)
PIN_KEY = key("PIN_KEY", VAR_DIR, make=_make, debug=DEBUG)
FERNET_KEYS = words(key("FERNET_KEYS", VAR_DIR, make=_make, debug=DEBUG))

# --- The database

DATABASE_URL = setting("DATABASE_URL", f"sqlite:///{VAR_DIR / 'helpdesk.sqlite3'}", str)


def database(url: str) -> dict[str, Any]:
    scheme = urlsplit(url).scheme
    if scheme not in {"sqlite", "postgres", "postgresql"}:
        raise ValueError("must begin with sqlite:// or postgres://")
    config: dict[str, Any] = {**environ.Env.db_url_config(url)}
    if scheme == "sqlite":
        if not config.get("NAME"):
            raise ValueError("must name a file, as in sqlite:////srv/helpdesk.sqlite3")
        # A transaction that reads first and writes later could fail with "database is locked" at
        # once, whatever the timeout; one that takes the write lock at BEGIN waits its turn.
        config["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 30,
            "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;PRAGMA cache_size=-32000;"
            "PRAGMA mmap_size=268435456;PRAGMA journal_size_limit=67108864;",
        }
    else:
        config["OPTIONS"] = {
            **config.get("OPTIONS", {}),
            "prepare_threshold": 5,  # what is asked again and again is planned once a connection
            "server_side_binding": True,  # bytes travel as bytes, not as twice as many hex digits
            "pool": {
                "min_size": 1,
                "max_size": setting("DATABASE_POOL", "20", integer(2, 500)),
                "timeout": 3,
                # It doubles its pause after each failure: without a limit, mail would wait on for minutes.
                "reconnect_timeout": 3,
            },
            "connect_timeout": 3,
        }
        config["CONN_MAX_AGE"] = 0  # the pool keeps them
        config["CONN_HEALTH_CHECKS"] = True  # one that a restart of the database broke is not handed out
    return config


DATABASES = {"default": setting("DATABASE_URL", DATABASE_URL, database)}
_file = str(DATABASES["default"]["NAME"]) if DATABASES["default"]["ENGINE"].endswith("sqlite3") else ""
private.close(VAR_DIR, *(Path(_file + end) for end in ("", "-wal", "-shm") if _file not in {"", ":memory:"}))
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Celery: the row is the queue, a task only says that a row is due


def broker(value: str) -> str:
    if urlsplit(value).scheme not in {"memory", "redis", "rediss", "amqp", "amqps", "unix"}:
        raise ValueError("must be memory:// or redis://…")
    return value


CELERY_BROKER_URL = setting("CELERY_BROKER_URL", "memory://", broker)
# The in-process broker has listeners only inside `serve`, which switches this on; elsewhere ringing
# would fill a queue that nobody reads.
CAN_RING = urlsplit(CELERY_BROKER_URL).scheme != "memory"
if not CAN_RING:
    CELERY_BROKER_URL = "memory://localhost"
CELERY_TASK_QUEUES = tuple(
    Queue(name, Exchange("celery"), routing_key=name)
    for name in ("inbound", "large", "slow", "outbound", "codes", "default")
)
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_DEFAULT_EXCHANGE = "celery"
CELERY_TASK_DEFAULT_ROUTING_KEY = "default"
CELERY_TASK_CREATE_MISSING_QUEUES = False
CELERY_TASK_ROUTES = {
    "tasks.inbound.process_large": {"queue": "large"},
    "tasks.inbound.process_slow": {"queue": "slow"},
    "tasks.inbound.*": {"queue": "inbound"},
    "tasks.outbound.*": {"queue": "outbound"},
    "tasks.codes.*": {"queue": "codes"},
    "tasks.scanning.*": {
        "queue": "slow"
    },  # a scanner that hangs holds up neither mail that is quick to read nor due times
}
CELERY_TASK_IGNORE_RESULT = True
CELERY_RESULT_BACKEND = "disabled://"
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_REDIRECT_STDOUTS = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
# A lost ring is rung again by the sweep; one that waits for a broker holds up its caller.
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {}
if urlsplit(CELERY_BROKER_URL).scheme in {"redis", "rediss"}:
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "visibility_timeout": 600, "unacked_restore_interval": 5, "unacked_restore_throttle": 1,
        "max_retries": 0, "interval_start": 0, "interval_step": 0, "interval_max": 0,
        "socket_timeout": 0.5, "socket_connect_timeout": 0.5, "socket_keepalive": True, "health_check_interval": 10,
    }  # fmt: skip
CELERY_DB_REUSE_MAX = 10**9  # helpdesk.celery decides when a connection is closed
CELERY_TIMEZONE = "UTC"


def sweep(task: str, seconds: float) -> dict[str, Any]:
    # A tick that could not run before the next one is worth nothing: it expires.
    return {"task": task, "schedule": seconds, "options": {"expires": max(seconds, 1.0)}}


DIGEST_MINUTES = setting("DIGEST_MINUTES", "30", integer(1, 10_000))
CELERY_BEAT_SCHEDULE = {
    "inbound due": sweep("tasks.inbound.sweep", 1.0),
    "outbound due": sweep("tasks.outbound.sweep", 1.0),
    "codes due": sweep("tasks.codes.sweep", 1.0),
    "alerts due": sweep("tasks.alerts.sweep", 2.0),
    "SLA due": sweep("tasks.sla.sweep", 5.0),
    "tickets to give out": sweep("tasks.sla.route_waiting", 10.0),
    "files to scan": sweep("tasks.scanning.sweep", 2.0),
    "digests": sweep("tasks.housekeeping.digests", DIGEST_MINUTES * 60.0),
    "beat is alive": sweep("tasks.housekeeping.heartbeat", 10.0),
    "compress raw mail": sweep("tasks.housekeeping.compress", 60.0),
    "clean up": sweep("tasks.housekeeping.clean_up", 3600.0),
}


def cache(value: str) -> dict[str, Any]:
    scheme = urlsplit(value).scheme
    if scheme in {"redis", "rediss"}:
        return {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": value}
    if scheme == "locmem":
        return {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    raise ValueError("must be redis://… or locmem://")


CACHES = {"default": setting("CACHE_URL", "locmem://", cache)}

# --- Mail out


def mail_out(url: str) -> dict[str, Any]:
    """What Django's own setting names make of EMAIL_URL."""
    found = read_mail_url(url)
    names = {
        "host": "EMAIL_HOST", "port": "EMAIL_PORT", "username": "EMAIL_HOST_USER", "password": "EMAIL_HOST_PASSWORD",
        "use_tls": "EMAIL_USE_TLS", "use_ssl": "EMAIL_USE_SSL", "file_path": "EMAIL_FILE_PATH",
    }  # fmt: skip
    given = {names[name]: value for name, value in found.options.items() if name in names}
    return {"EMAIL_BACKEND": found.backend, **given}


SENT_MAIL_DIR = VAR_DIR / "sent-mail"
EMAIL_BACKEND = ""
globals().update(setting("EMAIL_URL", f"file:{SENT_MAIL_DIR}", mail_out))
EMAIL_TIMEOUT = 30
ANYMAIL = {name[8:]: value for name, value in os.environ.items() if name.startswith("ANYMAIL_")}
DEFAULT_FROM_EMAIL = SERVER_EMAIL = SUPPORT_ADDRESS = setting("SUPPORT_ADDRESS", "support@example.com", address)
OUTBOUND_MAX_AGE = setting("OUTBOUND_MAX_AGE", str(5 * 24 * 3600), integer(60, 10**8))  # seconds
AUTOMATIC_MAILS_PER_ADDRESS = 10  # in three hours, whatever the address writes
OUTGOING_HOSTS = setting(
    "OUTGOING_HOSTS", "any", one_of("any", "public")
)  # those that an admin names on the staff site
MAX_PEOPLE_FROM_MAIL = setting("MAX_PEOPLE_FROM_MAIL", "20", integer(1, 1000))  # in To and Cc, who take part unasked
UNDO_SEND_SECONDS = setting("UNDO_SEND_SECONDS", "10", integer(0, 600))
TRACK_OPENS = setting("TRACK_OPENS", "off", boolean)
ANYMAIL_WEBHOOK_SECRET = os.environ.get("ANYMAIL_WEBHOOK_SECRET", "")

# --- Mail in

MAX_MAIL_BYTES = setting("MAX_MAIL_BYTES", "25MB", size)
RAW_MAIL_DAYS = setting("RAW_MAIL_DAYS", "0", integer(0, 100_000))  # 0: for ever
SMTP_HOSTNAME = setting("SMTP_HOSTNAME", SUPPORT_ADDRESS.rpartition("@")[2], str)
SMTP_MAX_CONNECTIONS = setting("SMTP_MAX_CONNECTIONS", "200", integer(1, 100_000))
SMTP_MAX_CONNECTIONS_PER_CLIENT = setting("SMTP_MAX_CONNECTIONS_PER_CLIENT", "20", integer(1, 100_000))
SMTP_IDLE_SECONDS = setting("SMTP_IDLE_SECONDS", "120", integer(1, 3600))
SMTP_TRUSTED = setting("SMTP_TRUSTED", "127.0.0.0/8,::1/128", networks)
AUTHSERV_ID = setting("AUTHSERV_ID", "", str.lower)  # the mail server before us, as its Authentication-Results name it
TRUSTED_ARC_SEALERS = setting("TRUSTED_ARC_SEALERS", "google.com,microsoft.com,messagingengine.com", words)
DNS_SERVERS = setting("DNS_SERVERS", "", lambda value: [str(ipaddress.ip_address(word)) for word in words(value)])
SMTP_CLIENT_RATE = setting("SMTP_CLIENT_RATE", "300", integer(0, 10**9))  # messages a minute; 0: no limit
SMTP_SENDER_RATE = setting("SMTP_SENDER_RATE", "60", integer(0, 10**9))
MAILBOX_SILENCE = setting("MAILBOX_SILENCE", "600", integer(60, 10**7))  # seconds until health turns red
SMTP_BYTES_IN_FLIGHT = setting("SMTP_BYTES_IN_FLIGHT", "256MB", size)
SMTP_TLS_CERT = setting("SMTP_TLS_CERT", "", str)
SMTP_TLS_KEY = setting("SMTP_TLS_KEY", SMTP_TLS_CERT, str)
for _name in ("SMTP_TLS_CERT", "SMTP_TLS_KEY"):
    if globals()[_name] and not Path(globals()[_name]).is_file():
        raise ImproperlyConfigured(f"{_name}: there is no file {globals()[_name]!r}")
IMAP_ACCOUNTS = setting("IMAP_URLS", "", lambda value: [read_account(url) for url in value.split()])
if MAX_MAIL_BYTES > SMTP_BYTES_IN_FLIGHT:
    raise ImproperlyConfigured("SMTP_BYTES_IN_FLIGHT: must not be less than MAX_MAIL_BYTES")

# --- People and tickets

ADMIN_EMAIL = setting("ADMIN_EMAIL", "admin@example.com", address)
ADMIN_PASSWORD = os.environ.get("ADMIN_PASSWORD", "")
AGENT_MAX_TICKETS = setting("AGENT_MAX_TICKETS", "15", integer(1, 10_000))

AGENTS_SEE = setting("AGENTS_SEE", "all", one_of("all", "teams"))
ATTACHMENT_MAX_BYTES = setting("ATTACHMENT_MAX_BYTES", "5MB", size)
ATTACHMENT_TYPES = setting("ATTACHMENT_TYPES", "pdf,jpg,jpeg,png,docx", lambda value: words(value.lower()))
CLAMAV_ADDR = setting("CLAMAV_ADDR", "off", listener)
TICKET_LINK_DAYS = setting("TICKET_LINK_DAYS", "30", integer(1, 3650))

CONFIG_SECONDS = setting("CONFIG_SECONDS", "2", integer(0, 3600))  # how long a worker trusts what it read

# --- The API

JWT_ACCESS_MINUTES = setting("JWT_ACCESS_MINUTES", "15", integer(1, 1440))
JWT_REFRESH_DAYS = setting("JWT_REFRESH_DAYS", "14", integer(1, 365))
REQUESTS_A_MINUTE = setting("REQUESTS_A_MINUTE", "60", integer(1, 1_000_000))
SIGN_INS_A_MINUTE = setting("SIGN_INS_A_MINUTE", "10", integer(1, 1_000_000))
PASSWORD_RESET_URL = setting("PASSWORD_RESET_URL", PUBLIC_URL + "/portal/password/{uid}/{token}/", str)
CORS_ALLOWED_ORIGINS = setting("CORS_ALLOWED_ORIGINS", "", words)
if DEBUG:
    CORS_ALLOWED_ORIGINS += ["http://localhost:5173", "http://127.0.0.1:5173"]
CORS_URLS_REGEX = r"^/(?!admin/|portal/).*$"
CORS_ALLOW_HEADERS = [
    "accept", "authorization", "content-type", "idempotency-key", "if-match", "user-agent", "x-csrftoken",
    "x-requested-with",
]  # fmt: skip
CORS_EXPOSE_HEADERS = ["ETag", "Retry-After"]
SIMPLE_JWT = {
    "SIGNING_KEY": JWT_KEY,
    "ALGORITHM": "HS256",
    "AUTH_HEADER_TYPES": ("Bearer", "JWT"),
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=JWT_ACCESS_MINUTES),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=JWT_REFRESH_DAYS),
    "UPDATE_LAST_LOGIN": False,
}
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["helpdesk.api.tokens.Authentication", "helpdesk.api.tokens.SessionOfPages"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": [
        "helpdesk.given.StrictJSONParser",
        "rest_framework.parsers.MultiPartParser",
        "rest_framework.parsers.FormParser",
    ],
    "DEFAULT_THROTTLE_CLASSES": ["helpdesk.api.throttling.PerUser"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "helpdesk.api.pages.Pages",
    "DEFAULT_SCHEMA_CLASS": "helpdesk.api.schema.Schema",
    "EXCEPTION_HANDLER": "helpdesk.api.errors.answer",
    "PAGE_SIZE": 20,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
DJOSER = {
    "PASSWORD_RESET_CONFIRM_RETYPE": False,
    "SEND_ACTIVATION_EMAIL": False,
    "HIDE_USERS": True,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Helpdesk API",
    "DESCRIPTION": "Tickets, comments, attachments and accounts. Every path works with and without its last slash. "
    "Every error has the shape of Problem.",
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "PATH_CONVERTER_OVERRIDES": {"key": {"type": "integer", "minimum": 0, "maximum": 10**18 - 1}},
    "ENUM_NAME_OVERRIDES": {
        "StatusEnum": "helpdesk.models.Ticket.Status",
        "VisibilityEnum": "helpdesk.models.Comment.Visibility",
        "WrittenVisibilityEnum": ["public", "internal"],
        "ViaEnum": "helpdesk.models.Comment.Via",
        "RoleEnum": "helpdesk.models.Person.Role",
    },
}

# --- Django

AUTH_USER_MODEL = "helpdesk.Person"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "helpdesk.auth.EmailBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
PASSWORD_RESET_TIMEOUT = 3600  # seconds
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_USERNAME_FORM_FIELD = "username"
AXES_USERNAME_CALLABLE = "helpdesk.auth.axes_account"
AXES_CLIENT_IP_CALLABLE = "helpdesk.auth.axes_network"
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False
CSRF_FAILURE_VIEW = "helpdesk.web.not_ours"
AXES_LOCKOUT_CALLABLE = "helpdesk.web.locked_out"
SILENCED_SYSTEM_CHECKS = ["axes.W006"]

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "helpdesk.apps.StaffSiteConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "axes",
    "anymail",
    "corsheaders",
    "rest_framework",
    "django_filters",
    "djoser",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "inbound.apps.InboundConfig",
    "helpdesk.apps.HelpdeskConfig",
    "tasks.apps.TasksConfig",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "helpdesk.given.text_only",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "helpdesk.api.slashes.either_way",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "helpdesk.middleware.let_in_by_pin",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "helpdesk.middleware.content_security_policy",
    "helpdesk.middleware.language_of_customers",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "helpdesk.urls"
ASGI_APPLICATION = "helpdesk.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_AGE = 3600 * 24 * 14
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
LOGIN_URL = reverse_lazy("admin:login")
LOGIN_REDIRECT_URL = reverse_lazy("admin:index")

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch"), ("fr", "Français"), ("es", "Español")]
LOCALE_PATHS = [BASE_DIR / "helpdesk" / "locale"]
TIME_ZONE = setting("TIME_ZONE", "UTC", zone)
USE_TZ = True
USE_I18N = True

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "static-collected"
MEDIA_ROOT = VAR_DIR / "media"
MEDIA_URL = "/media/"
STORAGES = {
    "default": {"BACKEND": "helpdesk.files.Storage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedStaticFilesStorage",
        # Collected by one account, and served by another: see Dockerfile.
        "OPTIONS": {"file_permissions_mode": 0o644, "directory_permissions_mode": 0o755},
    },
}
# Without a collected folder (a developer's checkout) static files are found in the packages.
WHITENOISE_USE_FINDERS = not STATIC_ROOT.is_dir()
# A provider posts a mail as one field: larger by a third than the mail, and by its other fields.
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 10**6 + MAX_MAIL_BYTES * 3 // 2 if ANYMAIL_WEBHOOK_SECRET else 5 * 10**6
FILE_UPLOAD_PERMISSIONS, FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o600, 0o700
TEST_RUNNER = "tests.runner.PytestRunner"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": setting("LOG_LEVEL", "INFO", log_level)},
    "loggers": {
        "mail.log": {"level": "WARNING"},  # aiosmtpd: a line a command is too much
        "celery": {"level": "WARNING"},
        "kombu": {"level": "WARNING"},
        "axes": {"level": "WARNING"},
        "uvicorn.access": {"level": "WARNING"},
        "django.server": {"level": "WARNING"},
    },
}

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Helpdesk",
    "SITE_HEADER": "Helpdesk",
    "SITE_SYMBOL": "support_agent",
    "SITE_URL": None,
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "BORDER_RADIUS": "8px",
    "STYLES": [lambda request: static("helpdesk/staff.css")],
    "COMMAND": {"search_models": False, "search_callback": "helpdesk.staff.navigation.command", "show_history": False},
    "SIDEBAR": {
        "show_search": True,
        "command_search": True,
        "show_all_applications": False,
        "navigation": "helpdesk.staff.navigation.sidebar",
    },
    "COLORS": {
        "primary": {
            "50": "#eef7f6",
            "100": "#d5ebe9",
            "200": "#aed8d5",
            "300": "#7dbebb",
            "400": "#4f9f9d",
            "500": "#348483",
            "600": "#27696a",
            "700": "#235556",
            "800": "#204546",
            "900": "#1e3a3b",
            "950": "#0c2022",
        },
    },
}
