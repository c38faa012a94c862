"""Mail in."""

from django.core.exceptions import ImproperlyConfigured

from helpdesk.settings.environment import setting
from helpdesk.settings.outgoing_mail import SUPPORT_ADDRESS
from inbound.transports.imap.account import Account

MAX_MAIL_BYTES: int = setting("MAX_MAIL_BYTES")
RAW_MAIL_DAYS: int = setting("RAW_MAIL_DAYS")  # 0: for ever
SMTP_HOSTNAME: str = setting("SMTP_HOSTNAME", SUPPORT_ADDRESS.rpartition("@")[2])
SMTP_MAX_CONNECTIONS: int = setting("SMTP_MAX_CONNECTIONS")
SMTP_MAX_CONNECTIONS_PER_CLIENT: int = setting("SMTP_MAX_CONNECTIONS_PER_CLIENT")
SMTP_IDLE_SECONDS: int = setting("SMTP_IDLE_SECONDS")
SMTP_TRUSTED: list[str] = setting("SMTP_TRUSTED")
AUTHSERV_ID: str = setting(
    "AUTHSERV_ID"
)  # the mail server before us, as its Authentication-Results name it
TRUSTED_ARC_SEALERS: list[str] = setting("TRUSTED_ARC_SEALERS")
DNS_SERVERS: list[str] = setting("DNS_SERVERS")
SMTP_CLIENT_RATE: int = setting("SMTP_CLIENT_RATE")  # messages a minute; 0: no limit
SMTP_SENDER_RATE: int = setting("SMTP_SENDER_RATE")
MAILBOX_SILENCE: int = setting("MAILBOX_SILENCE")  # seconds until health turns red
SMTP_BYTES_IN_FLIGHT: int = setting("SMTP_BYTES_IN_FLIGHT")
SMTP_TLS_CERT: str = setting("SMTP_TLS_CERT")
SMTP_TLS_KEY: str = setting("SMTP_TLS_KEY", SMTP_TLS_CERT)
IMAP_ACCOUNTS: list[Account] = setting("IMAP_URLS")
if MAX_MAIL_BYTES > SMTP_BYTES_IN_FLIGHT:
    raise ImproperlyConfigured("SMTP_BYTES_IN_FLIGHT: must not be less than MAX_MAIL_BYTES")
