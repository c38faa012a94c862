"""A received mail's page (why it landed where it did, its source), its files, and the mail sent to files."""

import re
from email import message_from_bytes
from email import policy as email_policy
from pathlib import Path

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from helpdesk import access, ledger
from helpdesk.downloads import NotGivenOut, download
from helpdesk.given import whole
from helpdesk.kinds import KINDS
from helpdesk.staff import look
from inbound import readers, store
from inbound.addresses import KIND_HEADER
from inbound.models import InboundMail
from inbound.reading.message import Envelope

SHOWN_SOURCE = 500_000
SHOWN_WORDS = 20_000
WITHHELD = "Withheld: this mail holds a code or a link that signs in."


@require_GET
def inbound_mail(request: HttpRequest, pk: int) -> HttpResponse:
    mail = _mail(request, pk)
    raw = mail.raw.content if mail.raw and not _is_new(mail) else b""
    context = {
        **admin.site.each_context(request),
        "title": f"Mail {mail.pk}",
        "mail": mail,
        "why": look.why(mail) if mail.state in {"quarantined", "failed"} else "",
        "words": _words(mail, raw),
        "hops": readers.hops(raw),
        "source": raw[:SHOWN_SOURCE].decode("utf-8", "replace"),
        "is_cut": len(raw) > SHOWN_SOURCE,
        "has_raw": bool(raw),
        "is_new": _is_new(mail),
        "is_fullwidth": "1",
    }
    return render(request, "staff/mail.html", context)


def _words(mail: InboundMail, raw: bytes) -> str:
    """What the mail says, to whoever is to decide about it; "" where it is in a ticket, or cannot be read."""
    if mail.state not in {InboundMail.State.QUARANTINED, InboundMail.State.FAILED}:
        return ""
    envelope = Envelope(mail.mail_from, tuple(map(str, mail.rcpt_to)))
    try:
        reading = readers.read(raw, envelope, ())
    except (readers.Unreadable, OSError):
        return ""
    return "\n\n".join(filter(None, (reading.text, reading.quoted_text)))[:SHOWN_WORDS]


@require_GET
def source(request: HttpRequest, pk: int) -> HttpResponse:
    """The bytes, exactly as received but for what `inbound.returned` took out."""
    mail = _mail(request, pk)
    if mail.raw is None or _is_new(mail):
        raise Http404
    response = HttpResponse(mail.raw.content, content_type="application/octet-stream")
    response["Content-Disposition"] = f'attachment; filename="mail-{mail.pk}.eml"'
    return response


@require_POST
def again(request: HttpRequest, pk: int) -> HttpResponse:
    """Makes a ticket of a mail that waits to be looked at, dismisses it, or runs a failed one again."""
    mail = _mail(request, pk)
    deed = request.POST.get("do", "")
    if deed == "dismiss":
        done = store.dismiss(InboundMail.objects.filter(pk=pk), by=str(request.user))
        words = "It is dismissed."
    else:
        done = store.requeue([mail], force=deed == "ticket" or mail.state == InboundMail.State.QUARANTINED)
        words = "It is being processed again."
    if done:
        messages.success(request, words)
    else:
        messages.warning(request, "There is nothing to do: this mail is done.")
    return redirect("admin:inbound_mail", pk)


@require_GET
def attachment(request: HttpRequest, pk: int) -> HttpResponse | FileResponse:
    found = access.attachment(request.user, pk)
    try:
        return download(found, unscanned="unscanned" in request.GET)
    except NotGivenOut as why:
        context = {**admin.site.each_context(request), "title": found.name, "item": found, "why": str(why)}
        return render(request, "staff/file.html", context, status=403)


@require_GET
def sent_mail(request: HttpRequest) -> HttpResponse:
    """What the file backend wrote, the newest first."""
    _admins_only(request)
    files = sorted(_folder().glob("*.eml"), reverse=True)[:100] if _folder().is_dir() else []
    rows = []
    for path in files:
        parsed = message_from_bytes(path.read_bytes(), policy=email_policy.default)
        rows.append({"name": path.name, "to": parsed["To"], "subject": parsed["Subject"], "date": parsed["Date"]})
    context = {**admin.site.each_context(request), "title": "Mail sent to files", "rows": rows, "folder": _folder()}
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


def _is_new(mail: InboundMail) -> bool:
    """What came and was not processed yet may hold a link of ours that still works."""
    return mail.state == InboundMail.State.RECEIVED


def _mail(request: HttpRequest, pk: int) -> InboundMail:
    if not access.is_staff(request.user):
        raise Http404
    return get_object_or_404(access.mails(request.user).select_related("mailbox", "raw"), pk=pk)


def _admins_only(request: HttpRequest) -> None:
    if not access.is_admin(request.user):
        raise PermissionDenied


def _folder() -> Path:
    return Path(getattr(settings, "EMAIL_FILE_PATH", settings.SENT_MAIL_DIR))


@require_GET
def ledger_page(request: HttpRequest) -> HttpResponse:
    """What arrived, by mailbox and day, and where it ended."""
    assert access.is_staff(request.user)
    days = min(whole(request.GET.get("days", "")) or 14, 366)
    rows = ledger.lines(days, among=access.mails(request.user))
    total = ledger.totals(rows)
    context = {
        **admin.site.each_context(request), "title": "Ledger", "rows": rows, "columns": ledger.COLUMNS, "days": days,
        "total": [total[name] for name in ledger.COLUMNS], "arrived": sum(total.values()), "is_fullwidth": "1",
    }  # fmt: skip
    return render(request, "staff/ledger.html", context)
