"""What a comment says of the mail that it was: its text, its files, and when."""

from datetime import UTC, datetime

from helpdesk.actions import Content, File
from helpdesk.intake.understood import Understood
from inbound.reading.message import Kind, Verdict


def content_of(mail: Understood, stored: dict[int, str], *, is_automatic: bool) -> Content:
    reading = mail.reading
    return Content(
        text=reading.text,
        html=reading.html,
        quoted_text=reading.quoted_text,
        quoted_html=reading.quoted_html,
        files=tuple(
            File(stored[a.part], a.name, a.content_type, len(a.data), a.content_id, a.is_inline)
            for a in mail.files
            if a.part in stored
        ),
        is_automatic=is_automatic,
        mail=mail.row,
        created_at=written_at(mail),
    )


def is_machines(verdict: Verdict) -> bool:
    """Whether nobody waits for an answer, in a ticket that is there already. What comes by a list
    or in bulk gets no automatic mail, and may be a person's."""
    by_people = verdict.kind is Kind.AUTOMATIC and verdict.reason in {
        "bulk-mail",
        "no-reply-address",
    }
    return verdict.kind not in {Kind.PERSON, Kind.LIST} and not by_people


def written_at(mail: Understood) -> datetime:
    """When it was received; of an old archive, when it was written."""
    date = mail.parsed.date
    if mail.row.is_history and date is not None:
        return min(date if date.tzinfo else date.replace(tzinfo=UTC), mail.row.received_at)
    return mail.row.received_at
