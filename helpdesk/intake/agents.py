"""What an agent's own mail is: an answer, a note, or a customer's mail that they hand on."""

import re

from django.db.models import Q

from helpdesk import access, people
from helpdesk.intake import threads
from helpdesk.intake.own_words import OwnWords, lines_of_ours, own_words
from helpdesk.intake.understood import Understood
from helpdesk.models import OutboundMail, Person, Ticket
from helpdesk.models.mail_kinds import KINDS
from inbound.reading.forwarded import Forwarded
from inbound.reading.message import Kind
from inbound.reading.sender import FROM, is_ours


def what_it_is(
    mail: Understood, person: Person, candidate: threads.Candidate, ticket: Ticket
) -> tuple[str, str]:
    """What an agent says from their own mail program, answer or note: proven to be theirs, written
    by a person, to the reply address that we gave them, in a ticket that they see. Else "", and why
    it is none, for them to read."""
    says = mail.says(person)
    if mail.reading.sender.by != FROM or not says.is_proven:
        return "", "in an agent's name"
    if candidate.rule != "reply-token" or candidate.person != person.pk:
        return "", "an agent's mail, and not to their own reply address"
    if not says.is_proven_for(candidate):
        return "", "signed by an agent, but not as an answer to this"
    if mail.verdict.kind is not Kind.PERSON or mail.verdict.is_quiet:
        return "", "an agent's mail that looks like a machine's"
    if not access.tickets(person).filter(pk=ticket.pk).exists():
        return "", "an agent's mail, who does not see this ticket"
    own = words_of(mail, person, ticket)
    if own is None:
        return "", "an agent's answer in which our mail to them is quoted, and could not be cut off"
    if not own.text and not mail.parsed.attachments:
        return "", "an agent's mail with nothing in it"
    if note_mark(own.text) or _answers_colleagues(mail, person):
        return "note", ""
    return (
        ("", "an agent's answer to a closed ticket")
        if ticket.status == Ticket.Status.CLOSED
        else ("answer", "")
    )


def words_of(mail: Understood, person: Person, ticket: Ticket) -> OwnWords | None:
    return own_words(mail.reading, lines_of_ours(ticket, person))


def _answers_colleagues(mail: Understood, person: Person) -> bool:
    """Whether it answers a mail of ours that was about colleagues' affairs: those are none of the
    customer's."""
    ids = threads.parent_ids(mail.parsed)[:1]
    known = Q(message_id__in=ids) | Q(provider_message_id__in=ids)
    inside = [kind.slug for kind in KINDS.values() if kind.replies_stay_inside]
    return bool(ids) and OutboundMail.objects.filter(known, person=person, kind__in=inside).exists()


def note_mark(text: str) -> "re.Match[str] | None":
    """The word that makes an agent's mail a note, at the beginning or below a greeting. What comes
    of taking an answer for a note can be mended, the other way round it can't: however it is
    marked, quoted or translated, it counts."""
    return _NOTE.match(text[:500])


_NOTE = re.compile(
    r"(?P<greeting>\W{0,20}\w[^\n:：]{0,40}[,!.]?[ \t]{0,5}\n[\s>]{0,20})?"
    r"[\W_]{0,20}(?:internal |interne )?(?:note|notes|notiz|nota)[\W_]{0,10}?[:：][\W_]{0,5}",
    re.IGNORECASE,
)


def forwarded(mail: Understood, person: Person | None) -> Forwarded | None:
    """The customer's mail that an agent hands on, where that is proven to be the agent's doing."""
    original = mail.reading.forwarded
    if (
        original is None
        or person is None
        or not person.is_staff
        or not mail.row.mailbox.agents_forward
    ):
        return None
    if (
        mail.reading.sender.by != FROM
        or not mail.says(person).is_proven
        or not people.is_whole(original.sender.address)
    ):
        return None
    if is_ours(original.sender.address, mail.ours):
        return None
    found = people.find(original.sender.address)
    return None if found is not None and found.is_staff else original
