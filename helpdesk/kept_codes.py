"""How a one-time code is kept: as a hash under PIN_KEY, never as it is."""

import hashlib
import hmac

from django.conf import settings

from helpdesk.models import EmailCode


def is_code(row: EmailCode, digits: str) -> bool:
    return hmac.compare_digest(code_hash(row.same_as_id or row.pk, digits), row.code_hash)


def code_hash(row: int, digits: str) -> str:
    return hmac.digest(
        settings.PIN_KEY.encode(), f"code {row} {digits}".encode(), hashlib.sha256
    ).hex()
