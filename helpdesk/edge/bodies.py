"""How large a request's body may be, and how long it may take: before Django, which would keep all
of it first. And whether Django can make anything of the request's head: where it cannot, nobody
would answer.

What is larger is answered with 413, by its Content-Length before a byte of it is read, or else
where the count passes the limit; what comes too slowly with 408 (RFC 9110 15.5.14, 15.5.9). Then
the connection ends.
"""

import asyncio
import codecs
import logging
import re
import time
from collections.abc import Callable
from io import BytesIO

from asgiref.typing import (
    ASGI3Application,
    ASGIReceiveCallable,
    ASGIReceiveEvent,
    ASGISendCallable,
    ASGISendEvent,
    HTTPScope,
    Scope,
)
from django.conf import settings
from django.core.handlers.asgi import ASGIRequest

from helpdesk.edge import error_pages
from inbound.transports.webhook.secret import knows_the_secret

log = logging.getLogger(__name__)

# The longest text that a form takes has 100,000 characters, and an emoji is twelve bytes of a form
# or of JSON.
FORM = 1_500_000
# What the most generous provider takes in (Amazon SES): such a mail's post is read whatever
# MAX_MAIL_BYTES is, so that it can be said whose mail was refused. Its post has up to three times
# as many bytes: Postmark's holds the files twice.
LARGEST_MAIL, POST_TIMES = 40_000_000, 3
# A body comes at least this fast, after a start; so the largest that is taken has about half an
# hour.
START_SECONDS, BYTES_A_SECOND = 20.0, 16_000
CHARSETS = {
    "utf-8",
    "ascii",
    "iso8859-1",
    "cp1252",
}  # UTF-7 and others write halves of surrogate pairs
LINGER_SECONDS = 3.0  # who is still sending hears the answer, if they listen by then

# Where files are handed in: the slash at the end may be missing, as everywhere in the API.
_UPLOADS = re.compile(
    r"/(?:add|api/tickets(?:/\d+/(?:comments|attachments))?|profiles/\d+/tickets|tickets/\d+/messages"
    r"|portal/new|portal/tickets/\d+/reply|admin/tickets/\d+/reply)/?"
)


def limit_for(path: str, authorization: str) -> int:
    """In bytes. Files come with what a mail could hold: it is by mail that they go on. A provider's
    post holds a mail; whoever does not know the secret is no provider."""
    if _UPLOADS.fullmatch(path):
        return FORM + max(settings.ATTACHMENT_MAX_BYTES, settings.MAX_MAIL_BYTES)
    if (
        path.startswith("/anymail/")
        and settings.ANYMAIL_WEBHOOK_SECRET
        and knows_the_secret(authorization)
    ):
        return FORM + max(settings.MAX_MAIL_BYTES, LARGEST_MAIL) * POST_TIMES
    return FORM


def is_readable(scope: HTTPScope) -> bool:
    """Whether the head can be read, and the charset that it names is one in which nothing but text
    is written."""
    try:
        encoding = ASGIRequest(scope, BytesIO()).encoding
        return not encoding or codecs.lookup(encoding).name in CHARSETS
    except Exception:  # of a Content-Type and a query that are made up, whatever it is
        return False


class _Unread(Exception):
    """The rest of the body is not read."""

    def __init__(self, status: int) -> None:
        self.status = status


def bounded(
    app: ASGI3Application, *, clock: Callable[[], float] = time.monotonic
) -> ASGI3Application:
    """`app` with bodies that are neither larger nor slower than they may be."""

    async def asked(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] != "http":
            return await app(scope, receive, send)
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        limit = limit_for(scope["path"], headers.get(b"authorization", ""))
        if not is_readable(scope):
            bare: HTTPScope = {**scope, "query_string": b"", "headers": []}
            return await _refuse(400, limit, bare, receive, send)
        length = headers.get(b"content-length", "")
        if length.isascii() and length.isdigit() and (len(length) > 15 or int(length) > limit):
            return await _refuse(413, limit, scope, receive, send)
        seen, is_whole, has_begun, started = 0, False, False, clock()

        async def read() -> ASGIReceiveEvent:
            nonlocal seen, is_whole
            # only the client's going away is waited for now, and that may take as long as it likes
            if is_whole:
                return await receive()
            left = started + START_SECONDS + seen / BYTES_A_SECOND - clock()
            try:
                event = await asyncio.wait_for(receive(), max(left, 0.0))
            except TimeoutError:
                raise _Unread(408) from None
            if event["type"] == "http.request":
                seen += len(event.get("body", b""))
                is_whole = not event.get("more_body", False)
                if seen > limit:
                    raise _Unread(413)
            return event

        async def answer(event: ASGISendEvent) -> None:
            nonlocal has_begun
            has_begun = True
            await send(event)

        try:
            await app(scope, read, answer)
        except _Unread as why:
            if has_begun:
                raise
            await _refuse(why.status, limit, scope, receive, send)

    return asked


async def _refuse(
    status: int, limit: int, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable
) -> None:
    if status == 413 and scope["path"].startswith("/anymail/"):
        # Whose mail it is nobody knows; no provider takes so much, or it does not know the secret.
        log.error(
            "a post to %s was refused: it has more than %s bytes", scope["path"][:100], f"{limit:,}"
        )
    said = error_pages.unread(ASGIRequest(scope, BytesIO()), status, limit)
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in said.items()]
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                *headers,
                (b"content-length", b"%d" % len(said.content)),
                (b"connection", b"close"),
            ],
            "trailers": False,
        }
    )
    await send({"type": "http.response.body", "body": said.content, "more_body": True})
    # A connection that is closed while its client is still sending takes the answer along.
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            while (event := await receive())["type"] == "http.request" and event.get(
                "more_body", False
            ):
                pass
    except TimeoutError:
        pass
    await send({"type": "http.response.body", "body": b"", "more_body": False})
