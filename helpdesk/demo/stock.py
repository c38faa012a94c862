"""The tables of a helpdesk that is to be filled, and whom and what their rows name."""

import random
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.utils import timezone

from helpdesk import setup
from helpdesk.demo.bulk import Table
from helpdesk.demo.words import Language, languages
from helpdesk.models import (
    Category,
    Comment,
    Event,
    MessageRef,
    OutboundMail,
    Participant,
    Person,
    Tag,
    Team,
    Ticket,
)
from inbound.models import InboundMail, Mailbox

TICKETS_EACH = 5  # of one customer, on average


class Told(NamedTuple):
    """What the rows of one ticket's conversation have in common."""

    pk: int
    mailbox: int
    person: int
    address: str
    name: str
    agent: int
    at: tuple[datetime, datetime, datetime]
    subject: str
    language: Language


class Years:
    """The tables, and whom and what their rows name."""

    def __init__(self, count: int) -> None:
        setup.first_rows()
        self.count = count
        self.chance = random.Random(7)
        self.now = timezone.now().astimezone(UTC)
        self.languages = languages(self.chance)
        mailbox = Mailbox.objects.order_by("pk")[0]
        self.mailboxes = [
            mailbox.pk,
            *(_made(Mailbox, address=f"{name}@example.com") for name in ("sales", "billing")),
        ]
        self.teams = [_made(Team, name=name) for name in ("First line", "Sales", "Billing", "IT")]
        self.categories = [
            _made(Category, name=name) for name in ("Billing", "Delivery", "Account", "Other")
        ]
        self.tags = [_made(Tag, name=name) for name in ("vip", "refund", "bug", "wish", "printer")]
        self.agents = _agents(self.teams)
        self.first_person = 1 + max(Person.objects.values_list("pk", flat=True))
        self._tables(mailbox)

    def _tables(self, mailbox: Mailbox) -> None:
        self.people = Table(Person(password="!"), "id email name created_at")
        self.tickets = Table(
            Ticket(version=3),
            "id subject requester_id mailbox_id team_id category_id assignee_id status priority"
            " created_at activity_at is_spam is_breached closed_at customer_waits_since"
            " first_responded_at",
        )
        self.mails = Table(
            InboundMail(
                transport="smtp", rcpt_to=[mailbox.address], size=4000, state="done", attempts=1
            ),
            "id mailbox_id received_at mail_from sha256 body_sha256 message_id from_address"
            " subject reason ticket_number finished_at next_attempt_at",
        )
        self.comments = Table(
            Comment(),
            "id ticket_id author_id mail_id via visibility held_reason text created_at",
        )
        self.participants = Table(
            Participant(role="requester", source="requester"), "ticket_id person_id created_at"
        )
        self.events = Table(Event(), "ticket_id actor_id kind created_at")
        self.sent = Table(
            OutboundMail(
                mailbox=mailbox,
                subject="Re: your mail",
                text="We have it.",
                state="sent",
                attempts=1,
                is_automatic=True,
            ),
            "kind ticket_id comment_id person_id to_address message_id created_at"
            " next_attempt_at due_at sent_at",
        )
        self.refs = Table(MessageRef(), "ticket_id message_id kind")
        self.tagged = Table(Tag.tickets.through(), "tag_id ticket_id")

    @property
    def all(self) -> list[Table]:
        return [table for table in vars(self).values() if isinstance(table, Table)]


def _made(model: Any, **fields: str) -> int:
    return int(model.objects.get_or_create(**fields)[0].pk)


def _agents(teams: list[int]) -> list[int]:
    """Twenty; each is in one or two teams."""
    made = []
    for number in range(20):
        person, _ = Person.objects.get_or_create(
            email=f"agent{number}@example.com",
            defaults={"name": f"Agent {number}", "role": Person.Role.AGENT, "password": "!"},
        )
        person.teams.set({teams[number % len(teams)], teams[number // 5]})
        made.append(person.pk)
    return made
