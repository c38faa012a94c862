"""Can mail be sent by what EMAIL_URL, or a mailbox's own mail server, says? Found out at the start
and by a mailbox's form, without any network: or it would be found out by each mail."""

import re
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.mail import get_connection

from helpdesk.env.parsing import Wrong
from helpdesk.env.server_url import Outgoing, read_mail_url


def way_out(**kwargs: Any) -> list[checks.CheckMessage]:
    """Django's system check of EMAIL_URL's provider, with its ANYMAIL_… variables."""
    try:
        check(Outgoing(settings.EMAIL_BACKEND))
    except Wrong as error:
        return [checks.Error(f"EMAIL_URL: {error}", id="helpdesk.E001")]
    return []


def check_url(url: str) -> None:
    """Raises ValueError with what is wrong with a mailbox's own mail server."""
    found = read_mail_url(url)
    if url.startswith("file:"):
        raise ValueError("must begin with smtp://, smtp+tls://, smtps:// or anymail://")
    check(found)


def check(found: Outgoing) -> None:
    """Raises Wrong with the name of what is missing, never with a value."""
    if not found.backend.startswith("anymail."):
        return
    try:
        backend = get_connection(found.backend, **found.options)
    except Exception as error:  # of anymail, or of a package that it needs
        wrong = _missing(error)
    else:
        wrong = _amazon(backend) if hasattr(backend, "client_params") else ""
    if wrong:
        raise Wrong(wrong)


def _missing(error: Exception) -> str:
    if option := re.search(r"ANYMAIL_([A-Z0-9_]+)", str(error)):
        return (
            f"the provider needs {option[0]}, which is not set (or as an option of the "
            "URL, in small letters)"
        )
    return f"the provider's settings are not complete ({type(error).__name__})"


def _amazon(backend: Any) -> str:
    """boto3 builds its client without asking anybody, but for credentials: with some of its own it
    looks for none."""
    import boto3  # slow to import, and there only where Amazon's provider is installed
    from botocore.exceptions import NoRegionError, PartialCredentialsError  # with it

    given = dict(backend.client_params)
    if not {"aws_access_key_id", "aws_secret_access_key"} & {*given, *backend.session_params}:
        given |= {"aws_access_key_id": "none", "aws_secret_access_key": "none"}
    try:
        boto3.session.Session(**backend.session_params).client("sesv2", **given).close()
    except NoRegionError:
        return (
            "Amazon SES needs a region: region_name in "
            "ANYMAIL_AMAZON_SES_CLIENT_PARAMS, or AWS_DEFAULT_REGION"
        )
    except PartialCredentialsError:
        return (
            "Amazon SES needs both aws_access_key_id and aws_secret_access_key in "
            "ANYMAIL_AMAZON_SES_CLIENT_PARAMS"
        )
    except (
        Exception
    ) as error:  # a parameter that there is not, a region or URL that is none: its words repeat it
        return (
            "Amazon SES: ANYMAIL_AMAZON_SES_CLIENT_PARAMS or _SESSION_PARAMS are not "
            f"right ({type(error).__name__})"
        )
    return ""
