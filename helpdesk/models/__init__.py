from helpdesk.models.comment import Attachment, Comment
from helpdesk.models.event import Event
from helpdesk.models.outbound import BlockedSender, OutboundMail
from helpdesk.models.participant import Participant
from helpdesk.models.person import Person, PersonAddress
from helpdesk.models.team import Team
from helpdesk.models.ticket import MessageRef, Ticket

__all__ = [
    "Attachment",
    "BlockedSender",
    "Comment",
    "Event",
    "MessageRef",
    "OutboundMail",
    "Participant",
    "Person",
    "PersonAddress",
    "Team",
    "Ticket",
]
