"""What is said where nothing is, or something broke: a page to people, the API's shape to
programs."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import translation
from django.utils.translation import gettext as _

from helpdesk.content_policy import policy
from helpdesk.edge.problems import problem
from helpdesk.request_data import NoText

PAGES = ("/admin/", "/portal/", "/static/", "/unsubscribe/")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _for_people(request):
        return render(request, "page.html", {"title": "There is nothing here."}, status=404)
    return JsonResponse({"error": problem("not_found", "There is nothing here.")}, status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    if _for_people(request):
        return render(
            None,
            "page.html",
            {"title": "Something went wrong here. Try again in a moment."},
            status=500,
        )
    return JsonResponse(
        {"error": problem("server_error", "Something went wrong here.")}, status=500
    )


def _for_people(request: HttpRequest) -> bool:
    return request.path.startswith(PAGES) or "text/html" in request.headers.get("Accept", "")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _for_people(request):
        return render(None, "page.html", {"title": "That could not be read."}, status=400)
    said = str(exception) if isinstance(exception, NoText) else "The request could not be read."
    return JsonResponse(
        {"error": problem("invalid", said, getattr(exception, "field", "") or None)}, status=400
    )


def unread(request: HttpRequest, status: int, limit: int) -> HttpResponse:
    """400, 408 or 413: for helpdesk.edge.bodies, which answers before any middleware does."""
    with translation.override(
        translation.get_language_from_request(request) if _for_people(request) else "en"
    ):
        too_large = _("That is more than is taken here: at most {size} MB at once.").format(
            size=f"{limit / 10**6:g}"
        )
        too_slow, unreadable = (
            _("The request came too slowly."),
            _("The request could not be read."),
        )
        code, said = {
            413: ("too_large", too_large),
            408: ("too_slow", too_slow),
            400: ("invalid", unreadable),
        }[status]
        page = render(None, "page.html", {"title": said}, status=status)
    if _for_people(request):
        response: HttpResponse = page
        response["Content-Security-Policy"] = policy()
    else:
        response = JsonResponse({"error": problem(code, said)}, status=status)
    response["X-Content-Type-Options"] = "nosniff"
    return response


def not_ours(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form that does not come from a page of ours, or from one that is too old (CSRF)."""
    said = _(
        "This form was open for too long, or does not come from here. Load its page anew and try "
        "again."
    )
    if _for_people(request):
        return render(request, "page.html", {"title": said}, status=403)
    return JsonResponse({"error": problem("permission_denied", f"CSRF: {reason}")}, status=403)


def locked_out(
    request: HttpRequest, credentials: object = None, *args: object, **kwargs: object
) -> HttpResponse:
    """Too many wrong passwords for that address from that client."""
    seconds = int(settings.AXES_COOLOFF_TIME * 3600)
    said = f"Too many wrong passwords. Try again in {seconds // 60} minutes."
    if _for_people(request):
        response: HttpResponse = render(None, "page.html", {"title": said}, status=429)
    else:
        response = JsonResponse({"error": problem("throttled", said)}, status=429)
    response["Retry-After"] = str(seconds)
    return response
