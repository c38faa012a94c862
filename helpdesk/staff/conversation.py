"""The ticket as a conversation, and everything an agent does on it."""

import re
import secrets
from collections.abc import Callable
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from helpdesk import access, actions, frames, given
from helpdesk.actions import Content, File, pins, suppression
from helpdesk.files import discard
from helpdesk.given import whole
from helpdesk.history import lines
from helpdesk.models import Category, Comment, Participant, Person, Team, Ticket
from helpdesk.people import can_be_written_to
from helpdesk.scanner import ScannerAway
from helpdesk.sla import explain
from helpdesk.staff import queues
from helpdesk.uploads import scan
from inbound.reading.parse import safe_name

SHOWN_COMMENTS = 100
MAX_UPLOAD = 20 * 10**6


@require_GET
def ticket(request: HttpRequest, pk: int) -> HttpResponse:
    assert access.is_staff(request.user)
    found = access.ticket(request.user, pk)
    newest = access.comments(request.user, found).reverse()
    everything = "all" in request.GET
    comments = list(newest if everything else newest[: SHOWN_COMMENTS + 1])
    hidden = not everything and len(comments) > SHOWN_COMMENTS
    comments = list(reversed(comments[:SHOWN_COMMENTS] if hidden else comments))
    held = [c for c in comments if c.visibility == Comment.Visibility.HELD]
    context = {
        **admin.site.each_context(request),
        "title": f"#{found.pk}",
        "ticket": found,
        "comments": [c for c in comments if c.visibility != Comment.Visibility.HELD],
        "held": [c for c in held if not c.rejected_at],
        "rejected": [c for c in held if c.rejected_at],
        "asking": access.comments(request.user, found).exclude(asks_to_add=[]).first(),
        "hidden": hidden,
        "history": lines(found),
        "sla": explain.lines(found),
        "assignments": list(found.assignments.select_related("team", "person").order_by("-id")[:20]),
        "participants": list(found.participants.select_related("person").order_by("id")),
        "followed_by": list(access.tickets(request.user).filter(follows=found).order_by("pk")[:10]),
        "choices": queues.choices(request.user, found),
        "statuses": _reachable(found),
        "is_fullwidth": "1",
        "draft": request.session.pop(f"draft-{pk}", {}),
        "suppressed": access.suppressed(found),
        "is_watching": found.watchers.filter(person=request.user).exists(),
        "watchers": [row.person for row in found.watchers.select_related("person").order_by("id")],
        "link_days": settings.TICKET_LINK_DAYS,
        "pin": request.session.pop(f"pin-{pk}", ""),
        "can_enter": pins.may_have_pin(found.requester),
        "has_address": can_be_written_to(found.requester),
    }
    return render(request, "staff/ticket.html", context)


class ReplyForm(forms.Form):
    body = forms.CharField(max_length=100_000, required=False)
    kind = forms.ChoiceField(choices=[("reply", "Reply"), ("note", "Note")])
    cc = forms.CharField(max_length=2000, required=False)
    bcc = forms.CharField(max_length=2000, required=False)
    then = forms.ChoiceField(choices=[("", ""), ("pending", "Pending"), ("resolved", "Resolved")], required=False)


@require_POST
def reply(request: HttpRequest, pk: int) -> HttpResponse:
    assert access.is_staff(request.user)
    found = access.ticket(request.user, pk)
    form = ReplyForm(request.POST)
    uploads = request.FILES.getlist("files")
    if not form.is_valid():
        messages.error(
            request, " ".join(f"{name}: {' '.join(map(str, errors))}" for name, errors in form.errors.items())
        )
        return _back(found)
    if sum(upload.size or 0 for upload in uploads) > MAX_UPLOAD:
        messages.error(request, f"files: together they must not be larger than {MAX_UPLOAD // 10**6} MB.")
        return _keep_draft(request, found, form.cleaned_data["body"], form.cleaned_data["kind"])
    try:
        cc, bcc = (_people(form.cleaned_data[name], name) for name in ("cc", "bcc"))
    except actions.Refused as why:
        messages.error(request, str(why))
        return _keep_draft(request, found, form.cleaned_data["body"], form.cleaned_data["kind"])
    text, kind = form.cleaned_data["body"].replace("\r\n", "\n").strip(), form.cleaned_data["kind"]
    try:
        for upload in uploads:
            scan(upload, "files")
    except (actions.Refused, ScannerAway) as why:
        away = "files: the virus scanner does not answer just now. Try again in a moment."
        messages.error(request, str(why) if isinstance(why, actions.Refused) else away)
        return _keep_draft(request, found, text, kind)
    files = tuple(_store(found, upload) for upload in uploads)
    try:
        if kind == "note":
            actions.note(found, Content(text=text, files=files), actor=request.user)
            for person in actions.mentioned_in(text):
                if not access.may_be_told(person, found):
                    messages.warning(request, f"{person} may not see this ticket, and is not told.")
        else:
            actions.reply(found, Content(text=text, files=files), actor=request.user, cc=cc, bcc=bcc)
    except actions.Refused as why:
        discard(file.stored for file in files)
        messages.error(request, str(why))
        return _keep_draft(request, found, text, kind)
    if kind == "reply" and form.cleaned_data["then"]:
        try:
            actions.set_status(found, form.cleaned_data["then"], actor=request.user, tell=False)
        except actions.Refused as why:
            messages.error(request, f"The answer is sent. {why}")
    return redirect(reverse("admin:ticket", args=[pk]) + "#end")


@require_POST
def change(request: HttpRequest, pk: int) -> HttpResponse:
    """Status, priority, assignee or team: whichever the form carries. `version` guards against surprises."""
    assert access.is_staff(request.user)
    me, found, post = request.user, access.ticket(request.user, pk), request.POST
    version = whole(post.get("version", ""))
    changes: list[Callable[[int | None], Any]] = []
    if "assignee" in post:
        chosen = me.pk if post["assignee"] == "me" else whole(post["assignee"])
        agent = access.staff().filter(pk=chosen).first() if chosen is not None else None
        if chosen is not None and agent is None and chosen != found.assignee_id:
            messages.error(request, "There is no such agent.")
        elif chosen != found.assignee_id:
            changes.append(lambda seen: actions.assign(found, agent, actor=me, version=seen))
    priority = whole(post.get("priority", ""))
    if priority is not None and priority != found.priority:
        changes.append(lambda seen: actions.set_priority(found, priority, actor=me, version=seen))
    if "team" in post:
        team = Team.objects.filter(pk=whole(post["team"]) or 0).first()
        changes.append(lambda seen: actions.set_team(found, team, actor=me, version=seen))
    if "category" in post:
        category = Category.objects.filter(pk=whole(post["category"]) or 0).first()
        changes.append(lambda seen: actions.set_category(found, category, actor=me, version=seen))
    if post.get("status") and post["status"] != found.status:
        changes.append(lambda seen: actions.set_status(found, post["status"], actor=me, version=seen))
    for apply in changes:
        try:
            apply(version)
        except actions.Refused as why:
            messages.error(request, str(why))
        except actions.Conflict:
            messages.error(
                request, "Someone else changed this ticket while you had it open. Look again, then change it."
            )
            break
        # Each change brings `found` up to date: the next one follows on it.
        version = found.version if version is not None else None
    if not access.tickets(me).contains(found):
        messages.success(request, f"#{pk} is changed, and not yours to see any more.")
        return redirect("admin:tickets")
    return _back(found)


@require_POST
def change_people(request: HttpRequest, pk: int) -> HttpResponse:
    assert access.is_staff(request.user)
    found = access.ticket(request.user, pk)
    if written := request.POST.get("add", "").strip():
        try:
            person = actions.person_for(given.address(written))
        except forms.ValidationError:
            messages.error(request, f"{written[:300]} is no e-mail address.")
            return _back(found)
        if person.is_staff:
            messages.error(request, f"{person} is an agent and sees the ticket anyway.")
        else:
            actions.add_participant(found, person, Participant.Role.CC, source="agent", actor=request.user)
    elif (removed := whole(request.POST.get("remove", ""))) is not None:
        person_row = Person.objects.filter(pk=removed).first()
        if person_row:
            actions.remove_participant(found, person_row, actor=request.user)
    return _back(found)


@require_POST
def asked(request: HttpRequest, pk: int) -> HttpResponse:
    """Whether the many people of a first mail's To and Cc take part."""
    assert access.is_staff(request.user)
    found = access.ticket(request.user, pk)
    comment = access.comments(request.user, found).exclude(asks_to_add=[]).first()
    if comment is not None:
        actions.let_take_part(comment, actor=request.user, yes="yes" in request.POST)
    return _back(found)


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
        return _back(found)
    if had_files:
        messages.warning(request, "Taken back. Attach the files again.")
    request.session[f"draft-{found.pk}"] = {"text": text, "kind": "reply", "bcc": ", ".join(bcc)}
    return redirect(reverse("admin:ticket", args=[found.pk]) + "#reply")


@require_POST
def watch(request: HttpRequest, pk: int) -> HttpResponse:
    assert access.is_staff(request.user)
    found = access.ticket(request.user, pk)
    if "stop" in request.POST:
        actions.unwatch(found, request.user)
    else:
        actions.watch(found, request.user)
    return _back(found)


@require_POST
def lift(request: HttpRequest, pk: int) -> HttpResponse:
    """Lets mail go to a participant's address again that was taken off for bouncing."""
    assert access.is_staff(request.user)
    found = access.ticket(request.user, pk)
    address = request.POST.get("address", "")
    if address in {row.address for row in access.suppressed(found)}:
        sent = suppression.lift(address, actor=request.user)
        messages.success(
            request, f"Mail goes to {address} again." + (f" {sent} kept-back answers go out." if sent else "")
        )
    return _back(found)


@require_POST
def end_links(request: HttpRequest, pk: int) -> HttpResponse:
    """The links in mail to the participants open the ticket no more."""
    assert access.is_staff(request.user)
    found = access.ticket(request.user, pk)
    actions.end_links(found, actor=request.user)
    messages.success(request, "The links in mail that has gone out for this ticket open it no more.")
    return _back(found)


@require_POST
def pin(request: HttpRequest, pk: int) -> HttpResponse:
    """A support PIN for the requester; the next page shows it, once."""
    assert access.is_staff(request.user)
    found = access.ticket(request.user, pk)
    try:
        request.session[f"pin-{pk}"] = pins.issue_pin(found.requester, actor=request.user, ticket=found)
    except actions.Refused as why:
        messages.error(request, str(why))
    return _back(found)


@require_POST
def spam(request: HttpRequest, pk: int) -> HttpResponse:
    assert access.is_staff(request.user)
    found = access.ticket(request.user, pk)
    try:
        if "not" in request.POST:
            actions.not_spam(found, actor=request.user)
        else:
            actions.mark_spam(found, actor=request.user)
            messages.success(request, f"#{found.pk} is closed as spam, and {found.requester.email} is blocked.")
            return redirect("admin:tickets")
    except actions.Refused as why:
        messages.error(request, str(why))
    return _back(found)


@require_POST
def decide(request: HttpRequest, pk: int) -> HttpResponse:
    """Held mail: admit once, admit as participant, detach, reject. Any other mail: detach."""
    assert access.is_staff(request.user)
    comment = access.comment(request.user, pk)
    found, decision = comment.ticket, request.POST.get("decision", "")
    try:
        if decision in {"admit", "admit-participant"}:
            actions.admit(comment, actor=request.user, as_participant=decision == "admit-participant")
        elif decision.startswith("trust-"):
            if comment.visibility == Comment.Visibility.HELD:
                actions.admit(comment, actor=request.user, as_participant=False, trusting=decision[6:])
            else:
                actions.trust(comment, decision[6:], actor=request.user)
            messages.success(request, f"Mail from {comment.author} that is {decision[6:]} is let in from now on.")
        elif decision.startswith("also-"):
            person = access.participant(found, whole(decision[5:]) or 0)
            if person is not None:
                address = request.POST.get("address", "")
                actions.admit_as(comment, person, address=address, actor=request.user)
                messages.success(request, f"{address} is {person} from now on.")
        elif decision == "reject":
            actions.reject(comment, actor=request.user)
        elif decision == "detach":
            new = actions.detach(comment, actor=request.user)
            messages.success(request, f"This mail is ticket #{new.pk} now.")
            return _back(new)
    except actions.Refused as why:
        messages.error(request, str(why))
    return _back(found)


@require_GET
def comment_html(request: HttpRequest, pk: int) -> HttpResponse:
    """A comment's HTML, or with ?quoted the history below it, for a frame; pictures from elsewhere with ?images."""
    comment = access.comment(request.user, pk)
    html = comment.quoted_html if "quoted" in request.GET else comment.html
    return frames.comment_page(request, comment, html, remote_images="images" in request.GET, tells_height=True)


def _reachable(ticket: Ticket) -> list[tuple[str, str]]:
    """The statuses that the ticket can be moved to, with the one it has."""
    from helpdesk.actions.moving import MOVES

    labels = dict(Ticket.Status.choices)
    reopened = Ticket.Status.ASSIGNED if ticket.assignee_id else Ticket.Status.OPEN
    can = MOVES[ticket.status] - {Ticket.Status.OPEN, Ticket.Status.ASSIGNED}
    if ticket.status not in (Ticket.Status.OPEN, Ticket.Status.ASSIGNED):
        can = can | {reopened}
    return [(value, str(labels[value])) for value in Ticket.Status.values if value in can or value == ticket.status]


def _people(written: str, field: str) -> list[Person]:
    """The people behind addresses separated by commas, semicolons or blanks."""
    found = []
    for one in re.split(r"[,;\s]+", written.strip()) if written.strip() else []:
        try:
            found.append(actions.person_for(given.address(one)))
        except forms.ValidationError:
            raise actions.Refused(f"{field.capitalize()}: {one[:300]} is no e-mail address.", field) from None
    return found


def _store(ticket: Ticket, upload: "UploadedFile[Any]") -> File:
    name = safe_name(upload.name or "", upload.content_type or "", 0)
    extension = re.sub(r"[^A-Za-z0-9]", "", name.rpartition(".")[2])[:10] if "." in name else ""
    path = f"tickets/{ticket.pk}/staff-{secrets.token_hex(8)}{'.' + extension if extension else ''}"
    stored = default_storage.save(path, upload)
    kind = upload.content_type if re.fullmatch(r"[\w.+-]+/[\w.+-]+", upload.content_type or "") else ""
    return File(stored, name, (kind or "application/octet-stream")[:100], upload.size or 0, is_scanned=True)


def _keep_draft(request: HttpRequest, ticket: Ticket, text: str, kind: str) -> HttpResponse:
    """What was written is not lost because the ticket could not take it; and a note stays a note."""
    copies = {name: request.POST.get(name, "")[:2000] for name in ("cc", "bcc")}
    request.session[f"draft-{ticket.pk}"] = {"text": text, "kind": kind, **copies}
    return redirect(reverse("admin:ticket", args=[ticket.pk]) + "#reply")


def _back(ticket: Ticket) -> HttpResponse:
    return redirect("admin:ticket", ticket.pk)
