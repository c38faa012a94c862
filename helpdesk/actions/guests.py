"""Whose a guest's request is. The address in the form is whatever somebody typed: what they typed
with it is mailed there, and counts as said by its owner, only after the owner has taken the request
for theirs.

They do so by writing in it (by mail, to a mail that only they got, or signed in), or with a button:
on the page that a link in our mail opens, or signed in. To open the page is not enough, for
programs follow links; nor is signing in, which customers do for other affairs than what somebody
else has typed in their name.
"""

from helpdesk import changes
from helpdesk.actions.common import changing
from helpdesk.history import record
from helpdesk.models import Person, Ticket
from helpdesk.refused import Refused


def confirm_request(ticket: Ticket, *, actor: Person) -> None:
    """The requester says that it is theirs; the name that was typed is, too. Refused for anybody
    else."""
    if actor.pk != ticket.requester_id:
        raise Refused("Only the requester can say so.")
    with changing(ticket) as current:
        name = current.guest_name
        if taken(current, actor) and name:
            Person.objects.filter(pk=actor.pk, name="", role=Person.Role.USER).update(name=name)


def taken(current: Ticket, author: Person) -> bool:
    """The locked ticket is its requester's, where `author` is; whether it was not known before."""
    if current.guest_name is None or author.pk != current.requester_id:
        return False
    record(current, "confirmed", author, name=current.guest_name)
    changes.update(current, guest_name=None)
    return True
