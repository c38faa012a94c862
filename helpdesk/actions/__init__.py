"""The only way to write: each action is row, event and notification in one transaction, with its `actor`."""

from helpdesk.actions.assigning import assign
from helpdesk.actions.commenting import customer_comment, hold, note, reply, take_back
from helpdesk.actions.common import Conflict, Refused, changing, record
from helpdesk.actions.content import Content, File
from helpdesk.actions.holding import admit, detach, mark_spam, not_spam, reject
from helpdesk.actions.moving import set_category, set_priority, set_status, set_team
from helpdesk.actions.opening import open_ticket
from helpdesk.actions.people import add_participant, choose_mail, person_for, remove_participant, set_away
from helpdesk.actions.watching import unwatch, watch

__all__ = [
    "Conflict", "Content", "File", "Refused", "add_participant", "admit", "assign", "changing", "choose_mail",
    "customer_comment", "detach", "hold", "mark_spam", "not_spam", "note", "open_ticket", "person_for", "record", "reject", "remove_participant",
    "reply", "set_away", "set_category", "set_priority", "set_status", "set_team", "take_back", "unwatch", "watch",
]  # fmt: skip
