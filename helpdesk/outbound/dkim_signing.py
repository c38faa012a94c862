"""The DKIM signature of mail of those who send without a provider."""

import re

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
    import dkim  # slow to import, and few have a key

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
