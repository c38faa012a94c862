"""What people hand in without mail, by the API and the portal: tickets, guests' tickets, and words
on a ticket."""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from helpdesk import actions, changes, people, throttle
from helpdesk.actions import Content, Refused
from helpdesk.files import uploads
from helpdesk.models import Comment, Person, Ticket
from helpdesk.models.person import STAFF_ROLES
from helpdesk.request_data import can_be_said
from inbound.default_mailbox import default_mailbox
from inbound.models import Mailbox
from inbound.reading.sender import is_ours

HOUR = timedelta(hours=1)


def open_for(
    requester: Person,
    actor: Person,
    given: dict[str, Any],
    files: list[Any],
    *,
    via: str,
    priority: int = 2,
    guest_name: str | None = None,
) -> Ticket:
    """What the API and the portal do to open a ticket, for somebody signed in or for a guest of
    that name. Refused names the field that is wrong."""
    for_customer = guest_name is not None or not actor.is_staff
    custom = actions.read_custom(
        as_object(given.get("custom_fields")), for_customer=for_customer, complete=for_customer
    )
    uploads.check(files)
    mailbox = default_mailbox()
    if mailbox is None:
        raise Refused("There is no mailbox to answer from.")
    with transaction.atomic():
        number = changes.reserve(Ticket, 1)[0] if files else None
        stored = uploads.store(number, files, via) if number else ()
        ticket, _ = actions.open_ticket(
            actions.NewTicket(
                requester=requester,
                mailbox=mailbox,
                subject=" ".join(given["title"].split()),
                content=Content(
                    text=given["description"].replace("\r\n", "\n").strip(), files=stored
                ),
                via=via,
                actor=actor,
                priority=priority,
                category=given.get("category"),
                number=number,
                guest_name=guest_name,
            )
        )
        if custom := {name: value for name, value in custom.items() if value is not None}:
            actions.set_custom(ticket, custom, actor=actor)
    return ticket


def throttle_guest(address: str, *, client: str) -> None:
    """Call it outside the transaction that opens the ticket. Raises Throttled."""
    throttle.take(f"guest-from {throttle.client_key(client)}", 20, HOUR)
    if address:
        throttle.take(f"guest-for {address.strip().lower()}", 10, HOUR)


def guest_ticket(
    given: dict[str, Any], files: list[Any], *, via: str, language: str = ""
) -> Ticket:
    """What somebody unknown wrote. An existing person is not changed by it, and the answer is the
    same for one who exists and one who doesn't. Refused for an address of ours: nobody is to read
    our name above a stranger's words."""
    address = people.plain(given["email"])
    owner = people.find(address)
    ours = frozenset(Mailbox.objects.order_by().values_list("address", flat=True))
    if is_ours(address, ours) or (owner is not None and owner.role in STAFF_ROLES):
        raise Refused(_("This address can't be used here. Sign in instead."), "email")
    # No name: mail to whoever reads that address would greet them with it.
    requester = owner or actions.person_for(address, language=language)
    text = given["description"].strip()
    title = given.get("title", "").strip() or text.partition("\n")[0][:100]
    return open_for(
        requester,
        requester,
        {**given, "title": title},
        files,
        via=via,
        priority=given.get("priority", 2),
        guest_name=given["name"].strip(),
    )


def say(
    ticket: Ticket, me: Any, text: str, files: list[Any], *, visibility: str, via: str
) -> Comment:
    """What the API and the portal do to write on a ticket."""
    text = text.replace("\r\n", "\n").strip()
    if not text and not files:
        raise Refused("Write something first.", "body")
    if visibility == Comment.Visibility.INTERNAL and not me.is_staff:
        raise refused_to("Only staff write internal notes.", "visibility")
    uploads.check(files)
    content = Content(text=text, files=uploads.store(ticket.pk, files, via) if files else ())
    if visibility == Comment.Visibility.INTERNAL:
        return actions.note(ticket, content, actor=me, via=via)
    if me.is_staff:
        return actions.reply(ticket, content, actor=me, via=via)
    return actions.customer_comment(ticket, me, content, via=via)


def refused_to(message: str, field: str = "") -> Refused:
    """403: that is not theirs to do. What they may not see is 404 before it comes to that."""
    return Refused(message, field, is_permission=True)


def as_object(value: Any) -> dict[str, Any]:
    """Custom fields: an object; in a multipart request, one written as JSON."""
    if value in (None, ""):
        return {}
    if not isinstance(value, dict) or not can_be_said(value):
        raise Refused("must be an object", "custom_fields")
    return value
