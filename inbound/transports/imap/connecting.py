"""A connection to an account's server, signed in."""

import ssl
from contextlib import nullcontext, suppress

from imapclient import IMAPClient
from imapclient.exceptions import LoginError

from inbound import hosts
from inbound.models import ImapAccount
from inbound.secrets import unsealed
from inbound.transports.imap import oauth
from inbound.transports.imap.account import Account
from inbound.transports.imap.signing_in import sign_in

TIMEOUT = 60  # seconds for each step of the server's


def connect(account: Account) -> IMAPClient:
    """Signed in. Raises the server's error, oauth.Refused, or OSError."""
    context = ssl.create_default_context()
    with hosts.named_by_an_admin() if account.row else nullcontext():
        client = IMAPClient(
            account.host,
            account.port,
            ssl=account.tls == "tls",
            ssl_context=context if account.tls == "tls" else None,
            timeout=TIMEOUT,
            use_uid=True,
        )
    try:
        if account.tls == "starttls":
            client.starttls(context)
        if account.auth == "xoauth2":
            client.oauth2_login(account.user, oauth.access_token(account.row))
        elif account.row:
            sign_in(client, account.user, unsealed(ImapAccount.objects.get(pk=account.row).secret))
        else:
            sign_in(client, account.user, account.password)
    except BaseException as error:
        if isinstance(error, LoginError):
            oauth.forget(account.row)  # whatever its time is said to be
        with suppress(OSError):
            client.shutdown()
        raise
    return client
