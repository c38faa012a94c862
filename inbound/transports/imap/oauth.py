"""OAuth 2 for IMAP: an access token for a refresh token (RFC 6749 section 6), at Google's or
Microsoft's endpoint."""

import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from datetime import timedelta

from django.utils import timezone

from inbound import hosts
from inbound.models import ImapAccount
from inbound.secrets import unsealed

TIMEOUT = 20
_lock = threading.Lock()
_tokens: dict[tuple[int, str], tuple[str, float]] = {}


class Refused(Exception):
    """The endpoint gives no token, in its own words. Somebody must sign in again."""


def access_token(pk: int) -> str:
    """A token that is good for a minute at least. Raises Refused, and OSError where the endpoint is
    away.

    An endpoint that gives a new refresh token (Microsoft's does) has it stored before it is used.
    """
    row = ImapAccount.objects.get(pk=pk)
    with _lock:
        found = _tokens.get((pk, row.secret))
        if found and found[1] > time.monotonic() + 60:
            return found[0]
    answer = _ask(row)
    token, lasts = str(answer["access_token"]), float(answer.get("expires_in", 3600))
    changes: dict[str, object] = {}
    if (new := answer.get("refresh_token")) and new != row.secret:
        changes["secret"] = row.secret = str(new)
    if left := answer.get("refresh_token_expires_in"):
        changes["token_expires_at"] = timezone.now() + timedelta(seconds=float(left))
    if changes:
        ImapAccount.objects.filter(pk=pk).update(**changes)
    with _lock:
        _tokens[(pk, row.secret)] = (token, time.monotonic() + lasts)
    return token


def forget(pk: int) -> None:
    """The server does not take the access token that it was given: the next one is asked for."""
    with _lock:
        for key in [key for key in _tokens if key[0] == pk]:
            del _tokens[key]


def _ask(row: ImapAccount) -> dict[str, str]:
    form = {
        "grant_type": "refresh_token",
        "refresh_token": unsealed(row.secret),
        "client_id": row.client_id,
    }
    form |= {
        name: value
        for name, value in (("client_secret", unsealed(row.client_secret)), ("scope", row.scope))
        if value
    }
    if not row.token_url.startswith(("https://", "http://127.0.0.1", "http://localhost")):
        raise Refused("the token endpoint must be https")
    request = urllib.request.Request(
        row.token_url, urllib.parse.urlencode(form).encode()
    )  # checked above
    try:
        with hosts.named_by_an_admin(), urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            said = json.load(answer)
    except urllib.error.HTTPError as error:
        words = error.read(2000).decode("utf-8", "replace")
        if error.code >= 500 or error.code == 429:
            raise OSError(f"the token endpoint answers {error.code}: {words}") from error
        raise Refused(f"the token endpoint answers {error.code}: {words}") from error
    except ValueError as error:
        raise OSError("the token endpoint's answer is no JSON") from error
    if not isinstance(said, dict) or "access_token" not in said:
        raise Refused(f"the token endpoint gives no token: {str(said)[:500]}")
    return said
