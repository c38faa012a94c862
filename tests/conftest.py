"""What every test stands on."""

import gc
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from tests.support.services import migrated_sqlite


@pytest.fixture(autouse=True)
def _own_folders(settings, tmp_path: Path) -> None:
    """Attachments and sent mail of a test go to its own folder; passwords are hashed fast."""
    # Django's test runner puts its own there
    settings.EMAIL_BACKEND = "helpdesk.outbound.to_files.EmailBackend"
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.EMAIL_FILE_PATH = str(tmp_path / "sent-mail")
    settings.WHITENOISE_USE_FINDERS = False  # each test client would look for every static file
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True, scope="session")
def _no_dns() -> None:
    """No test asks somebody's DNS: see tests.zone."""
    from inbound import resolver

    resolver.source = lambda name, kind, seconds: ([], 300.0)


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """A file: SQLite's databases in memory know no waiting, so threads of a test would get in each
    other's way."""
    return connection.vendor == "sqlite"


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None,
) -> Iterator[None]:
    # Of this process, which may be one of several that were forked from one (`make mutants`).
    folder = Path(os.environ["VAR_DIR"]) / f"database-{os.getpid()}"
    if connection.vendor == "sqlite":
        connection.settings_dict["TEST"]["NAME"] = str(migrated_sqlite(folder))
    yield
    shutil.rmtree(folder, ignore_errors=True)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes in a test's name: long, and a zip file's hold the time, so that no two processes would
    name it alike."""
    return f"{argname} of {len(val)}" if isinstance(val, bytes) else None


def pytest_collection_finish() -> None:
    """What has been imported and collected stays: the garbage collector need not look at it again
    and again."""
    gc.collect()
    gc.freeze()


LONGEST = [
    "test_compose",
    "test_imap_many",
    "test_postgres",
    "test_serve",
    "test_postfix",
    "test_portal_browser",
    "test_deadline",
    "test_imap",
    "test_watchdog",
    "test_api_at_once",
    "test_linear",
    "test_heard",
    "test_hostile",
    "test_ingest_mbox",
    "test_every_way_in",
    "test_outbox",
    "test_imap_two",
    "test_sending",
    "test_redis_away",
    "test_imap_servers",
]


@pytest.hookimpl(trylast=True)  # pytest-django sorts, too
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A file stays with one process: the longest begin first, so that none is left alone at the
    end."""
    items.sort(
        key=lambda item: (
            LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST),
            item.path.parent.name != "flow",
        )
    )
