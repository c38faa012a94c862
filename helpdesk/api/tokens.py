"""Signing in with JSON Web Tokens: an access token for minutes, a refresh token for days, one
family a sign-in.

A refresh token works once and gives the next one. One that turns up again ends its whole family,
and so do signing out, a new password or address, another role, a switched-off account and the end
of the support PIN that signed in: access tokens of that family too.
"""

import hashlib
import hmac
import uuid
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone
from rest_framework.authentication import SessionAuthentication
from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import InvalidToken, TokenError
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from helpdesk.actions import pins
from helpdesk.models import Person, TokenFamily


def issue(person: Person) -> dict[str, str]:
    """A new family's first pair: {access, refresh}."""
    lifetime = timedelta(days=settings.JWT_REFRESH_DAYS)
    family = TokenFamily(person=person, pin=person.let_in_by, expires_at=timezone.now() + lifetime)
    pair, jti = _pair(person, family)
    family.current = jti
    family.save(force_insert=True)
    return pair


def refresh(token: str) -> dict[str, str]:
    """The next pair. Raises InvalidToken; a token that was used before ends its family."""
    try:
        read = RefreshToken(token)  # type: ignore[arg-type]
    except TokenError as error:
        raise InvalidToken(str(error)) from error
    family = _family(read)
    if family.current != str(read["jti"]):
        end(family)
        raise InvalidToken("This token was used before. Sign in again.")
    pair, jti = _pair(family.person, family)
    # Of two that come at once one is the first; the other one is a use again.
    taken = TokenFamily.objects.filter(
        pk=family.pk, current=str(read["jti"]), revoked_at=None
    ).update(current=jti, expires_at=timezone.now() + timedelta(days=settings.JWT_REFRESH_DAYS))
    if not taken:
        end(family)
        raise InvalidToken("This token was used before. Sign in again.")
    return pair


def verify(token: str) -> None:
    """Raises InvalidToken for one that would not be taken."""
    for kind in (AccessToken, RefreshToken):
        try:
            read = kind(token)  # type: ignore[arg-type]
        except TokenError:
            continue
        family = _family(read)
        if kind is RefreshToken and family.current != str(read["jti"]):
            break  # used already
        return
    raise InvalidToken("Token is invalid or expired")


def end_of(token: str) -> None:
    """Signs out: the family of that refresh token is over."""
    try:
        end(_family(RefreshToken(token)))  # type: ignore[arg-type]
    except TokenError as error:
        raise InvalidToken(str(error)) from error


def end(family: TokenFamily) -> None:
    TokenFamily.objects.filter(pk=family.pk, revoked_at=None).update(revoked_at=timezone.now())


class Authentication(JWTAuthentication):
    """`Authorization: Bearer …` or `JWT …`. A token of a family that is over is none."""

    def get_user(self, validated_token: Any) -> Person:
        return _family(validated_token).person


class SessionOfPages(SessionAuthentication):
    """The staff site's and the portal's own sign-in, with their CSRF token."""

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def _pair(person: Person, family: TokenFamily) -> tuple[dict[str, str], str]:
    read = RefreshToken()
    read["user_id"], read["family"], read["stamp"] = str(person.pk), str(family.pk), _stamp(person)
    return {"access": str(read.access_token), "refresh": str(read)}, str(read["jti"])


def _family(read: Any) -> TokenFamily:
    try:
        pk = uuid.UUID(str(read["family"]))
    except (KeyError, ValueError):
        raise InvalidToken("Token is invalid or expired") from None
    family = (
        TokenFamily.objects.select_related("person", "pin__issued_by")
        .filter(pk=pk, revoked_at=None)
        .first()
    )
    if family is None or (family.pin is not None and not pins.holds(family.pin)):
        raise InvalidToken("Token is invalid or expired")
    if not family.person.is_active or str(family.person_id) != str(read.get("user_id")):
        raise InvalidToken("Token is invalid or expired")
    if not hmac.compare_digest(str(read.get("stamp", "")), _stamp(family.person)):
        raise InvalidToken("Token is invalid or expired")
    family.person.let_in_by = family.pin
    return family


def _stamp(person: Person) -> str:
    """Changes with the password, the address and the role, so that tokens from before are worth
    nothing."""
    return hmac.digest(
        settings.JWT_KEY.encode(), person.signs_in_as().encode(), hashlib.sha256
    ).hex()[:24]
