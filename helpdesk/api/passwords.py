"""A new password: by a link in a mail, or by who knows the present one."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError as Invalid
from djoser.views import UserViewSet
from drf_spectacular.utils import OpenApiResponse, extend_schema, inline_serializer
from rest_framework import exceptions, serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from helpdesk import actions, throttle
from helpdesk.actions import Refused
from helpdesk.api import tokens
from helpdesk.api.requests import read
from helpdesk.api.serializers.accounts import Email, Pair
from helpdesk.api.throttling import SigningIn, client
from helpdesk.auth import resets
from helpdesk.models import Person
from helpdesk.request_data import CleanText


class PasswordChange(serializers.Serializer[Any]):
    current_password = CleanText(max_length=1000, trim_whitespace=False)
    new_password = CleanText(max_length=1000, trim_whitespace=False)


HOUR = timedelta(hours=1)


class Accounts(UserViewSet):  # type: ignore[misc]
    """djoser's, as far as it is wanted: a link that sets a new password."""

    throttle_classes = (SigningIn,)
    authentication_classes = ()
    token_generator = resets.tokens

    def get_permissions(self) -> list[Any]:
        return [AllowAny()]

    @extend_schema(
        request=Email,
        responses={204: OpenApiResponse(None, "If the address is known, a link is on its way.")},
    )
    def reset_password(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        """Mails a link that sets a new password, and so gives a first one to who has none."""
        address = read(Email, request)["email"]
        actions.send_password_link(
            address, link=settings.PASSWORD_RESET_URL, client=client(request)
        )
        return Response(status=204)

    @extend_schema(
        request=inline_serializer(
            "NewPassword",
            {
                "uid": CleanText(),
                "token": CleanText(),
                "new_password": CleanText(trim_whitespace=False),
            },
        ),
        responses={
            204: OpenApiResponse(None, "The password is set; every sign-in from before is over.")
        },
    )
    def reset_password_confirm(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return super().reset_password_confirm(request, *args, **kwargs)


class ChangePassword(APIView):
    throttle_classes = (SigningIn,)

    @extend_schema(request=PasswordChange, responses={200: Pair})
    def post(self, request: Request) -> Response:
        """A new password: every sign-in from before is over, and here is a new one."""
        given = read(PasswordChange, request)
        me: Any = request.user
        throttle.take(
            f"password-change {me.pk}", 20, HOUR
        )  # who has somebody's session has no more guesses
        if not me.check_password(given["current_password"]):
            raise Refused("This is not your password.", "current_password")
        check_password(given["new_password"], me, "new_password")
        actions.set_password(me, given["new_password"])
        if isinstance(request.successful_authenticator, tokens.SessionOfPages):
            update_session_auth_hash(request._request, me)  # this one goes on
        return Response(tokens.issue(me))


def check_password(password: str, person: Person, field: str = "password") -> None:
    try:
        validate_password(password, person)
    except Invalid as error:
        raise exceptions.ValidationError({field: error.messages}) from error
