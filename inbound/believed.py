"""What others have found out about who sent a mail, and whether we may believe them: a provider
beside the mail, and the mail server before us in its Authentication-Results.

And whose server handed a mail to us, for that decides it.
"""

import ipaddress

from django.conf import settings

from inbound.models import InboundMail
from inbound.reading.reading import Reading
from inbound.reading.results import Result, Results


def believed(row: InboundMail, reading: Reading) -> list[Results]:
    """What was found out about the mail by a server that we may believe: a provider's own fields
    beside the mail, and the headers of the server whose mail this is."""
    if row.results is not None:
        return [Results("", tuple(Result(**found) for found in row.results))]
    if row.transport == "smtp" and not _is_trusted(row):
        return []  # whoever connects to us from outside writes any header they like
    server = row.mailbox.authserv_id or settings.AUTHSERV_ID or _server_of(row)
    fields = [found for found in reading.claims.results if found.found]
    if row.transport == "webhook":
        return [found for found in reading.claims.provider if found.server == server]
    if server == "google":
        return [found for found in fields[:1] if found.server == "mx.google.com"]
    if server == "microsoft":
        return [
            found
            for found in fields[:1]
            if not found.server or found.server.endswith((".outlook.com", ".office365.com"))
        ]
    return [found for found in fields if server and found.server == server]


def _server_of(row: InboundMail) -> str:
    """Of an IMAP account or a provider, as it is known by its name."""
    if row.transport == "webhook":
        return row.client.lower() if row.client == "Postmark" else ""
    if row.transport != "imap":
        return ""
    host = row.client.rpartition("@")[2].partition(":")[0].lower()
    if host.endswith((".gmail.com", ".googlemail.com")):
        return "google"
    return "microsoft" if host.endswith((".office365.com", ".outlook.com")) else ""


def client_of(row: InboundMail) -> str:
    """The address of the server that handed it over, where that is a stranger's; "" where SPF says
    nothing: of our own servers, this machine, and private networks, behind which the sender's
    server cannot be seen."""
    if row.transport != "smtp" or _is_trusted(row):
        return ""
    try:
        address = ipaddress.ip_address(row.client.partition(" ")[0])
    except ValueError:
        return ""
    return str(address) if address.is_global else ""


def _is_trusted(row: InboundMail) -> bool:
    try:
        address = ipaddress.ip_address(row.client.partition(" ")[0])
    except ValueError:
        return True  # a socket of this machine
    return any(
        address in ipaddress.ip_network(network, strict=False) for network in settings.SMTP_TRUSTED
    )


def network_of(client: str) -> str:
    if not client:
        return ""
    return str(ipaddress.ip_network((client, 24 if "." in client else 48), strict=False))
