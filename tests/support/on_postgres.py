"""`make test-postgres`: the tests of single parts once more, on a private PostgreSQL. `make test`
runs them on SQLite."""

import os
import subprocess
import sys

from tests.support.services import ROOT, postgres

# What has nothing of the database in it.
SAME_ON_BOTH = [
    f"--ignore=tests/{name}"
    for name in (
        "helpdesk/sla/test_calendar.py",
        "helpdesk/test_translations.py",
        "inbound/reading",
    )
]

if __name__ == "__main__":
    with postgres() as server:
        sys.exit(
            subprocess.call(
                [
                    sys.executable,
                    "-m",
                    "pytest",
                    "-n",
                    "auto",
                    "--dist",
                    "loadfile",
                    "tests/inbound",
                    "tests/helpdesk",
                    "tests/tasks",
                    *SAME_ON_BOTH,
                ],
                cwd=ROOT,
                env={**os.environ, "TEST_DATABASE_URL": server.url},
            )
        )
