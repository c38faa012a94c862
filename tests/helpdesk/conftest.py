"""Who asks the API."""

import pytest
from django.core.cache import cache

from tests.support.api import Api
from tests.support.mail import agent, customer


@pytest.fixture
def no_counts_yet(settings) -> None:
    """No request of an earlier test counts, and many may be made in a minute."""
    cache.clear()
    settings.REQUESTS_A_MINUTE = 1000


@pytest.fixture
def many_may_sign_in(no_counts_yet, settings) -> None:
    """The same of whatever signs in or asks for a code."""
    settings.SIGN_INS_A_MINUTE = 1000


@pytest.fixture
def ada() -> Api:
    """An agent."""
    return Api(agent())


@pytest.fixture
def cleo() -> Api:
    """A customer."""
    return Api(customer())
