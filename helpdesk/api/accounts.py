"""Accounts: verifying an address, registering, signing in and out, and passwords."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import authenticate, update_session_auth_hash
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError as Invalid
from django.db import transaction
from django.utils.translation import get_language_from_request
from djoser.views import UserViewSet
from drf_spectacular.utils import OpenApiResponse, extend_schema, inline_serializer
from rest_framework import exceptions, serializers
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from helpdesk import actions, people, resets, throttle
from helpdesk.actions import Refused, codes, pins
from helpdesk.api import tokens
from helpdesk.api.idempotency import creates
from helpdesk.api.schema import example
from helpdesk.api.serializers import ProfileSerializer
from helpdesk.api.throttling import SigningIn, client
from helpdesk.api.tickets import read
from helpdesk.given import AddressOfBody, CleanText
from helpdesk.models import EmailCode, Person

HOUR = timedelta(hours=1)
BEARER = 'Bearer realm="api"'


class Email(serializers.Serializer[Any]):
    email = AddressOfBody()


class EmailAndCode(Email):
    otp = CleanText(max_length=20)


class Credentials(serializers.Serializer[Any]):
    email = CleanText(max_length=254)
    password = CleanText(max_length=1000, trim_whitespace=False)


class Registration(serializers.Serializer[Any]):
    email = AddressOfBody()
    password = CleanText(max_length=1000, trim_whitespace=False)
    re_password = CleanText(max_length=1000, trim_whitespace=False)
    first_name = CleanText(max_length=100, required=False, allow_blank=True, default="")
    last_name = CleanText(max_length=100, required=False, allow_blank=True, default="")
    username = CleanText(max_length=150, required=False, allow_blank=True, default="")
    role = CleanText(required=False, default="user", help_text="Nothing but user.")
    verification = CleanText(max_length=100, required=False, default="", help_text="From verify_otp. Without it the account waits until a link in a mail to the address is followed.")  # fmt: skip


class Pin(serializers.Serializer[Any]):
    pin = CleanText(max_length=40)


class PasswordChange(serializers.Serializer[Any]):
    current_password = CleanText(max_length=1000, trim_whitespace=False)
    new_password = CleanText(max_length=1000, trim_whitespace=False)


class Refresh(serializers.Serializer[Any]):
    refresh = CleanText(max_length=4000)


class AnyToken(serializers.Serializer[Any]):
    token = CleanText(max_length=4000)


class Pair(serializers.Serializer[Any]):
    access = serializers.CharField()
    refresh = serializers.CharField()


class PairAndProfile(Pair):
    profile = ProfileSerializer()


Said = inline_serializer("Said", {"message": serializers.CharField()})
Verified = inline_serializer(
    "Verified", {"message": serializers.CharField(), "verification": serializers.CharField()}
)  # fmt: skip


class Open(APIView):
    """For whoever comes; a token that came along is not looked at."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = (SigningIn,)

    def get_authenticate_header(self, request: Request) -> str:
        return BEARER  # so that what is wrong with a code or a password is 401

    def permission_denied(self, request: Request, message: str | None = None, code: str | None = None) -> None:
        raise exceptions.PermissionDenied(message, code)


class SendOtp(Open):
    @extend_schema(request=Email, responses=Said, examples=[example({"email": "cleo@example.net"})])
    def post(self, request: Request) -> Response:
        """Mails a code that verifies an address. The answer is the same whoever's it is."""
        given = read(Email, request)
        codes.send_code(
            EmailCode.Purpose.VERIFY, given["email"], asker=asker(request), client=client(request),
            language=_language(request),
        )  # fmt: skip
        return Response({"message": "If mail reaches that address, a code is on its way."})


class VerifyOtp(Open):
    @extend_schema(request=EmailAndCode, responses=Verified, examples=[example({"email": "cleo@example.net", "otp": "123456"})])  # fmt: skip
    def post(self, request: Request) -> Response:
        """Takes the code. The address can then be registered, for 15 minutes and once."""
        given = read(EmailAndCode, request)
        codes.take_code(EmailCode.Purpose.VERIFY, given["email"], given["otp"], asker=asker(request))
        token = actions.verified(given["email"], client=throttle.client_key(client(request)))
        return Response({"message": "The address is verified.", "verification": token})


def _language(request: Request) -> str:
    """The one that the client names, if it names one."""
    return get_language_from_request(request._request) if request.headers.get("Accept-Language") else ""


def asker(request: Request) -> str:
    """Who has no session is known by their network."""
    return f"{codes.NETWORK}{throttle.client_key(client(request))}"


class Register(Open):
    @extend_schema(
        request=Registration, responses={201: ProfileSerializer},
        examples=[example({"first_name": "Cleo", "last_name": "Brandt", "email": "cleo@example.net", "username": "cleo",
                           "password": "a long phrase of mine", "re_password": "a long phrase of mine", "role": "user"})],
    )  # fmt: skip
    @creates
    def post(self, request: Request) -> Response:
        """Registers a verified address, by its `verification`. Who has only written mail so far keeps their tickets. Without
        it nobody can sign in before the link in a mail to the address is followed."""
        return Response(ProfileSerializer(registered(request)).data, status=201)


class SignUp(Open):
    @extend_schema(request=Registration, responses={201: PairAndProfile})
    @creates
    def post(self, request: Request) -> Response:
        """Registers a verified address, and signs in; without `verification` the tokens wait, as the account does."""
        person = registered(request)
        return Response({**tokens.issue(person), "profile": ProfileSerializer(person).data}, status=201)


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
        return actions.register(address, password, name=name, username=username, verification=given["verification"])
    language = _language(request)
    return actions.ask_to_register(
        address, password, name=name, username=username, client=throttle.client_key(client(request)), language=language
    )


class CreateToken(Open):
    @extend_schema(
        request=Credentials, responses=Pair, examples=[example({"email": "cleo@example.net", "password": "…"})]
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
        return [] if self.request is not None and self.request.method == "POST" else super().get_authenticators()

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
        raise exceptions.AuthenticationFailed("No active account has these credentials.", "no_active_account")
    return person


class RefreshToken(Open):
    @extend_schema(request=Refresh, responses=Pair)
    def post(self, request: Request) -> Response:
        """The next pair for a refresh token. One that was used before ends the whole sign-in."""
        return Response(tokens.refresh(read(Refresh, request)["refresh"]))


class VerifyToken(Open):
    @extend_schema(request=AnyToken, responses={200: OpenApiResponse(inline_serializer("Empty", {}), "It is good.")})
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
            raise exceptions.AuthenticationFailed("This PIN is not right, or not valid any more.", "pin")
        return Response(pair)


class Me(APIView):
    @extend_schema(responses=ProfileSerializer)
    def get(self, request: Request) -> Response:
        """The profile of who is signed in."""
        return Response(ProfileSerializer(request.user).data)


class Accounts(UserViewSet):  # type: ignore[misc]
    """djoser's, as far as it is wanted: a link that sets a new password."""

    throttle_classes = (SigningIn,)
    authentication_classes = ()
    token_generator = resets.tokens

    def get_permissions(self) -> list[Any]:
        return [AllowAny()]

    @extend_schema(
        request=Email, responses={204: OpenApiResponse(None, "If the address is known, a link is on its way.")}
    )
    def reset_password(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        """Mails a link that sets a new password, and so gives a first one to who has none."""
        address = read(Email, request)["email"]
        actions.send_password_link(address, link=settings.PASSWORD_RESET_URL, client=client(request))
        return Response(status=204)

    @extend_schema(
        request=inline_serializer(
            "NewPassword", {"uid": CleanText(), "token": CleanText(), "new_password": CleanText(trim_whitespace=False)}
        ),
        responses={204: OpenApiResponse(None, "The password is set; every sign-in from before is over.")},
    )  # fmt: skip
    def reset_password_confirm(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return super().reset_password_confirm(request, *args, **kwargs)


class ChangePassword(APIView):
    throttle_classes = (SigningIn,)

    @extend_schema(
        request=PasswordChange, responses={200: Pair}
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """A new password: every sign-in from before is over, and here is a new one."""
        given = read(PasswordChange, request)
        me: Any = request.user
        throttle.take(f"password-change {me.pk}", 20, HOUR)  # who has somebody's session has no more guesses
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
