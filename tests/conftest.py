"""What every test stands on. The environment is set before Django reads its settings."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ["HELPDESK_KEYS"] = "throwaway"
os.environ["VAR_DIR"] = os.environ.get("TEST_VAR_DIR") or tempfile.mkdtemp(prefix="helpdesk-test-")
for name in ("CELERY_BROKER_URL", "CACHE_URL", "EMAIL_URL", "DEBUG", "PUBLIC_URL", "ALLOWED_HOSTS"):
    os.environ.pop(name, None)
os.environ["SUPPORT_ADDRESS"] = "support@example.com"


def pytest_sessionfinish() -> None:
    if "TEST_VAR_DIR" not in os.environ:
        shutil.rmtree(os.environ["VAR_DIR"], ignore_errors=True)


@pytest.fixture(autouse=True)
def _own_folders(settings, tmp_path: Path) -> Iterator[None]:  # type: ignore[no-untyped-def]
    """Attachments and sent mail of a test go to its own folder; passwords are hashed fast."""
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.EMAIL_FILE_PATH = str(tmp_path / "sent-mail")
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    yield
