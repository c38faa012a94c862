"""What is kept encrypted at rest: codes and reset links until they are sent, passwords of servers, keys.

Fernet under FERNET_KEYS: the first one encrypts, all of them decrypt, so a key is changed by putting
the new one in front and taking the old one away once everything has been written again.
"""

import base64
import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models


class Unreadable(Exception):
    """None of FERNET_KEYS fits: the key that it was encrypted under is gone."""


def seal(text: str) -> str:
    return _fernet(tuple(settings.FERNET_KEYS)).encrypt(text.encode()).decode() if text else ""


def unseal(token: str) -> str:
    """Raises Unreadable."""
    if not token:
        return ""
    try:
        return _fernet(tuple(settings.FERNET_KEYS)).decrypt(token.encode()).decode()
    except InvalidToken:
        raise Unreadable("FERNET_KEYS: none of them decrypts this") from None


class SealedField(models.TextField):  # type: ignore[type-arg]
    """Text that the database, a backup and a dump hold encrypted only; Python sees it plain."""

    def from_db_value(self, value: str | None, *args: Any) -> str | None:
        return unseal(value) if value else value

    def get_prep_value(self, value: Any) -> Any:
        return seal(str(value)) if value else value


@lru_cache
def _fernet(keys: Sequence[str]) -> MultiFernet:
    # Any long random string is a key: Fernet wants 32 bytes of base64.
    return MultiFernet([Fernet(base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest())) for key in keys])
