"""The OpenAPI schema: what every operation has in common is said once, here."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    inline_serializer,
)
from rest_framework import serializers


class ProblemDetail(serializers.Serializer[Any]):
    code = serializers.CharField(
        help_text="For programs: invalid, required, not_found, refused, conflict, throttled…"
    )
    field = serializers.CharField(
        allow_null=True, help_text="The field that is wrong, where it is one."
    )
    message = serializers.CharField(help_text="For people.")


class Problem(serializers.Serializer[Any]):
    error = ProblemDetail()
    errors = ProblemDetail(
        many=True, required=False, help_text="Every problem, where there are several."
    )


CURRENT = inline_serializer(
    "Conflict", {"error": ProblemDetail(), "current": serializers.DictField()}
)
SAYS = {
    "400": "Something in the request is wrong.",
    "401": "Sign in first.",
    "403": "That is not yours to do.",
    "404": "It isn't there, or isn't yours.",
    "405": "Not with this method.",
    "415": "Not in this format.",
    "422": "This Idempotency-Key was used with another body.",
    "429": "Too many requests; see Retry-After.",
    "503": "Something we depend on is down; try again.",
}
KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="The same key and body give the first answer again.",
)
IF_MATCH = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER, description="The version that you saw, in quotes."
)


class Schema(AutoSchema):
    """Adds the errors, the headers, and the security to every operation."""

    def get_override_parameters(self) -> list[Any]:
        found = list(super().get_override_parameters())
        if self.method == "POST" and getattr(getattr(self.view, "post", None), "__wrapped__", None):
            found.append(KEY)
        if self.method in {"PUT", "PATCH", "DELETE"} and getattr(self.view, "is_versioned", False):
            found.append(IF_MATCH)
        return found

    def _get_response_bodies(self, direction: str = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        for status, says in SAYS.items():
            if status not in bodies:
                bodies[status] = self._get_response_for_code(
                    OpenApiResponse(Problem, says), status, ["application/json"], direction
                )
        if self.method in {"PUT", "PATCH", "DELETE"} and getattr(self.view, "is_versioned", False):
            bodies["409"] = self._get_response_for_code(
                OpenApiResponse(CURRENT, "Someone else changed it; `current` is what it is now."),
                "409",
                ["application/json"],
                direction,
            )
        return bodies


def example(value: dict[str, Any], name: str = "Example") -> OpenApiExample:
    return OpenApiExample(name, value=value, request_only=True)


class TokenScheme(OpenApiAuthenticationExtension):
    target_class = "helpdesk.api.tokens.Authentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "`Authorization: Bearer <access>`; `JWT <access>` works as well.",
        }


class SessionScheme(OpenApiAuthenticationExtension):
    target_class = "helpdesk.api.tokens.SessionOfPages"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}
