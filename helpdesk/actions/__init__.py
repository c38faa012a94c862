"""The only way to write: each action is row, event and notification in one transaction, with its
`actor`."""

from helpdesk.actions.accounts import (
    ask_for_new_address,
    change_address,
    send_password_link,
    set_password,
)
from helpdesk.actions.answering import mentioned_in, note, reply, take_back
from helpdesk.actions.assigning import assign
from helpdesk.actions.commenting import archived_answer, came_again, customer_comment, hold
from helpdesk.actions.common import changing, take_turns
from helpdesk.actions.content import Content
from helpdesk.actions.editing import (
    delete_ticket,
    rate,
    read_custom,
    set_custom,
    set_description,
    set_subject,
    set_tags,
    withdraw,
)
from helpdesk.actions.editing_comments import delete_comment, edit_comment
from helpdesk.actions.guests import confirm_request
from helpdesk.actions.holding import admit, admit_as, detach, mark_spam, not_spam, reject, trust
from helpdesk.actions.moving import set_category, set_priority, set_status, set_team
from helpdesk.actions.opening import NewTicket, open_ticket
from helpdesk.actions.people import (
    add_participant,
    choose_mail,
    end_links,
    known_or_new,
    let_take_part,
    people_for,
    person_for,
    remove_participant,
    set_away,
)
from helpdesk.actions.registering import (
    ask_to_register,
    follow_link,
    register,
    verified,
    waits_for_link,
)
from helpdesk.actions.watching import unwatch, watch
from helpdesk.files.handed_over import File
from helpdesk.refused import Conflict, Refused

__all__ = [
    "Conflict",
    "Content",
    "File",
    "NewTicket",
    "Refused",
    "add_participant",
    "admit",
    "admit_as",
    "archived_answer",
    "ask_for_new_address",
    "ask_to_register",
    "assign",
    "came_again",
    "change_address",
    "changing",
    "choose_mail",
    "confirm_request",
    "customer_comment",
    "delete_comment",
    "delete_ticket",
    "detach",
    "edit_comment",
    "end_links",
    "follow_link",
    "hold",
    "known_or_new",
    "let_take_part",
    "mark_spam",
    "mentioned_in",
    "not_spam",
    "note",
    "open_ticket",
    "people_for",
    "person_for",
    "rate",
    "read_custom",
    "register",
    "reject",
    "remove_participant",
    "reply",
    "send_password_link",
    "set_away",
    "set_category",
    "set_custom",
    "set_description",
    "set_password",
    "set_priority",
    "set_status",
    "set_subject",
    "set_tags",
    "set_team",
    "take_back",
    "take_turns",
    "trust",
    "unwatch",
    "verified",
    "waits_for_link",
    "watch",
    "withdraw",
]
