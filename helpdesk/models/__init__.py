from helpdesk.models.codes import Attempt, EmailCode, SupportPin
from helpdesk.models.comment import Attachment, Comment
from helpdesk.models.event import Event
from helpdesk.models.mailing import Alert, AlertChannel, Identity, MailTemplate, Route, Suppression
from helpdesk.models.outbound import BlockedSender, OutboundMail
from helpdesk.models.participant import Participant, Watcher
from helpdesk.models.person import Person, PersonAddress
from helpdesk.models.team import Team
from helpdesk.models.ticket import MessageRef, Ticket

__all__ = [
    "Alert",
    "AlertChannel",
    "Attachment",
    "Attempt",
    "BlockedSender",
    "Comment",
    "EmailCode",
    "Event",
    "Identity",
    "MailTemplate",
    "MessageRef",
    "OutboundMail",
    "Participant",
    "Person",
    "PersonAddress",
    "Route",
    "SupportPin",
    "Suppression",
    "Team",
    "Ticket",
    "Watcher",
]
