"""Believable sample data, made through the same actions and the same front door as the real
thing."""

import random
from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage

from django.db import transaction
from django.utils import timezone

from helpdesk import actions, setup
from helpdesk.actions import Content
from helpdesk.models import (
    BusinessCalendar,
    Category,
    Comment,
    OutboundMail,
    Person,
    SLAPolicy,
    Team,
    Ticket,
)
from inbound import store
from inbound.default_mailbox import default_mailbox
from inbound.models import InboundMail, Mailbox
from inbound.reading.message import Envelope
from tasks.inbound import process

AGENTS = [("Ada Lindqvist", "ada"), ("Ben Okafor", "ben"), ("Chiara Moretti", "chiara")]
CUSTOMERS = [
    ("Cleo Brandt", "cleo.brandt@nordwind-logistik.example"),
    ("Tomás Herrera", "tomas@herrera-arquitectos.example"),
    ("Mei Tanaka", "mei.tanaka@hoshi-books.example"),
    ("Olivia Grant", "olivia@grantandsons.example"),
    ("Jonas Weber", "jonas.weber@stadtwerke.example"),
    ("Amara Diallo", "amara@diallo-textiles.example"),
    ("", "orders@blue-kiosk.example"),
    ("Henrik Sørensen", "henrik@fjordkaffe.example"),
]
MATTERS = [
    (
        "Invoice 20418 shows the wrong VAT number",
        "Hello,\n\nour invoice 20418 from last week still carries our old VAT number. Could you "
        "send a corrected one? Our accountant closes the month on Friday.\n\nThanks!",
        "I have corrected the number and attached nothing yet: the new invoice goes out within the "
        "hour. Sorry for the trouble.",
    ),
    (
        "Can't sign in after the password reset",
        'I reset my password twice today and the page just says "Something went wrong". I need to '
        "get at the delivery notes before noon.",
        "Your account was locked after the third try. I have unlocked it; please sign in once more "
        "and tell me whether it works.",
    ),
    (
        "Order 88317 arrived with a broken lid",
        "The parcel looked fine from outside, but the lid of the large jar is cracked. I can send "
        "a picture if you need one.",
        "No picture needed. A replacement is on its way and should reach you on Thursday.",
    ),
    (
        "How do I add a second user?",
        "We hired someone who should see the orders but not the invoices. Is that possible?",
        'Yes: under Settings, People, choose the role "Orders only". Tell me if anything looks '
        "different on your side.",
    ),
    (
        "API returns 429 since this morning",
        "Our nightly import ran into 429 after about 2,000 requests. Did the limit change? Nothing "
        "changed on our side.",
        None,
    ),
    (
        "Delivery address for December",
        "Hi, between 12 and 30 December please deliver to our second office, Lindenallee 4. Can "
        "you change that for the standing order?",
        None,
    ),
    (
        "Refund for the cancelled workshop",
        "The workshop on 3 November was cancelled. When can we expect the refund?",
        "The refund left our account yesterday; depending on your bank it takes two to three days.",
    ),
    (
        "Feature wish: export as CSV",
        "We would love to export the monthly report as CSV rather than PDF. Is something like that "
        "planned?",
        None,
    ),
]


@transaction.atomic
def fill(count: int = 40) -> int:
    """Adds `count` tickets with people, teams and conversations; the number of tickets made.

    One transaction, so that a helpdesk that runs meanwhile sees none of the mail before it is
    cancelled.
    """
    last = OutboundMail.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    setup.first_rows()
    mailbox = default_mailbox()
    assert mailbox is not None
    chance = random.Random(7)
    agents = [_agent(name, short, mailbox) for name, short in AGENTS]
    team, _ = Team.objects.get_or_create(name="First line")
    team.members.set(agents)
    _promise()
    made = 0
    for number, raw in enumerate(_mails(count, mailbox, chance)):
        (pk,) = store.accept(raw, Envelope("demo@example.net", (mailbox.address,), "demo"), "demo")
        process(pk)
        row = InboundMail.objects.get(pk=pk)
        if row.ticket_number is None:
            continue
        made += 1
        ticket = Ticket.objects.select_related("requester", "mailbox").get(pk=row.ticket_number)
        _play(ticket, MATTERS[number % len(MATTERS)][2], agents, team, chance)
    # Nobody in the sample data exists: nothing of it is sent.
    OutboundMail.objects.filter(state=OutboundMail.State.QUEUED, pk__gt=last).update(
        state=OutboundMail.State.CANCELLED, reason="sample data"
    )
    return made


def _promise() -> None:
    """Office hours, and what is promised within them."""
    calendar, _ = BusinessCalendar.objects.get_or_create(
        name="Office",
        defaults={"zone": "Europe/Berlin", "weekly": "mon-fri 08:00-18:00", "country": "DE"},
    )
    for position, (name, priority, first, following, solved) in enumerate(
        (("Urgent", Ticket.Priority.URGENT, 30, 60, 480), ("Standard", None, 240, 480, 2400))
    ):
        SLAPolicy.objects.get_or_create(
            name=name,
            defaults={
                "position": position,
                "priority": priority,
                "calendar": calendar,
                "first_response": first,
                "next_response": following,
                "resolution": solved,
            },
        )
    for name in ("Billing", "Delivery", "Account"):
        Category.objects.get_or_create(name=name)


def _agent(name: str, short: str, mailbox: Mailbox) -> Person:
    address = f"{short}@{mailbox.address.rpartition('@')[2]}"
    return Person.objects.filter(email=address).first() or Person.objects.create_user(
        address, name=name, role=Person.Role.AGENT
    )


def _mails(count: int, mailbox: Mailbox, chance: random.Random) -> Iterator[bytes]:
    for number in range(count):
        subject, words, _ = MATTERS[number % len(MATTERS)]
        name, address = CUSTOMERS[(number * 3) % len(CUSTOMERS)]
        mail = EmailMessage()
        mail["From"] = f'"{name}" <{address}>' if name else address
        mail["To"] = mailbox.address
        mail["Subject"] = subject
        mail["Message-ID"] = (
            f"<demo-{number}-{chance.getrandbits(48):x}@{address.rpartition('@')[2]}>"
        )
        mail.set_content(f"{words}\n\n{name}\n")
        yield mail.as_bytes()


def _play(
    ticket: Ticket, answer: str | None, agents: list[Person], team: Team, chance: random.Random
) -> None:
    actions.set_team(ticket, team, actor=None)
    if chance.random() < 0.2:
        actions.set_priority(
            ticket,
            chance.choice([Ticket.Priority.LOW, Ticket.Priority.HIGH, Ticket.Priority.URGENT]),
            actor=agents[0],
        )
    if answer and chance.random() < 0.85:
        agent = chance.choice(agents)
        actions.reply(ticket, Content(text=answer), actor=agent)
        if chance.random() < 0.3:
            actions.customer_comment(
                ticket,
                ticket.requester,
                Content(text="Thank you, that was quick!"),
                via=Comment.Via.EMAIL,
            )
        step = chance.random()
        if step < 0.35:
            actions.set_status(ticket, "resolved", actor=agent)
        elif step < 0.5:
            actions.set_status(ticket, "pending", actor=agent)
    elif chance.random() < 0.4:
        agent = chance.choice(agents)
        actions.assign(ticket, agent, actor=agent)
        actions.note(
            ticket, Content(text="Asked the warehouse, they call back this afternoon."), actor=agent
        )
    # A morning's worth of ages, so that the list does not look as if everything came at once.
    ago = timedelta(minutes=chance.randint(2, 60 * 24 * 9))
    Ticket.objects.filter(pk=ticket.pk).update(
        activity_at=timezone.now() - ago, created_at=timezone.now() - ago * 1.4
    )
