"""Signing in, with a password or a support PIN; keeping on; and signing out."""

from typing import Any

from django.conf import settings
from django.contrib.auth import authenticate
from django.db import transaction
from drf_spectacular.utils import OpenApiResponse, extend_schema, inline_serializer
from rest_framework import exceptions, serializers
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from helpdesk import people, throttle
from helpdesk.actions import Refused, pins
from helpdesk.api import tokens
from helpdesk.api.open_views import BEARER, Open
from helpdesk.api.requests import read
from helpdesk.api.schema import example
from helpdesk.api.serializers.accounts import Pair, PairAndProfile, Said
from helpdesk.api.serializers.people import ProfileSerializer
from helpdesk.api.throttling import SigningIn, client
from helpdesk.models import Person
from helpdesk.request_data import CleanText


class Credentials(serializers.Serializer[Any]):
    email = CleanText(max_length=254)
    password = CleanText(max_length=1000, trim_whitespace=False)


class Pin(serializers.Serializer[Any]):
    pin = CleanText(max_length=40)


class Refresh(serializers.Serializer[Any]):
    refresh = CleanText(max_length=4000)


class AnyToken(serializers.Serializer[Any]):
    token = CleanText(max_length=4000)


class CreateToken(Open):
    @extend_schema(
        request=Credentials,
        responses=Pair,
        examples=[example({"email": "cleo@example.net", "password": "…"})],
    )
    def post(self, request: Request) -> Response:
        """Signs in with address and password."""
        return Response(tokens.issue(signed_in(request)))


class Login(APIView):
    throttle_classes = (SigningIn,)

    def get_authenticate_header(self, request: Request) -> str:
        return BEARER

    def get_permissions(self) -> list[Any]:
        return [AllowAny()] if self.request.method == "POST" else [IsAuthenticated()]

    def get_authenticators(self) -> list[Any]:
        return (
            []
            if self.request is not None and self.request.method == "POST"
            else super().get_authenticators()
        )

    @extend_schema(request=Credentials, responses=PairAndProfile)
    def post(self, request: Request) -> Response:
        """Signs in, with the profile in the answer."""
        person = signed_in(request)
        return Response({**tokens.issue(person), "profile": ProfileSerializer(person).data})

    @extend_schema(responses=ProfileSerializer)
    def get(self, request: Request) -> Response:
        """The profile of who is signed in."""
        return Response(ProfileSerializer(request.user).data)


def signed_in(request: Request) -> Person:
    """Raises AuthenticationFailed, in the same words whatever is wrong."""
    given = read(Credentials, request)
    # django-axes and our backend count failures for the account and the network, and lock.
    plain = request._request
    person = authenticate(plain, username=people.plain(given["email"]), password=given["password"])
    if not isinstance(person, Person):
        if getattr(plain, "axes_locked_out", False):
            raise throttle.Throttled(int(settings.AXES_COOLOFF_TIME * 3600))
        raise exceptions.AuthenticationFailed(
            "No active account has these credentials.", "no_active_account"
        )
    return person


class PinLogin(Open):
    @extend_schema(request=Pin, responses=Pair, examples=[example({"pin": "7Q2M-9XKD-4HTB"})])
    def post(self, request: Request) -> Response:
        """Signs a customer in with the PIN that staff gave them. It works once."""
        given = read(Pin, request)["pin"]
        with transaction.atomic():
            try:
                person = pins.take_pin(given, client=client(request))
            except Refused:
                refused = True
            else:
                refused, pair = False, tokens.issue(person)
        if refused:
            # Outside the transaction: the failure stays counted.
            raise exceptions.AuthenticationFailed(
                "This PIN is not right, or not valid any more.", "pin"
            )
        return Response(pair)


class RefreshToken(Open):
    @extend_schema(request=Refresh, responses=Pair)
    def post(self, request: Request) -> Response:
        """The next pair for a refresh token. One that was used before ends the whole sign-in."""
        return Response(tokens.refresh(read(Refresh, request)["refresh"]))


class VerifyToken(Open):
    @extend_schema(
        request=AnyToken,
        responses={200: OpenApiResponse(inline_serializer("Empty", {}), "It is good.")},
    )
    def post(self, request: Request) -> Response:
        """Whether a token would be taken."""
        tokens.verify(read(AnyToken, request)["token"])
        return Response({})


class SignOut(Open):
    @extend_schema(request=Refresh, responses={200: Said})
    def post(self, request: Request) -> Response:
        """Ends the sign-in that this refresh token belongs to, its access tokens too."""
        tokens.end_of(read(Refresh, request)["refresh"])
        return Response({"message": "Signed out."})


class Me(APIView):
    @extend_schema(responses=ProfileSerializer)
    def get(self, request: Request) -> Response:
        """The profile of who is signed in."""
        return Response(ProfileSerializer(request.user).data)
