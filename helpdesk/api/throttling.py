"""So many requests a minute: counted in the cache, which all processes share where it is Redis, and
in the database while Redis is away."""

import time
from typing import Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from helpdesk.throttle import client_key, count_up


class PerUser(BaseThrottle):
    """REQUESTS_A_MINUTE of a user, or of a client that is not signed in."""

    name = "all"

    def allow_request(self, request: Request, view: Any) -> bool:
        user = request.user
        # Pages of ours, and clients: whoever is signed in counts alone.
        who = f"user:{user.pk}" if user and user.is_authenticated else client_key(client(request))
        minute = int(time.time()) // 60
        return count_up(f"throttle:{self.name}:{minute}:{who}", seconds=90) <= self.limit()

    def wait(self) -> float:
        return 60 - time.time() % 60

    def limit(self) -> int:
        return int(settings.REQUESTS_A_MINUTE)


class SigningIn(PerUser):
    """SIGN_INS_A_MINUTE of a client, for whatever signs in or asks for a code."""

    name = "sign-in"

    def limit(self) -> int:
        return int(settings.SIGN_INS_A_MINUTE)


def client(request: Request) -> str:
    return str(request.META.get("REMOTE_ADDR") or "")
