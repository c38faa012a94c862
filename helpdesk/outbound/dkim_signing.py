"""The DKIM signature of mail of those who send without a provider."""

import functools
import re
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPrivateNumbers,
    RSAPublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

from helpdesk.models import OutboundMail
from helpdesk.models.mailing import identity_of
from helpdesk.outbound.wire import ascii_domain
from inbound.secrets import unsealed

# RFC 6376 5.4; the last two as RFC 8058 4 demands.
SIGNED = [
    b"From",
    b"To",
    b"Cc",
    b"Subject",
    b"Date",
    b"Message-ID",
    b"In-Reply-To",
    b"References",
    b"Reply-To",
    b"MIME-Version",
    b"Content-Type",
    b"Content-Transfer-Encoding",
    b"Auto-Submitted",
    b"List-Unsubscribe",
    b"List-Unsubscribe-Post",
]


def signed(mail: OutboundMail, raw: bytes) -> bytes:
    """The message's bytes with a DKIM signature before them, where the mailbox has a key (RFC
    6376)."""
    identity = identity_of(mail.mailbox)
    if not identity.dkim_key:
        return raw
    dkim = _dkim()
    domain = ascii_domain(mail.mailbox.address.rpartition("@")[2]).encode()
    signature: bytes = dkim.sign(
        raw,
        identity.dkim_selector.encode(),
        domain,
        unsealed(identity.dkim_key).encode(),
        canonicalize=(b"relaxed", b"relaxed"),
        include_headers=[
            name
            for name in SIGNED
            if re.search(rb"(?im)^" + name + rb":", raw.partition(b"\r\n\r\n")[0])
        ],
    )
    return bytes(signature) + raw


@functools.cache
def _dkim() -> Any:
    """dkimpy, with OpenSSL's arithmetic in the place of its own, which takes longer than all the
    rest of sending a mail."""
    import dkim  # slow to import, and few have a key

    def sign(digest: Any, parts: dict[str, int]) -> bytes:
        return _key(**parts).sign(digest.digest(), PKCS1v15(), Prehashed(SHA256()))

    dkim.RSASSA_PKCS1_v1_5_sign = sign
    return dkim


@functools.lru_cache(maxsize=64)
def _key(
    *,
    modulus: int,
    publicExponent: int,  # as dkimpy names them
    privateExponent: int,
    prime1: int,
    prime2: int,
    exponent1: int,
    exponent2: int,
    coefficient: int,
    version: int = 0,
) -> RSAPrivateKey:
    public = RSAPublicNumbers(publicExponent, modulus)
    return RSAPrivateNumbers(
        prime1, prime2, privateExponent, exponent1, exponent2, coefficient, public
    ).private_key()
