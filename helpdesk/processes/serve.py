"""The whole helpdesk on one machine: three processes, forked from one that watches over them.

What was imported before is in memory once. Each of them may die at any time: the rows in the
database are the queue, and nothing is lost.
"""

import gc
from collections.abc import Callable
from importlib import import_module

from celery import Celery
from celery.signals import worker_init
from django.conf import settings
from django.urls import get_resolver

from helpdesk import setup
from helpdesk.health import processes
from helpdesk.processes import broker, memory, ways_in, workers
from helpdesk.processes.bells import Bells
from helpdesk.processes.supervisor import Part, Supervisor
from inbound import readers

# Kept apart, as in docker-compose.yml: who sends waits for no mail that is read.
QUEUES = {"intake": ("inbound", "large", "slow", "default"), "sending": ("outbound", "codes")}
# What Celery and Django import when they begin to work.
LATE_IMPORTS = (
    "celery.app.amqp",
    "celery.app.control",
    "celery.app.events",
    "celery.backends.base",
    "celery.concurrency.solo",
    "celery.contrib.django.task",
    "celery.events.receiver",
    "celery.worker.autoscale",
    "celery.worker.components",
    "celery.worker.consumer.delayed_delivery",
    "celery.worker.strategy",
    "django.contrib.messages.storage.fallback",
    "django.contrib.sessions.serializers",
    "django.db.models.sql.compiler",
)


def run(app: Celery, *, announce: Callable[[], None]) -> int:
    """Until it is told to stop; the exit status. `announce` is called when everything is up."""
    memory.give_back_what_is_large()
    settings.CAN_RING = True
    bells = Bells(app, QUEUES)

    def front(ready: Callable[[], None]) -> int:
        bells.install()
        return ways_in.run(ready)

    def intake(ready: Callable[[], None]) -> int:
        bells.install("intake")
        setup.void_leases()  # none but this process leases received mail
        readers.warm()
        return workers.run(app, bells, "intake", ready)

    def sending(ready: Callable[[], None]) -> int:
        bells.install("sending")
        return workers.run(app, bells, "sending", ready)

    parts = [
        Part("the web server and mail listener", front),
        Part("the workers that read mail", intake),
        Part("the workers that send mail", sending),
    ]
    _import_everything(app)
    gc.collect()
    gc.freeze()  # a collection would write to each object, and so copy its page
    return Supervisor(parts, up=announce, ended=processes.note).run()


def _import_everything(app: Celery) -> None:
    """What each process would import by itself otherwise, into memory of its own."""
    app.loader.import_default_modules()
    get_resolver()._populate()
    ways_in.import_all()
    for module in LATE_IMPORTS:
        import_module(module)
    # Each worker would import the client of a Redis that it does not have.
    worker_init.disconnect(broker.survive_redis)
