"""What a provider is answered, and what of it stands in the log: nothing that would let somebody
in.

A fault of ours has an answer after which the provider posts again, and what nobody can read has
400."""

import logging
import traceback
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse
from requests import RequestException

from inbound.reading import headers
from inbound.transports.webhook.faults import Unreadable
from inbound.transports.webhook.posted import TooLarge

log = logging.getLogger(__name__)

# How a provider is told that it shall not post a mail again: with the answer after which it gives
# up (docs/PROVIDERS.md has where each says so). Postal tells the sender then; nobody else does.
TOO_LARGE = {"mailgun": 406, "postmark": 403, "postal": 507}
# And that it shall: Postal gives up at 5xx.
TRY_AGAIN = {"postal": 429}


def not_ours(request: HttpRequest, why: str) -> HttpResponse:
    log.warning("a post to %s was refused: %s", request.path, why)
    if "Authorization" in request.headers:
        return _text("The user and password of the URL, or the signature, do not fit.", 400)
    answer = _text("This URL has a user and a password.", 401)
    # Amazon SNS sends them only when it is asked.
    answer["WWW-Authenticate"] = 'Basic realm="webhooks"'
    return answer


def unreadable(request: HttpRequest, error: Exception) -> HttpResponse:
    words = str(error) if isinstance(error, Unreadable) else "the post is larger than is taken here"
    log.warning("a post to %s cannot be read: %s", request.path, words)
    return _text(f"{words[:1].upper()}{words[1:]}.", 400)


def try_again(request: HttpRequest) -> HttpResponse:
    answer = _text("Try again later.", TRY_AGAIN.get(_provider(request), 503))
    answer["Retry-After"] = "30"
    return answer


def refused(request: HttpRequest, error: TooLarge) -> HttpResponse:
    return _text(f"Refused: {error}.", TOO_LARGE.get(_provider(request), 413))


def _text(words: str, status: int) -> HttpResponse:
    return HttpResponse(f"{words}\n", status=status, content_type="text/plain; charset=utf-8")


def _provider(request: HttpRequest) -> str:
    """As the URL names it."""
    return request.path.partition("/anymail/")[2].partition("/")[0]


def said(error: Exception) -> str:
    """Of an exception what may stand in a log: no address, for it holds the URL's password, or a
    key to a stored mail."""
    if isinstance(error, RequestException):
        answered = error.response.status_code if error.response is not None else "no answer"
        host = urlsplit(str(error.request.url)).hostname if error.request is not None else ""
        return f"{type(error).__name__}: {host}: {answered}"
    words = headers.one_line(str(error)).partition("://")[0]
    return f"{type(error).__name__}: {words.removesuffix('https').removesuffix('http')}"[:400]


def where(error: Exception) -> str:
    """The lines of the program, without any values."""
    return "".join(traceback.format_tb(error.__traceback__))
