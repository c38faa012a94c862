"""The Celery application. `celery -A helpdesk worker` and `celery -A helpdesk beat` find it here."""

import os
from typing import Any

from celery import Celery
from celery.signals import import_modules, task_postrun, task_prerun, worker_init

from helpdesk import broker, private

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "helpdesk.settings")

broker.install()
app = Celery("helpdesk")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.imports = [
    "tasks.inbound",
    "tasks.outbound",
    "tasks.codes",
    "tasks.alerts",
    "tasks.scanning",
    "tasks.sla",
    "tasks.housekeeping",
]
# Without it a worker that runs in a thread receives tasks of another, empty application.
app.set_default()


def keep_connection(**kwargs: Any) -> None:
    """Celery would close the database connection around every task; closing SQLite's last one also
    writes its whole log back. PostgreSQL's go to the pool and back."""
    from inbound.store import rest_connection

    rest_connection()


def write_for_us_alone(**kwargs: Any) -> None:
    """In a worker and the beat, before they write anything."""
    private.write_for_us_alone()


task_prerun.connect(keep_connection, weak=False)
task_postrun.connect(keep_connection, weak=False)
worker_init.connect(broker.survive_redis, weak=False)
import_modules.connect(write_for_us_alone, weak=False)
