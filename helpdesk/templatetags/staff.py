"""How the staff pages show things."""

from datetime import datetime

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from helpdesk.models import Attachment, Comment, OutboundMail, Participant, Person, Ticket

register = template.Library()

_RISKY = (
    "exe",
    "com",
    "bat",
    "cmd",
    "scr",
    "pif",
    "msi",
    "msp",
    "js",
    "jse",
    "vbs",
    "vbe",
    "wsf",
    "wsh",
    "ps1",
    "jar",
    "hta",
    "cpl",
    "lnk",
    "reg",
    "iso",
    "img",
    "vhd",
    "docm",
    "xlsm",
    "pptm",
    "dll",
    "sh",
    "app",
    "apk",
)


@register.filter
def status_badge(ticket: Ticket) -> SafeString:
    kind = "spam" if ticket.is_spam else ticket.status
    return format_html(
        '<span class="hd-badge hd-{}">{}</span>',
        kind,
        "Spam" if ticket.is_spam else ticket.get_status_display(),
    )


@register.filter
def priority_badge(ticket: Ticket) -> SafeString:
    label = ticket.get_priority_display()
    return format_html('<span class="hd-badge hd-priority-{}">{}</span>', label.lower(), label)


@register.filter
def age(at: datetime) -> str:
    """How long ago, short: 5 min, 3 h, 2 d, then the date."""
    seconds = max(0, int((timezone.now() - at).total_seconds()))
    for size, unit in ((60, "s"), (3600, "min"), (86400, "h"), (86400 * 14, "d")):
        if seconds < size:
            per = {"s": 1, "min": 60, "h": 3600, "d": 86400}[unit]
            return "now" if unit == "s" else f"{seconds // per} {unit}"
    return timezone.localtime(at).strftime("%-d %b %Y")


@register.filter
def due_in(at: datetime) -> str:
    """How long until then: in 20 min, in 5 h, in 3 d; what is over, as "late"."""
    minutes = int((at - timezone.now()).total_seconds() // 60)
    if minutes < 0:
        return "late"
    return (
        f"in {minutes} min"
        if minutes < 90
        else f"in {minutes // 60} h"
        if minutes < 2880
        else f"in {minutes // 1440} d"
    )


@register.filter
def due_class(at: datetime) -> str:
    seconds = (at - timezone.now()).total_seconds()
    return "late" if seconds < 0 else "soon" if seconds < 3600 else "running"


@register.filter
def is_risky(item: Attachment) -> bool:
    """A file that runs when it is opened."""
    return item.name.rpartition(".")[2].lower() in _RISKY


@register.filter
def initials(name: object) -> str:
    words = [
        word for word in str(name).replace("@", " ").replace(".", " ").split() if word[0].isalnum()
    ]
    return "".join(word[0] for word in words[:2]).upper() or "?"


@register.filter
def delivery(comment: Comment) -> list[OutboundMail]:
    """The mails that carried a comment to customers (prefetched)."""
    return [mail for mail in comment.outbound.all() if mail.kind in {"reply", "acknowledgement"}]


@register.filter
def delivery_state(mail: OutboundMail) -> str:
    """In one word what became of a mail: waiting, delayed, sent, bounced, failed, not sent,
    cancelled."""
    if mail.state == OutboundMail.State.QUEUED:
        return "delayed" if mail.is_delayed else "waiting"
    return str(mail.get_state_display()).lower()


@register.filter
def undo_seconds(comment: Comment) -> int:
    """How long an answer can still be taken back: none of its mails has been touched."""
    mails = [mail for mail in comment.outbound.all() if mail.kind == "reply"]
    queued = [mail for mail in mails if mail.state == OutboundMail.State.QUEUED]
    if not queued or any(mail.attempts for mail in mails):
        return 0
    return max(
        0, int((min(mail.next_attempt_at for mail in queued) - timezone.now()).total_seconds())
    )


@register.filter
def is_among(person: Person, participants: list[Participant]) -> bool:
    return any(row.person_id == person.pk for row in participants)


@register.filter
def is_ours(comment: Comment) -> bool:
    """Its HTML is made from an agent's Markdown, so it needs no frame of its own."""
    return bool(comment.html) and comment.mail_id is None and "cid:" not in comment.html


@register.filter
def files(comment: Comment) -> list[Attachment]:
    """What is listed below a comment: not the pictures that the HTML shows in their place."""
    shown = (comment.html + comment.quoted_html).lower()
    return [
        a
        for a in comment.attachments.all()
        if a.is_kept_out
        or a.is_unscanned
        or not (a.is_inline and f"cid:{a.content_id.lower()}" in shown)
    ]


@register.filter
def has_remote_images(html: str) -> bool:
    return 'src="http' in html
