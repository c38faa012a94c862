"""Writing on a ticket, an answer or a note; and taking an answer back."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from helpdesk import access, actions, request_data
from helpdesk.actions import Content, File
from helpdesk.files.scanner import ScannerAway
from helpdesk.files.stored import discard
from helpdesk.files.uploads import check, store
from helpdesk.models import Ticket


class ReplyForm(forms.Form):
    body = forms.CharField(max_length=100_000, required=False)
    kind = forms.ChoiceField(choices=[("reply", "Reply"), ("note", "Note")])
    cc = forms.CharField(max_length=2000, required=False)
    bcc = forms.CharField(max_length=2000, required=False)
    then = forms.ChoiceField(
        choices=[("", ""), ("pending", "Pending"), ("resolved", "Resolved")], required=False
    )


@require_POST
def reply(request: HttpRequest, pk: int) -> HttpResponse:
    assert access.is_staff(request.user)
    found, form = access.ticket(request.user, pk), ReplyForm(request.POST)
    if not form.is_valid():
        wrong = (f"{name}: {' '.join(map(str, errors))}" for name, errors in form.errors.items())
        messages.error(request, " ".join(wrong))
        return redirect("admin:ticket", found.pk)
    given = form.cleaned_data
    text, kind = given["body"].replace("\r\n", "\n").strip(), given["kind"]
    try:
        copies = [_addresses(given[name], name) for name in ("cc", "bcc")]
        with _taken(found, request.FILES.getlist("files")) as files:
            cc, bcc = ([actions.person_for(one) for one in written] for written in copies)
            content = Content(text=text, files=files)
            if kind == "note":
                actions.note(found, content, actor=request.user)
            else:
                actions.reply(found, content, actor=request.user, cc=cc, bcc=bcc)
    except (actions.Refused, ScannerAway) as why:
        away = "files: the virus scanner does not answer just now. Try again in a moment."
        messages.error(request, str(why) if isinstance(why, actions.Refused) else away)
        return _keep_draft(request, found, text, kind)
    if kind == "note":
        _say_who_is_not_told(request, found, text)
    elif given["then"]:
        try:
            actions.set_status(found, given["then"], actor=request.user, tell=False)
        except actions.Refused as why:
            messages.error(request, f"The answer is sent. {why}")
    return redirect(reverse("admin:ticket", args=[pk]) + "#end")


@contextmanager
def _taken(ticket: Ticket, uploads: list[Any]) -> Iterator[tuple[File, ...]]:
    """The files, checked and stored; deleted again if the comment is not written after all."""
    check(uploads, "files", any_type=True)
    files = store(ticket.pk, uploads, "staff", any_type=True)
    try:
        yield files
    except actions.Refused:
        discard(file.stored for file in files)
        raise


def _say_who_is_not_told(request: HttpRequest, ticket: Ticket, text: str) -> None:
    for person in actions.mentioned_in(text):
        if not access.may_be_told(person, ticket):
            messages.warning(request, f"{person} may not see this ticket, and is not told.")


@require_POST
def take_back(request: HttpRequest, pk: int) -> HttpResponse:
    """Undo: what was written goes back into the reply box."""
    assert access.is_staff(request.user)
    comment = access.comment(request.user, pk)
    found = comment.ticket
    try:
        had_files = comment.attachments.exists()
        text, bcc = actions.take_back(comment, actor=request.user)
    except actions.Refused as why:
        messages.error(request, str(why))
        return redirect("admin:ticket", found.pk)
    if had_files:
        messages.warning(request, "Taken back. Attach the files again.")
    request.session[f"draft-{found.pk}"] = {"text": text, "kind": "reply", "bcc": ", ".join(bcc)}
    return redirect(reverse("admin:ticket", args=[found.pk]) + "#reply")


def _addresses(written: str, field: str) -> list[str]:
    """Addresses separated by commas, semicolons or blanks. Refused names one that is none."""
    found = []
    for one in re.split(r"[,;\s]+", written.strip()) if written.strip() else []:
        try:
            found.append(request_data.address(one))
        except forms.ValidationError:
            raise actions.Refused(
                f"{field.capitalize()}: {one[:300]} is no e-mail address.", field
            ) from None
    return found


def _keep_draft(request: HttpRequest, ticket: Ticket, text: str, kind: str) -> HttpResponse:
    """What was written is not lost because the ticket could not take it; and a note stays a
    note."""
    copies = {name: request.POST.get(name, "")[:2000] for name in ("cc", "bcc")}
    request.session[f"draft-{ticket.pk}"] = {"text": text, "kind": kind, **copies}
    return redirect(reverse("admin:ticket", args=[ticket.pk]) + "#reply")
