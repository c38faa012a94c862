"""Mail that a provider posts to us, through django-anymail's views: they have checked who posts.

200 follows only after the commit.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from anymail.exceptions import AnymailConfigurationError, AnymailWebhookValidationFailure
from botocore.exceptions import BotoCoreError, ClientError
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import path, re_path
from django.urls.resolvers import RegexPattern
from django.views.decorators.csrf import csrf_exempt

from inbound import store
from inbound.transports.webhook.answers import (
    not_ours,
    refused,
    said,
    try_again,
    unreadable,
    where,
)
from inbound.transports.webhook.arrivals import one_post
from inbound.transports.webhook.faults import Misplaced, Unreadable, theirs
from inbound.transports.webhook.form import read_form
from inbound.transports.webhook.secret import knows_the_secret
from inbound.transports.webhook.views import careful

log = logging.getLogger(__name__)

# bytes of a post; read two at a time, for each takes several times its size in memory
LARGE = 5_000_000
LARGE_AT_ONCE = 2
LARGE_WAITS = 20.0  # seconds
FORESEEN = (*store.TEMPORARY, BotoCoreError, ClientError, AnymailConfigurationError, Misplaced)

_large = threading.BoundedSemaphore(LARGE_AT_ONCE)


def guarded_route(route: Any) -> Any:
    """One of anymail's routes with its view guarded; some are plain paths, some regular
    expressions."""
    view = guarded(careful(route.callback.view_class).as_view(**route.callback.view_initkwargs))
    if isinstance(route.pattern, RegexPattern):
        return re_path(route.pattern.regex.pattern, view, name=route.name)
    return path(str(route.pattern), view, name=route.name)


def guarded(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Anymail's own answer to an exception is 500, which some providers take for final; and Django
    would log the words of its exceptions, in which the URL's password may stand."""

    @csrf_exempt
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        is_post = request.method == "POST"
        if is_post and not knows_the_secret(request.headers.get("Authorization", "")):
            why = "the user and password of its URL do not fit ANYMAIL_WEBHOOK_SECRET"
            return not_ours(request, why)
        try:
            with one_post() as post, _turn(request):
                if is_post:
                    _read(request)
                answered = view(request, *args, **kwargs)
        except Exception as error:
            return _answer_to(error, request)
        if post.failed:
            return try_again(request)
        # A post of several is not refused for one of them: the others would come again.
        if post.too_large and not post.stored:
            return refused(request, post.too_large[0])
        return answered

    return answer


@contextmanager
def _turn(request: HttpRequest) -> Iterator[None]:
    """Large posts are read a few at a time."""
    length = request.headers.get("Content-Length", "")
    if length.isdigit() and int(length) <= LARGE:
        yield
        return
    if not _large.acquire(timeout=LARGE_WAITS):
        raise store.Busy("too many large posts at once")
    try:
        yield
    finally:
        _large.release()


def _read(request: HttpRequest) -> None:
    with theirs():
        request.body  # noqa: B018  # once a form has been taken apart its bytes are gone
        read_form(request)


def _answer_to(error: Exception, request: HttpRequest) -> HttpResponse:
    if isinstance(error, AnymailWebhookValidationFailure):
        return not_ours(request, said(error))
    if isinstance(error, Unreadable | RequestDataTooBig):
        return unreadable(request, error)
    words = said(error)
    if not isinstance(error, FORESEEN):  # the words of its lines may be a stranger's
        words += f"\n{where(error)}"
    log.error("a post to %s could not be taken: %s", request.path, words)
    return try_again(request)
