"""Names that are written outside the code keep working: in a broker's queues, in sessions, in
migrations, in what starts the processes."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from django.contrib.auth import load_backend
from django.utils.module_loading import import_string

ROOT = Path(__file__).resolve().parent.parent

# In a broker these wait for a worker that may be of the next version; beat and the rings of another
# process name them, too.
TASKS = [
    "tasks.alerts.deliver",
    "tasks.alerts.sweep",
    "tasks.codes.deliver",
    "tasks.codes.sweep",
    "tasks.housekeeping.clean_up",
    "tasks.housekeeping.compress",
    "tasks.housekeeping.digests",
    "tasks.housekeeping.heartbeat",
    "tasks.inbound.process",
    "tasks.inbound.process_large",
    "tasks.inbound.process_slow",
    "tasks.inbound.sweep",
    "tasks.outbound.deliver",
    "tasks.outbound.sweep",
    "tasks.scanning.scan",
    "tasks.scanning.sweep",
    "tasks.sla.route",
    "tasks.sla.route_waiting",
    "tasks.sla.sweep",
]


def test_a_task_that_waits_in_a_broker_is_known_by_its_name() -> None:
    """By a worker that has loaded what a worker loads, and nothing else."""
    listed = "; ".join(
        [
            "from helpdesk.celery import app",
            "app.loader.import_default_modules()",
            "print(*(name for name in sorted(app.tasks) if name.startswith('tasks.')))",
        ]
    )
    said = subprocess.run(
        [sys.executable, "-c", listed], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert set(TASKS) <= set(said.stdout.split())


def test_a_session_of_before_names_a_backend_that_is_there() -> None:
    backend = load_backend("helpdesk.auth.EmailBackend")
    assert hasattr(backend, "authenticate")
    assert hasattr(backend, "get_user")


@pytest.mark.parametrize(
    "name",
    [
        "helpdesk.asgi.application",  # uvicorn's, in a unit or a compose file
        "helpdesk.settings.setting",  # DJANGO_SETTINGS_MODULE
        "inbound.fields.AddressField",  # migrations that have run
        "inbound.secrets.SealedField",
    ],
)
def test_what_starts_the_helpdesk_or_has_made_its_database_is_there(name: str) -> None:
    assert import_string(name) is not None


def test_celery_finds_the_application_by_the_name_of_the_package() -> None:
    """As `celery -A helpdesk` looks for it."""
    from celery.app.utils import find_app

    assert find_app("helpdesk").main == "helpdesk"


def test_whatever_a_migration_names_is_there() -> None:
    for path in ROOT.glob("*/migrations/0*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    import_module(alias.name)
            elif isinstance(node, ast.ImportFrom) and node.module:
                module = import_module(node.module)
                assert all(hasattr(module, alias.name) for alias in node.names), path.name
