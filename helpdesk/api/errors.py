"""Every error in one shape: {"error": {"code", "field", "message"}}, with `errors` where several
fields fail."""

import functools
import logging
from collections.abc import Callable, Iterator
from typing import Any

from django.core.exceptions import ObjectDoesNotExist, PermissionDenied, SuspiciousOperation
from django.db import DatabaseError, InterfaceError
from django.http import Http404, HttpRequest, JsonResponse
from rest_framework import exceptions, status
from rest_framework.response import Response

from helpdesk import throttle
from helpdesk.actions import Conflict, Refused
from helpdesk.api.serializers.tickets import TicketSerializer
from helpdesk.edge.problems import problem
from helpdesk.files.downloads import NotGivenOut

log = logging.getLogger(__name__)

NAMES = {
    400: "invalid",
    401: "not_authenticated",
    403: "permission_denied",
    404: "not_found",
    405: "method_not_allowed",
}


def answer(error: Exception, context: dict[str, Any]) -> Response | None:
    """What DRF calls for an exception in a view."""
    if isinstance(error, Refused):
        code = "permission_denied" if error.is_permission else "refused"
        body = {"error": problem(code, str(error), error.field or None)}
        return Response(body, status=403 if error.is_permission else 400)
    if isinstance(error, NotGivenOut):
        code = "kept_out" if error.file.is_kept_out else "not_scanned"
        return Response({"error": problem(code, str(error))}, status=403)
    if isinstance(error, Conflict):
        return _conflict(error, context)
    if isinstance(error, throttle.Throttled):
        return _throttled(error.retry_after)
    if isinstance(error, exceptions.Throttled):
        return _throttled(int(error.wait or 1) + 1)
    if isinstance(error, SuspiciousOperation):  # more fields, files or bytes than Django reads
        return Response(
            {"error": problem("invalid", str(error) or "The request is too large.")}, status=400
        )
    if isinstance(error, Http404 | ObjectDoesNotExist):  # it went while it was being changed
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    if isinstance(error, DatabaseError | InterfaceError | OSError):
        # Ours, and it passes: the client is to try again.
        log.exception("the API cannot answer")
        body = {
            "error": problem(
                "unavailable", "Something we depend on is down. Try again in a moment."
            )
        }
        return Response(body, status=503, headers={"Retry-After": "5"})
    if not isinstance(error, exceptions.APIException):
        return None
    headers = {"WWW-Authenticate": found} if (found := getattr(error, "auth_header", "")) else {}
    if isinstance(error, exceptions.ValidationError):
        problems = list(_flatten(error.detail))
        several = {"errors": problems} if len(problems) > 1 else {}
        return Response({"error": problems[0], **several}, status=error.status_code)
    detail: Any = error.detail
    if isinstance(detail, dict):  # simplejwt's
        message, code = str(detail.get("detail", detail)), str(detail.get("code", "invalid"))
    else:
        message, code = (
            str(detail),
            str(getattr(detail, "code", "") or NAMES.get(error.status_code, "error")),
        )
    return Response({"error": problem(code, message)}, status=error.status_code, headers=headers)


def _conflict(error: Conflict, context: dict[str, Any]) -> Response:
    current = TicketSerializer(error.current, context=context).data
    return Response(
        {"error": problem("conflict", str(error), "version"), "current": current},
        status=status.HTTP_409_CONFLICT,
        headers={"ETag": f'"{error.current.version}"'},
    )


def _throttled(seconds: int) -> Response:
    body = {"error": problem("throttled", f"Too many requests. Try again in {seconds} s.")}
    return Response(body, status=429, headers={"Retry-After": str(seconds)})


def _flatten(detail: Any, field: str = "") -> Iterator[dict[str, Any]]:
    if isinstance(detail, dict):
        for name, inner in detail.items():
            inside = "" if name == "non_field_errors" else str(name)
            yield from _flatten(inner, ".".join(filter(None, (field, inside))))
    elif isinstance(detail, list | tuple):
        for number, inner in enumerate(detail):
            nested = isinstance(inner, dict | list)
            yield from _flatten(inner, f"{field}.{number}" if nested and len(detail) > 1 else field)
    else:
        yield problem(str(getattr(detail, "code", "invalid")), str(detail), field or None)


def get_only(view: Callable[[HttpRequest], JsonResponse]) -> Callable[[HttpRequest], JsonResponse]:
    """For the plain views among the API's: 405 in the shape of the rest."""

    @functools.wraps(view)
    def guarded(request: HttpRequest) -> JsonResponse:
        if request.method in {"GET", "HEAD"}:
            return view(request)
        body = {"error": problem("method_not_allowed", f'Method "{request.method}" not allowed.')}
        return JsonResponse(body, status=405, headers={"Allow": "GET, HEAD"})

    return guarded
