"""What is kept encrypted at rest: codes and reset links until they are sent, passwords of servers,
keys.

Fernet under FERNET_KEYS: the first one encrypts, all of them decrypt, so a key is changed by
putting the new one in front and taking the old one away once everything has been written again.

A column that is read in one place is encrypted and decrypted there (`encrypt`, `decrypt`). One that
people edit is a SealedField, which does both by itself; its value is used through `unsealed` alone.
"""

import base64
import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models


class Unreadable(OSError):
    """None of FERNET_KEYS fits: the key that it was encrypted under is gone. Temporary: it may be
    put back."""


class Locked(str):
    """What a SealedField holds, still encrypted, for no key opens it. It is saved again as it
    is."""


def encrypt(text: str) -> str:
    """Under the first of FERNET_KEYS; what is Locked stays as it is."""
    if isinstance(text, Locked):
        return str(text)
    return _fernet(tuple(settings.FERNET_KEYS)).encrypt(text.encode()).decode() if text else ""


def decrypt(token: str) -> str:
    """What `encrypt` was given. Raises Unreadable."""
    if not token:
        return ""
    try:
        return _fernet(tuple(settings.FERNET_KEYS)).decrypt(token.encode()).decode()
    except InvalidToken:
        raise Unreadable("FERNET_KEYS: none of them decrypts this") from None


def unsealed(value: str) -> str:
    """A SealedField's value in plain, where it is used. Raises Unreadable there, and not where the
    row is fetched: one that nobody can open is still a row, to be listed, paused and given a new
    password."""
    if isinstance(value, Locked):
        raise Unreadable("FERNET_KEYS: none of them decrypts what is stored; enter it again")
    return value


class SealedField(models.TextField):  # type: ignore[type-arg]
    """Text that the database, a backup and a dump hold encrypted only; Python sees it plain,
    through `unsealed`."""

    def from_db_value(self, value: str | None, *args: Any) -> str | None:
        if not value:
            return value
        try:
            return decrypt(value)
        except Unreadable:
            return Locked(value)

    def get_prep_value(self, value: Any) -> Any:
        return encrypt(value) if value else value


@lru_cache
def _fernet(keys: Sequence[str]) -> MultiFernet:
    # Any long random string is a key: Fernet wants 32 bytes of base64.
    return MultiFernet(
        [Fernet(base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest())) for key in keys]
    )
