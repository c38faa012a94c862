"""For whom the portal's pages are, and from where they ask."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache

from helpdesk import access
from helpdesk.models import Person

P = ParamSpec("P")


def customers_only(
    view: Callable[Concatenate[HttpRequest, P], HttpResponse],
) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
    """For pages of whoever is signed in as a customer; others are asked to, and staff are sent to
    their site."""

    @wraps(view)
    @never_cache
    def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if access.is_staff(request.user):
            return redirect("admin:index")
        if not request.user.is_authenticated:
            return redirect(
                f"{reverse('portal:sign_in')}?{urlencode({'next': request.get_full_path()})}"
            )
        return view(request, *args, **kwargs)

    return guarded  # type: ignore[return-value]


def customer(request: HttpRequest) -> Person:
    """Who is signed in, behind `customers_only`."""
    assert isinstance(request.user, Person)
    return request.user


def client(request: HttpRequest) -> str:
    """The address that a request comes from, as helpdesk.edge.proxies has found it."""
    return str(request.META.get("REMOTE_ADDR", ""))
