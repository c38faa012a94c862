"""Who asks the API."""

import pytest
from django.core.cache import cache

from tests.api import Api
from tests.mail import agent, customer


@pytest.fixture
def no_counts_yet(settings) -> None:
    """No request of an earlier test counts, and many may be made in a minute."""
    cache.clear()
    settings.REQUESTS_A_MINUTE = 1000


@pytest.fixture
def ada() -> Api:
    """An agent."""
    return Api(agent())


@pytest.fixture
def cleo() -> Api:
    """A customer."""
    return Api(customer())
