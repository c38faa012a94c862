"""Whose fault it is that a post cannot be taken: what a provider has sent wrongly is told from what
is ours."""

import binascii
import json
from collections.abc import Iterator
from contextlib import contextmanager

from anymail.exceptions import AnymailConfigurationError
from botocore.exceptions import BotoCoreError, ClientError
from django.core.exceptions import SuspiciousOperation
from django.db import DatabaseError, InterfaceError

from inbound.reading import headers
from inbound.transports.webhook.posted import TooLarge


class Unreadable(Exception):
    """The post is not what its provider documents. The words say what is wrong and repeat nothing
    of it."""


class Misplaced(Exception):
    """A mail was posted to the URL of events: the provider is to keep it until the URL is
    mended."""


_NOT_THEIRS = (
    *(DatabaseError, InterfaceError, OSError, MemoryError, BotoCoreError, ClientError),
    *(SuspiciousOperation, TooLarge, Unreadable),
)
_IN_WORDS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...] = (
    (json.JSONDecodeError, "the post is no JSON"),
    (UnicodeError, "the post is no UTF-8"),
    (RecursionError, "the post is nested too deeply"),
    (
        (TypeError, AttributeError, IndexError, AssertionError),
        "a field is missing, or holds another kind of value than the provider documents",
    ),
)


@contextmanager
def theirs(*, is_tracking: bool = False, is_of_keys: bool = False) -> Iterator[None]:
    """What is raised here is Unreadable, but for the faults of settings (a key of ours that is
    none), networks and databases."""
    try:
        yield
    except _NOT_THEIRS:
        raise
    except AnymailConfigurationError as error:
        words = headers.one_line(str(error))  # they repeat a word of the post
        if isinstance(error, ImportError) or words.startswith("You must set"):
            raise
        raise (Misplaced if is_tracking else Unreadable)(words.partition("://")[0][:300]) from None
    except Exception as error:
        if is_of_keys and _is_of_a_key(error):
            raise
        raise Unreadable(_in_words(error)) from None


def _is_of_a_key(error: Exception) -> bool:
    """A key of ours that is none is a plain ValueError."""
    is_of_the_post = isinstance(error, json.JSONDecodeError | UnicodeError | binascii.Error)
    return isinstance(error, ValueError) and not is_of_the_post


def _in_words(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"the field {str(error.args[0])[:50]!r} is missing"
    for kind, words in _IN_WORDS:
        if isinstance(error, kind):
            return words
    said = str(error)
    is_ours = said.startswith("the post ")
    return said if is_ours else f"the post cannot be read ({type(error).__name__})"
