"""Verifying an address by a code, and registering it."""

from typing import Any

from django.utils.translation import get_language_from_request
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from helpdesk import actions, throttle
from helpdesk.actions import Refused, codes
from helpdesk.api import tokens
from helpdesk.api.idempotency import creates
from helpdesk.api.open_views import Open, asker
from helpdesk.api.passwords import check_password
from helpdesk.api.requests import read
from helpdesk.api.schema import example
from helpdesk.api.serializers.accounts import Email, PairAndProfile, Said
from helpdesk.api.serializers.people import ProfileSerializer
from helpdesk.api.throttling import client
from helpdesk.models import EmailCode, Person
from helpdesk.request_data import AddressOfBody, CleanText


class EmailAndCode(Email):
    otp = CleanText(max_length=20)


class Registration(serializers.Serializer[Any]):
    email = AddressOfBody()
    password = CleanText(max_length=1000, trim_whitespace=False)
    re_password = CleanText(max_length=1000, trim_whitespace=False)
    first_name = CleanText(max_length=100, required=False, allow_blank=True, default="")
    last_name = CleanText(max_length=100, required=False, allow_blank=True, default="")
    username = CleanText(max_length=150, required=False, allow_blank=True, default="")
    role = CleanText(required=False, default="user", help_text="Nothing but user.")
    verification = CleanText(
        max_length=100,
        required=False,
        default="",
        help_text="From verify_otp. Without it the account waits until a link in a mail to the "
        "address is followed.",
    )


Verified = inline_serializer(
    "Verified", {"message": serializers.CharField(), "verification": serializers.CharField()}
)


class SendOtp(Open):
    @extend_schema(request=Email, responses=Said, examples=[example({"email": "cleo@example.net"})])
    def post(self, request: Request) -> Response:
        """Mails a code that verifies an address. The answer is the same whoever's it is."""
        given = read(Email, request)
        codes.send_code(
            EmailCode.Purpose.VERIFY,
            given["email"],
            asker=asker(request),
            client=client(request),
            language=_language(request),
        )
        return Response({"message": "If mail reaches that address, a code is on its way."})


class VerifyOtp(Open):
    @extend_schema(
        request=EmailAndCode,
        responses=Verified,
        examples=[example({"email": "cleo@example.net", "otp": "123456"})],
    )
    def post(self, request: Request) -> Response:
        """Takes the code. The address can then be registered, for 15 minutes and once."""
        given = read(EmailAndCode, request)
        codes.take_code(
            EmailCode.Purpose.VERIFY, given["email"], given["otp"], asker=asker(request)
        )
        token = actions.verified(given["email"], client=throttle.client_key(client(request)))
        return Response({"message": "The address is verified.", "verification": token})


class Register(Open):
    @extend_schema(
        request=Registration,
        responses={201: ProfileSerializer},
        examples=[
            example(
                {
                    "first_name": "Cleo",
                    "last_name": "Brandt",
                    "email": "cleo@example.net",
                    "username": "cleo",
                    "password": "a long phrase of mine",
                    "re_password": "a long phrase of mine",
                    "role": "user",
                }
            )
        ],
    )
    @creates
    def post(self, request: Request) -> Response:
        """Registers a verified address, by its `verification`. Who has only written mail so far
        keeps their tickets. Without it nobody can sign in before the link in a mail to the address
        is followed."""
        return Response(ProfileSerializer(registered(request)).data, status=201)


class SignUp(Open):
    @extend_schema(request=Registration, responses={201: PairAndProfile})
    @creates
    def post(self, request: Request) -> Response:
        """Registers a verified address, and signs in; without `verification` the tokens wait, as
        the account does."""
        person = registered(request)
        return Response(
            {**tokens.issue(person), "profile": ProfileSerializer(person).data}, status=201
        )


def registered(request: Request) -> Person:
    given = read(Registration, request)
    if given["role"] != Person.Role.USER:
        raise Refused("Nobody but an admin makes agents and admins.", "role")
    if given["password"] != given["re_password"]:
        raise Refused("The two passwords are not the same.", "re_password")
    name = " ".join(f"{given['first_name']} {given['last_name']}".split())
    check_password(given["password"], Person(email=given["email"], name=name))
    address, password, username = given["email"], given["password"], given["username"].strip()
    if given["verification"]:
        return actions.register(
            address, password, name=name, username=username, verification=given["verification"]
        )
    language = _language(request)
    return actions.ask_to_register(
        address,
        password,
        name=name,
        username=username,
        client=throttle.client_key(client(request)),
        language=language,
    )


def _language(request: Request) -> str:
    """The one that the client names, if it names one."""
    return (
        get_language_from_request(request._request)
        if request.headers.get("Accept-Language")
        else ""
    )
