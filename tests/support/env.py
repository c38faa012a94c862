"""The environment of the tests, set before Django reads its settings (pytest loads this with -p)."""

import atexit
import os
import shutil
import tempfile

import pytest

for name in (
    "CELERY_BROKER_URL",
    "CACHE_URL",
    "EMAIL_URL",
    "DEBUG",
    "PUBLIC_URL",
    "ALLOWED_HOSTS",
    "ADMIN_PASSWORD",
):
    os.environ.pop(name, None)
os.environ["HELPDESK_KEYS"] = "throwaway"
os.environ["SUPPORT_ADDRESS"] = "support@example.com"
os.environ["UNDO_SEND_SECONDS"] = "0"
os.environ["CONFIG_SECONDS"] = "0"
os.environ["DATABASE_URL"] = os.environ.get("TEST_DATABASE_URL", "")
os.environ["VAR_DIR"] = tempfile.mkdtemp(prefix="helpdesk-test-")
if "TEST_RUN_DIR" not in os.environ:  # one folder for all processes of a run
    os.environ["TEST_RUN_DIR"] = tempfile.mkdtemp(prefix="helpdesk-test-run-")
    atexit.register(shutil.rmtree, os.environ["TEST_RUN_DIR"], ignore_errors=True)
atexit.register(shutil.rmtree, os.environ["VAR_DIR"], ignore_errors=True)


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_xdist_auto_num_workers(config: object) -> int:
    """Many tests wait for a server to start, or to be killed and come back."""
    return 2 + (os.cpu_count() or 1)
