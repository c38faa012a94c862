"""How what a post only names is fetched from its provider."""

from typing import Any

import requests

PROVIDER_SECONDS = (5, 20)  # to connect to a provider's API, and to wait for its next bytes


class api:
    """What django-anymail's views know as `requests`: a provider that does not answer holds up
    nobody for long."""

    @staticmethod
    def get(url: str, **more: Any) -> requests.Response:
        return requests.get(url, timeout=PROVIDER_SECONDS, **more)
