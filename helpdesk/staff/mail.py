"""A received mail's page: why it landed where it did, what it says, its source."""

from django.contrib import admin, messages
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from helpdesk import access
from helpdesk.files.downloads import NotGivenOut, download
from helpdesk.staff import look
from inbound import queue, readers
from inbound.models import InboundMail
from inbound.reading.message import Envelope

SHOWN_SOURCE = 500_000


SHOWN_WORDS = 20_000


@require_GET
def inbound_mail(request: HttpRequest, pk: int) -> HttpResponse:
    mail = _mail(request, pk)
    raw = mail.raw.content if mail.raw and not _is_new(mail) else b""
    context = {
        **admin.site.each_context(request),
        "title": f"Mail {mail.pk}",
        "mail": mail,
        "why": look.why(mail),
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
    """What the mail says, to whoever is to decide about it; "" where it is in a ticket, or cannot
    be read."""
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
    """Makes a ticket of a mail that waits to be looked at, dismisses it, or runs a failed one
    again."""
    mail = _mail(request, pk)
    deed = request.POST.get("do", "")
    if deed == "dismiss":
        done = queue.dismiss(InboundMail.objects.filter(pk=pk), by=str(request.user))
        words = "It is dismissed."
    else:
        done = queue.requeue(
            [mail], force=deed == "ticket" or mail.state == InboundMail.State.QUARANTINED
        )
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
        context = {
            **admin.site.each_context(request),
            "title": found.name,
            "item": found,
            "why": str(why),
        }
        return render(request, "staff/file.html", context, status=403)


def _is_new(mail: InboundMail) -> bool:
    """What came and was not processed yet may hold a link of ours that still works."""
    return mail.state == InboundMail.State.RECEIVED


def _mail(request: HttpRequest, pk: int) -> InboundMail:
    if not access.is_staff(request.user):
        raise Http404
    return get_object_or_404(access.mails(request.user).select_related("mailbox", "raw"), pk=pk)
