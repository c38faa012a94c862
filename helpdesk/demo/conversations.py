"""What is said in a ticket, with its history, its mail both ways and its ids."""

from helpdesk.demo.stock import Told, Years

RARE = 1000  # each ticket of so many has a word that no other has: zebrafish and its number
COMMENTS = 3  # of each ticket


def add_conversation(years: Years, told: Told) -> None:
    """The customer's mail, an agent's answer, and the customer's second mail."""
    said = years.chance.choices(told.language.sentences, k=7)
    rare = f" zebrafish{told.pk}" if told.pk % RARE == 7 else ""
    first = " ".join(said[:3])
    is_held = years.chance.random() < 0.0005
    _add_mail(
        years, told, 0, f"{first} INV-{told.pk}{rare} {told.name}, {told.address}", is_held=False
    )
    _add_answer(years, told, " ".join(said[3:5]))
    _add_mail(years, told, 2, " ".join(said[5:]), is_held=is_held)
    _add_sent(years, told, 0, "acknowledgement", f"{told.pk}.ack@example.com")


def _add_mail(years: Years, told: Told, step: int, text: str, *, is_held: bool) -> None:
    pk, at = told.pk, told.at[step]
    mail = 2 * pk - 1 + step // 2
    message_id = f"{pk}.{step}@{told.address.partition('@')[2]}"
    reason = "hold" if is_held else "comment" if step else "open"
    years.mails.add(
        (
            mail,
            told.mailbox,
            at,
            told.address,
            f"{mail * 2654435761:064x}",
            f"{mail * 40503:064x}",
            message_id,
            told.address,
            told.subject,
            reason,
            pk,
            at,
            at,
        )
    )
    _add_comment(years, told, step, text, mail, "held" if is_held else "public")
    years.events.add((pk, told.person, "customer-replied" if step else "opened", at))
    years.refs.add((pk, message_id, "received"))


def _add_answer(years: Years, told: Told, text: str) -> None:
    _add_comment(years, told, 1, text, None, "public")
    years.events.add((told.pk, told.agent, "replied", told.at[1]))
    _add_sent(years, told, 1, "reply", f"{told.pk}.1@example.com")


def _add_comment(
    years: Years, told: Told, step: int, text: str, mail: int | None, visibility: str
) -> None:
    years.comments.add(
        (
            _comment_of(told, step),
            told.pk,
            told.agent if mail is None else told.person,
            mail,
            "staff" if mail is None else "email",
            visibility,
            "not a participant" if visibility == "held" else "",
            text,
            told.at[step],
        )
    )


def _add_sent(years: Years, told: Told, step: int, kind: str, message_id: str) -> None:
    at, comment = told.at[step], _comment_of(told, step)
    years.sent.add((kind, told.pk, comment, told.person, told.address, message_id, at, at, at, at))
    years.refs.add((told.pk, message_id, "sent"))


def _comment_of(told: Told, step: int) -> int:
    return COMMENTS * (told.pk - 1) + 1 + step
