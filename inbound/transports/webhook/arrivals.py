"""The mails of a post are stored: django-anymail's signal brings them, its views have checked who
posts."""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from anymail.signals import inbound
from anymail.webhooks import resend

from inbound import store
from inbound.reading import headers
from inbound.reading.message import Envelope
from inbound.transports.webhook.answers import said, where
from inbound.transports.webhook.envelope import envelope_of
from inbound.transports.webhook.posted import TooLarge
from inbound.transports.webhook.svix import Svix, WrongSignature

log = logging.getLogger(__name__)

# Its signature is of a token that it gives out once, and not of the mail: whoever has heard one has
# no other mail to put under it.
_SIGNS_NO_MAIL = {"Mailgun"}


@dataclass
class Post:
    """What became of the mails of the post that is being read."""

    stored: int = 0
    failed: list[Exception] = field(default_factory=list)  # for their own sake
    too_large: list[TooLarge] = field(default_factory=list)


_post: ContextVar[Post | None] = ContextVar("_post", default=None)


@contextmanager
def one_post() -> Iterator[Post]:
    """What `on_mail` stores within it is of one post."""
    post = Post()
    before = _post.set(post)
    try:
        yield post
    finally:
        _post.reset(before)


def connect() -> None:
    inbound.connect(on_mail, weak=False, dispatch_uid="inbound webhook")
    resend.SvixWebhook, resend.WebhookVerificationError = Svix, WrongSignature


def on_mail(sender: object, event: Any, esp_name: str, **kwargs: Any) -> None:
    """Stores the mail. Raises the database's errors: `guarded` answers "try again". A mail that
    cannot be stored for its own sake has the same answer, but first the others of its post are
    stored (Mandrill and SparkPost send several at once)."""
    post = _post.get() or Post()
    try:
        post.stored += bool(_store(event, esp_name))
    except TooLarge as error:
        _refuse(event, esp_name, error)
        post.too_large.append(error)
    except Exception as error:
        if _post.get() is None or not store.is_its_own(error):
            raise
        log.error(
            "a mail that %s posted cannot be stored: %s\n%s", esp_name, said(error), where(error)
        )
        post.failed.append(error)


def _store(event: Any, esp_name: str) -> list[int]:
    raw = event.message.content()
    envelope = envelope_of(event, esp_name, raw)
    return store.accept(raw, envelope, "webhook", key=_key(event, esp_name, raw, envelope))


def _refuse(event: Any, esp_name: str, error: TooLarge) -> None:
    envelope = envelope_of(event, esp_name, error.head)
    log.error("a mail from %r that %s posted was refused: %s", envelope.mail_from, esp_name, error)
    store.refuse(error.head, envelope, "webhook", size=error.size, why=str(error))


def _key(event: Any, esp_name: str, raw: bytes, envelope: Envelope) -> str | None:
    """By what the same post is known when it comes again. The id alone is not enough: Postal's
    numbers begin anew with its database, and Amazon SES posts a mail under one id for each receipt
    rule, to the recipients of that rule."""
    if not event.event_id:
        return None
    name = headers.one_line(f"{esp_name}:{event.event_id}")
    if esp_name in _SIGNS_NO_MAIL:
        return name[:300]
    found = hashlib.sha256("\n".join(sorted(envelope.rcpt_tos)).encode() + b"\n\n" + raw)
    return f"{name[:230]}:{found.hexdigest()}"
