"""The database."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import environ

from helpdesk.env import parsing, private, store_urls
from helpdesk.settings.environment import VAR_DIR, setting

DATABASE_URL: str = setting("DATABASE_URL", f"sqlite:///{quote(str(VAR_DIR / 'helpdesk.sqlite3'))}")

DATABASE_POOL: int = setting("DATABASE_POOL")
DATABASE_PREPARE: bool = setting("DATABASE_PREPARE")


def database(url: str) -> dict[str, Any]:
    config: dict[str, Any] = {**environ.Env.db_url_config(url)}
    if url.startswith("sqlite"):
        config["ENGINE"] = "helpdesk.sqlite3"
        # A transaction that reads first and writes later could fail with "database is locked" at
        # once, whatever the timeout; one that takes the write lock at BEGIN waits its turn.
        config["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 30,
            "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;"
            "PRAGMA cache_size=-8000;PRAGMA mmap_size=268435456;PRAGMA "
            "journal_size_limit=67108864;",
        }
    else:
        store_urls.postgres_options(config.get("OPTIONS", {}))
        config["OPTIONS"] = {
            **config.get("OPTIONS", {}),
            "prepare_threshold": None,  # each connection is told: see inbound.connections
            "server_side_binding": True,  # bytes travel as bytes, not as twice as many hex digits
            "pool": {
                "min_size": 1,
                "max_size": DATABASE_POOL,
                "timeout": 3,
                # It doubles its pause after each failure: without a limit, mail would wait on for
                # minutes.
                "reconnect_timeout": 3,
            },
            "connect_timeout": 3,
        }
        config["CONN_MAX_AGE"] = 0  # the pool keeps them
        # one that a restart of the database broke is not handed out
        config["CONN_HEALTH_CHECKS"] = True
    return config


DATABASES = {"default": parsing.read("DATABASE_URL", DATABASE_URL, database)}
_file = (
    str(DATABASES["default"]["NAME"]) if DATABASES["default"]["ENGINE"].endswith("sqlite3") else ""
)
private.close(
    VAR_DIR, *(Path(_file + end) for end in ("", "-wal", "-shm") if _file not in {"", ":memory:"})
)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
