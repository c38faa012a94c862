"""The mail that was sent to files."""

import re
from email import message_from_bytes
from email import policy as email_policy
from pathlib import Path

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from helpdesk import access
from helpdesk.models.mail_kinds import KINDS
from inbound.addresses import KIND_HEADER

WITHHELD = "Withheld: this mail holds a code or a link that signs in."


@require_GET
def sent_mail(request: HttpRequest) -> HttpResponse:
    """What the file backend wrote, the newest first."""
    _admins_only(request)
    files = sorted(_folder().glob("*.eml"), reverse=True)[:100] if _folder().is_dir() else []
    rows = []
    for path in files:
        parsed = message_from_bytes(path.read_bytes(), policy=email_policy.default)
        rows.append(
            {
                "name": path.name,
                "to": parsed["To"],
                "subject": parsed["Subject"],
                "date": parsed["Date"],
            }
        )
    context = {
        **admin.site.each_context(request),
        "title": "Mail sent to files",
        "rows": rows,
        "folder": _folder(),
    }
    return render(request, "staff/sent_mail.html", context)


@require_GET
def sent_mail_file(request: HttpRequest, name: str) -> HttpResponse:
    _admins_only(request)
    if not re.fullmatch(r"[\w-]+\.eml", name) or not (_folder() / name).is_file():
        raise Http404
    raw = (_folder() / name).read_bytes()
    parsed = message_from_bytes(raw, policy=email_policy.default)
    text = parsed.get_body(("plain",))
    kind = KINDS.get(str(parsed[KIND_HEADER] or ""))
    is_secret = kind is not None and kind.is_secret
    context = {
        **admin.site.each_context(request),
        "title": str(parsed["Subject"]),
        "parsed": [(key, value) for key, value in parsed.items()],
        "text": WITHHELD if is_secret else text.get_content() if text else "",
    }
    return render(request, "staff/sent_mail_file.html", context)


def _admins_only(request: HttpRequest) -> None:
    if not access.is_admin(request.user):
        raise PermissionDenied


def _folder() -> Path:
    return Path(getattr(settings, "EMAIL_FILE_PATH", settings.SENT_MAIL_DIR))
