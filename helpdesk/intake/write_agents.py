"""The comment that an agent's own mail becomes, and the ticket of a mail that they hand on."""

from dataclasses import replace

from helpdesk import actions, changes, people
from helpdesk.actions import Content
from helpdesk.intake import agents
from helpdesk.intake.content import content_of
from helpdesk.intake.plan import Plan
from helpdesk.intake.understood import Understood
from helpdesk.models import Comment, MessageRef, Ticket


def says(mail: Understood, decided: Plan, stored: dict[int, str]) -> Comment:
    """An agent's answer or note, written in their own mail program, and nothing of our mail to
    them."""
    agent = people.find(mail.sender.address)
    assert agent is not None  # decided in this transaction
    ticket = Ticket.objects.select_related("mailbox").get(pk=decided.ticket or 0)
    own = agents.words_of(mail, agent, ticket)
    assert own is not None
    content = content_of(mail, stored, is_automatic=False)
    content = replace(content, text=own.text, html=own.html, quoted_text="", quoted_html="")
    if decided.do == "note":
        if found := agents.note_mark(own.text):
            content = replace(
                content, text=(found["greeting"] or "") + own.text[found.end() :], html=""
            )
        return actions.note(ticket, content, actor=agent, via=Comment.Via.EMAIL)
    return actions.reply(ticket, content, actor=agent, via=Comment.Via.EMAIL)


def hands_on(mail: Understood, stored: dict[int, str]) -> Comment:
    """A ticket in the name of the customer whose mail an agent hands on. What the agent wrote above
    it is a note. Nobody is told that it arrived: they have not written to us, and the agent
    answers."""
    original, agent = mail.reading.forwarded, people.find(mail.sender.address)
    assert original is not None
    assert agent is not None
    requester = actions.person_for(original.sender.address, original.sender.name)
    content = replace(
        content_of(mail, stored, is_automatic=False),
        text=original.text,
        html="",
        quoted_text="",
        quoted_html="",
    )
    ticket, comment = actions.open_ticket(
        actions.NewTicket(
            requester=requester,
            mailbox=mail.row.mailbox,
            subject=original.subject,
            content=content,
            via=Comment.Via.EMAIL,
            actor=agent,
            acknowledge=False,
            address=original.sender.address,
        )
    )
    if original.note:
        actions.note(ticket, Content(text=original.note), actor=agent, via=Comment.Via.EMAIL)
    if original.message_id:
        found, kind = original.message_id[:500], MessageRef.Kind.REFERENCED
        changes.insert(MessageRef(ticket=ticket, message_id=found, kind=kind))
    return comment
