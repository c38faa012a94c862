"""The variables of mail, out and in: rows of the table in variables.py."""

from urllib.parse import unquote

from helpdesk.env import addresses, values
from helpdesk.env.parsing import Wrong
from helpdesk.env.server_url import read_mail_url
from helpdesk.env.urls import split_url
from helpdesk.env.variable import Variable
from inbound.transports.imap.account import Account, read_account

# inbound.models.ImapAccount's; there are no models yet.
FIRST_CONTACTS = ("recent", "unread", "all", "nothing")


def imap_accounts(value: str) -> list[Account]:
    """Separated by white space."""
    found = []
    for number, url in enumerate(value.split(), 1):
        try:
            password = split_url(url, "imaps", "imap+tls", "imap").password or ""
            account = read_account(url)
            if account.first_contact not in FIRST_CONTACTS:
                raise Wrong(f"must have first={'|'.join(FIRST_CONTACTS)}")
            found.append(account)
        except Wrong as error:
            raise Wrong(f"number {number} {error}") from None
        except ValueError as error:
            holds = any(secret in str(error) for secret in (password, unquote(password)) if secret)
            raise Wrong(f"number {number} {'cannot be read' if holds else error}") from None
    return found


OUT = [
    Variable(
        "EMAIL_URL",
        "",
        read_mail_url,
        "`smtp://`, `smtp+tls://` or `smtps://USER:PASSWORD@HOST`, or `anymail://PROVIDER`; "
        "what is special in a password is percent-encoded",
        "files under `VAR_DIR/sent-mail`",
    ),
    Variable(
        "ANYMAIL_…",
        "",
        values.plain,
        "a provider's settings, as django-anymail names them; `…_PARAMS` and `…SEND_DEFAULTS` "
        "are JSON: [docs/PROVIDERS.md](docs/PROVIDERS.md)",
    ),
    Variable(
        "ANYMAIL_WEBHOOK_SECRET",
        "",
        values.credentials,
        "`user:password` of the provider's webhooks at `/anymail/`; without it there are none",
    ),
    Variable(
        "OUTGOING_HOSTS",
        "any",
        values.one_of("any", "public"),
        "or `public`: mail servers, token endpoints and alerts that admins enter on the staff "
        "site reach public addresses only, looked at as they are connected to (an HTTP proxy, "
        "too); `EMAIL_URL` and `IMAP_URLS` are yours and not limited",
    ),
    Variable(
        "OUTBOUND_MAX_AGE",
        "432000",
        values.integer(60, 10**8),
        "seconds until an undeliverable mail is given up",
    ),
    Variable(
        "UNDO_SEND_SECONDS",
        "10",
        values.integer(0, 600),
        "how long an agent can take an answer back",
    ),
    Variable(
        "DIGEST_MINUTES",
        "30",
        values.integer(1, 10_000),
        "how often watchers are told what happened",
    ),
    Variable(
        "TICKET_LINK_DAYS",
        "30",
        values.integer(1, 3650),
        "how long the link in a mail opens its ticket, to read; mail and page say until when, "
        "and staff or its reader can end it before",
    ),
    Variable(
        "TRACK_OPENS", "off", values.boolean, "note when a provider says that a mail was opened"
    ),
]
IN = [
    Variable(
        "SUPPORT_ADDRESS",
        "support@example.com",
        addresses.mail_address,
        "the first mailbox, made when there is none",
    ),
    Variable(
        "IMAP_URLS",
        "",
        imap_accounts,
        "accounts that `imapd` watches, separated by white space: "
        "`imaps://USER:PASSWORD@HOST/INBOX?mailbox=ADDRESS`, with the options below",
    ),
    Variable(
        "MAILBOX_SILENCE",
        "600",
        values.integer(60, 10**7),
        "seconds without contact after which health turns red for an IMAP account",
    ),
    Variable("MAX_MAIL_BYTES", "25MB", values.size, "the largest mail that is taken"),
    Variable(
        "RAW_MAIL_DAYS",
        "0",
        values.integer(0, 100_000),
        "how long received bytes are kept; 0 is for ever",
    ),
    Variable(
        "MAX_PEOPLE_FROM_MAIL",
        "20",
        values.integer(1, 1000),
        "people in To and Cc of a first mail who take part by themselves; of more an agent is "
        "asked",
    ),
    Variable(
        "SMTP_HOSTNAME",
        "",
        addresses.host,
        "what the listener calls itself",
        "the domain of `SUPPORT_ADDRESS`",
    ),
    Variable("SMTP_TLS_CERT", "", values.file, "a file in PEM form; with it, STARTTLS"),
    Variable("SMTP_TLS_KEY", "", values.file, "its key's file", "in the same file"),
    Variable("SMTP_MAX_CONNECTIONS", "200", values.integer(1, 100_000), "connections at once"),
    Variable(
        "SMTP_MAX_CONNECTIONS_PER_CLIENT",
        "20",
        values.integer(1, 100_000),
        "of them, what one client may hold: an IPv4 address or an IPv6 /64; `SMTP_TRUSTED` and "
        "LMTP are not counted",
    ),
    Variable(
        "SMTP_IDLE_SECONDS", "120", values.integer(1, 3600), "how long a client may be silent"
    ),
    Variable(
        "SMTP_BYTES_IN_FLIGHT",
        "256MB",
        values.size,
        "bytes of mail that is being taken, of all clients; no less than `MAX_MAIL_BYTES`",
    ),
    Variable(
        "SMTP_CLIENT_RATE",
        "300",
        values.integer(0, 10**9),
        "messages a minute from one client; 0 is no limit",
    ),
    Variable(
        "SMTP_SENDER_RATE",
        "60",
        values.integer(0, 10**9),
        "messages a minute from one sender; 0 is no limit",
    ),
    Variable(
        "SMTP_TRUSTED",
        "127.0.0.0/8,::1/128",
        addresses.networks,
        "networks that are not counted: the mail server before us",
    ),
    Variable(
        "AUTHSERV_ID",
        "",
        addresses.optional_host,
        "the mail server before us, as its Authentication-Results name it: they are believed. "
        "It must remove such headers of its own name from mail that comes in (docs/MTA.md)",
    ),
    Variable(
        "TRUSTED_ARC_SEALERS",
        "google.com,microsoft.com,messagingengine.com",
        values.each(addresses.domain),
        "forwarders whose ARC seals are believed",
    ),
    Variable(
        "DNS_SERVERS",
        "",
        values.each(addresses.ip_address),
        "addresses of name servers that are asked about senders",
        "the system's",
    ),
]
