from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.utils import translation

from helpdesk.actions import pins
from helpdesk.content_policy import policy
from helpdesk.models import Person

PIN_OF_SESSION = "pin"
HEALTH = "/api/health"


def let_in_by_pin(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """A session that a support PIN opened shows what the PIN's issuer may see, and is over when the
    PIN was ended."""

    def middleware(request: HttpRequest) -> HttpResponse:
        # Health answers while the database is away; a customer learns there what anybody does.
        if request.path_info.rstrip("/") == HEALTH:
            return get_response(request)
        if settings.SESSION_COOKIE_NAME in request.COOKIES and (
            pk := request.session.get(PIN_OF_SESSION)
        ):
            pin = pins.still_lets_in(pk)
            if pin is None:
                logout(request)
            elif isinstance(request.user, Person):
                request.user.let_in_by = pin
        return get_response(request)

    return middleware


def content_security_policy(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        # Alpine, on which unfold's own pages are built, evaluates expressions in attributes. Ours
        # go without it (`strict`).
        unfolds = request.path_info.startswith("/admin/")
        script = "'self' 'unsafe-eval'" if unfolds else "'self'"
        response.headers.setdefault("Content-Security-Policy", policy(script_src=script))
        return response

    return middleware


def strict(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """For the staff site's own pages: nothing is evaluated where strangers' words stand."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> HttpResponse:
        response = view(*args, **kwargs)
        response.headers.setdefault("Content-Security-Policy", policy())
        return response

    return guarded


def language_of_customers(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """The customers' pages speak the language of who is signed in, or of their browser."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(("/portal/", "/unsubscribe/")):
            return get_response(request)
        user = getattr(request, "user", None)
        language = getattr(user, "language", "") or translation.get_language_from_request(request)
        with translation.override(language):
            response = get_response(request)
            response.headers["Content-Language"] = language
            return response

    return middleware
