"""What a worker does when its Redis goes away."""

from celery import signals
from kombu import Connection, Exchange, Queue

from helpdesk import celery
from tests.support.services import redis


def test_a_worker_that_loses_its_redis_in_the_middle_of_a_task_closes_its_connection_and_lives() -> (
    None
):
    signals.worker_init.send(sender=celery.app)
    with redis() as server:
        connection = Connection(server.url)
        queue = Queue("q", Exchange("q"), routing_key="q", channel=connection.default_channel)
        queue.declare()
        connection.Producer().publish("x", exchange="q", routing_key="q")
        assert queue.get() is not None  # and never acknowledged
        server.stop()
        # As Celery's consumer does it: the transport forgets its client, then the connection is
        # released.
        connection.default_channel._disconnect_pools()
        connection.default_channel.connection.client = None
        connection.release()
