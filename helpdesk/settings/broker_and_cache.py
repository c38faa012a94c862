"""Celery, where the row is the queue and a task only says that a row is due; and the cache."""

from typing import Any
from urllib.parse import urlsplit

from kombu import Exchange, Queue

from helpdesk.settings.environment import VAR_DIR, setting

CELERY_BROKER_URL: str = setting("CELERY_BROKER_URL")
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
        "visibility_timeout": 600,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "max_retries": 0,
        "interval_start": 0,
        "interval_step": 0,
        "interval_max": 0,
        "socket_timeout": 0.5,
        "socket_connect_timeout": 0.5,
        "socket_keepalive": True,
        "health_check_interval": 10,
    }
CELERY_WORKER_CONSUMER = "helpdesk.processes.outages:Consumer"
CELERY_BEAT_SCHEDULER = "helpdesk.processes.outages:Scheduler"
CELERY_DB_REUSE_MAX = 10**9  # helpdesk.celery decides when a connection is closed
CELERY_TIMEZONE = "UTC"


def sweep(task: str, seconds: float) -> dict[str, Any]:
    # A tick that could not run before the next one is worth nothing: it expires.
    return {"task": task, "schedule": seconds, "options": {"expires": max(seconds, 1.0)}}


DIGEST_MINUTES: int = setting("DIGEST_MINUTES")
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


_redis: str = setting("CACHE_URL")
_IN_REDIS = {"BACKEND": "helpdesk.cached.RedisCache", "LOCATION": _redis.split(";")}
_IN_FILES = {
    "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
    "LOCATION": VAR_DIR / "signs",
}
CACHES: dict[str, dict[str, Any]] = {
    "default": (
        _IN_REDIS if _redis else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    ),
    # What processes tell each other of themselves, a word now and then.
    "signs": _IN_REDIS if _redis else _IN_FILES,
}
