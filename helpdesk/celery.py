"""The Celery application. `celery -A helpdesk worker` and `celery -A helpdesk beat` find it
here."""

import os
from typing import Any

from celery import Celery
from celery.signals import import_modules, task_postrun, task_prerun, worker_init

from helpdesk.env import private
from helpdesk.processes import broker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "helpdesk.settings")

broker.install()
app = Celery("helpdesk")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.imports = [
    "tasks.inbound",
    "tasks.outbound",
    "tasks.secret_mail",
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
    from inbound.connections import rest_connection

    rest_connection()


def stop_where_no_mail_can_go_out(**kwargs: Any) -> None:
    """Before a worker takes anything: its settings name a provider that cannot be used so."""
    from helpdesk.checks import mail_backend

    if problems := mail_backend.way_out():
        raise SystemExit("\n".join(problem.msg for problem in problems))


def write_for_us_alone(**kwargs: Any) -> None:
    """In a worker and the beat, before they write anything."""
    private.write_for_us_alone()


task_prerun.connect(keep_connection, weak=False)
task_postrun.connect(keep_connection, weak=False)
worker_init.connect(broker.survive_redis, weak=False)
worker_init.connect(stop_where_no_mail_can_go_out, weak=False)
import_modules.connect(write_for_us_alone, weak=False)
