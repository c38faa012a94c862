"""What every test stands on."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _own_folders(settings, tmp_path: Path) -> None:
    """Attachments and sent mail of a test go to its own folder; passwords are hashed fast."""
    settings.EMAIL_BACKEND = "helpdesk.filemail.EmailBackend"  # Django's test runner puts its own there
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.EMAIL_FILE_PATH = str(tmp_path / "sent-mail")
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
