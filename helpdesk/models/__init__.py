from helpdesk.models.api import IdempotencyKey, Registration, TokenFamily, VerifiedAddress
from helpdesk.models.codes import Attempt, Counter, EmailCode, SupportPin
from helpdesk.models.comment import Attachment, Comment
from helpdesk.models.custom import CustomField, Rating, Tag
from helpdesk.models.event import Event
from helpdesk.models.mailing import (
    Alert,
    AlertChannel,
    Identity,
    MailServer,
    MailTemplate,
    Suppression,
)
from helpdesk.models.outbound import BlockedSender, OutboundMail
from helpdesk.models.participant import Participant, Watcher
from helpdesk.models.person import Person, PersonAddress
from helpdesk.models.proof import ProvenDay, TrustedWay
from helpdesk.models.sla import BusinessCalendar, SLAAlert, SLAClock, SLAPolicy, SLAStep
from helpdesk.models.team import Assignment, Category, Team
from helpdesk.models.ticket import MessageRef, Ticket

__all__ = [
    "Alert",
    "AlertChannel",
    "Assignment",
    "Attachment",
    "Attempt",
    "BlockedSender",
    "BusinessCalendar",
    "Category",
    "Comment",
    "Counter",
    "CustomField",
    "EmailCode",
    "Event",
    "IdempotencyKey",
    "Identity",
    "MailServer",
    "MailTemplate",
    "MessageRef",
    "OutboundMail",
    "Participant",
    "Person",
    "PersonAddress",
    "ProvenDay",
    "Rating",
    "Registration",
    "SLAAlert",
    "SLAClock",
    "SLAPolicy",
    "SLAStep",
    "SupportPin",
    "Suppression",
    "Tag",
    "Team",
    "Ticket",
    "TokenFamily",
    "TrustedWay",
    "VerifiedAddress",
    "Watcher",
]
