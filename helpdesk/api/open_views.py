"""Views for whoever comes, and how who has no session is known."""

from rest_framework import exceptions
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView

from helpdesk import throttle
from helpdesk.actions import codes
from helpdesk.api.throttling import SigningIn, client

BEARER = 'Bearer realm="api"'


class Open(APIView):
    """For whoever comes; a token that came along is not looked at."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = (SigningIn,)

    def get_authenticate_header(self, request: Request) -> str:
        return BEARER  # so that what is wrong with a code or a password is 401

    def permission_denied(
        self, request: Request, message: str | None = None, code: str | None = None
    ) -> None:
        raise exceptions.PermissionDenied(message, code)


def asker(request: Request) -> str:
    """Who has no session is known by their network."""
    return f"{codes.NETWORK}{throttle.client_key(client(request))}"
