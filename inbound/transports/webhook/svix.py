"""The signatures of Resend's posts."""

import hashlib
import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from time import time


class WrongSignature(Exception):
    pass


class Svix:
    """Checks Resend's signatures (https://docs.svix.com/receiving/verifying-payloads/how-manual),
    with the secret that its dashboard shows: whsec_ and base64. Raises ValueError for a secret that
    is none."""

    TOLERANCE = 300  # seconds

    def __init__(self, secret: str) -> None:
        self._key = b64decode(secret.removeprefix("whsec_"), validate=True)

    def verify(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Raises WrongSignature."""
        told = headers.get("svix-timestamp", "")
        if not re.fullmatch(r"[0-9]{1,12}", told) or abs(time() - int(told)) > self.TOLERANCE:
            raise WrongSignature("no timestamp of the last minutes")
        signed = b".".join((headers.get("svix-id", "").encode(), told.encode(), body))
        wanted = b64encode(hmac.digest(self._key, signed, hashlib.sha256))
        given = headers.get("svix-signature", "").encode().split()
        if not any(hmac.compare_digest(one, b"v1," + wanted) for one in given):
            raise WrongSignature("no signature that fits")
