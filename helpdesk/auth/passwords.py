"""Signing in by e-mail address, whatever its case, with a password, and how many wrong ones are
looked at.

django-axes takes ten in 15 minutes for one account from one network. Beyond that FROM_NETWORK stops
who tries one password at many accounts, and AT_ACCOUNT who tries many at one account from many
networks. Where an account has been signed in to before, these two don't count: nobody locks another
out.
"""

from datetime import timedelta
from ipaddress import ip_network
from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.hashers import make_password
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils import timezone

from helpdesk import people, throttle
from helpdesk.models import Attempt, Person

FROM_NETWORK, AT_ACCOUNT = 100, 100
QUARTER, DAY, MONTH = timedelta(minutes=15), timedelta(days=1), timedelta(days=30)


class EmailBackend(BaseBackend):
    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **credentials: Any,
    ) -> Person | None:
        """Raises PermissionDenied, with `axes_locked_out` at the request, where no more passwords
        are looked at."""
        address = username or credentials.get("email")
        if not address or password is None:
            return None
        person = people.who_signs_in(address)
        account, network = person.email if person else people.plain(address), _network(request)
        known = f"signed-in {network} {account}"
        is_known = Attempt.objects.filter(key=known[:300], at__gt=timezone.now() - MONTH).exists()
        counted = [
            throttle.count(f"password-failed-from {network}"),
            throttle.count(f"password-failed {account}"),
        ]
        try:
            if not is_known:
                throttle.check(f"password-failed-from {network}", FROM_NETWORK + 1, QUARTER)
                throttle.check(f"password-failed {account}", AT_ACCOUNT + 1, DAY)
        except throttle.Throttled as why:
            _uncount(counted)  # what is not looked at is no guess, and keeps nothing locked
            if request is not None:
                request.axes_locked_out = True  # type: ignore[attr-defined]
            raise PermissionDenied from why
        if person is None:
            make_password(
                password
            )  # as slow as a real check: the time must not say who has an account
            return None
        if not (person.check_password(password) and person.is_active):
            return None
        _uncount(counted)
        if not is_known:
            throttle.count(known)
        return person

    def get_user(self, user_id: int) -> Person | None:
        return Person.objects.filter(pk=user_id, is_active=True).first()


# --- What django-axes counts by


def axes_account(request: HttpRequest, credentials: dict[str, Any] | None) -> str:
    given = (credentials or {}).get("username") or request.POST.get("username") or ""
    return people.account(str(given))[:255]


def axes_network(request: HttpRequest) -> str | None:
    """An address that stands for the network; None for a client that has none."""
    try:
        return str(ip_network(_network(request)).network_address)
    except ValueError:
        return None


def _uncount(attempts: list[int]) -> None:
    for attempt in attempts:
        throttle.uncount(attempt)


def _network(request: HttpRequest | None) -> str:
    return throttle.client_key(str(request.META.get("REMOTE_ADDR") or "") if request else "")
