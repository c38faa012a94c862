"""What an agent has written in their own mail program, without our mail that they answer: that was
for them alone.

Of a customer's mail too much is shown rather than too little. Here it is the other way round: what
goes on to a customer has nothing of our notification in it, wherever the mail program has put it,
or it does not go.
"""

import re
from collections.abc import Collection
from typing import NamedTuple

from helpdesk.models import OutboundMail, Person, Ticket
from inbound.addresses import read_token
from inbound.reading import quotes
from inbound.reading.html.text import html_to_text
from inbound.reading.quoting import attributions
from inbound.reading.reading import MAX_TEXT, Reading

LEAST = 15  # letters of a line of ours that is known again
LOOKED_AT = 20  # mails of ours
ABOVE = 15  # lines above ours in which a mail program says whose words follow


class OwnWords(NamedTuple):
    """`html` is empty where the text alone could be cut."""

    text: str
    html: str


def own_words(reading: Reading, ours: Collection[str]) -> OwnWords | None:
    """None where something of `ours` (see `lines_of_ours`) is left whatever is cut off, or nothing
    else is."""
    text = reading.text
    if max(len(text), len(reading.quoted_text)) >= MAX_TEXT:
        return None  # its whole text is a file beside it
    if any(line.lstrip().startswith(">") for line in text.split("\n")):
        text = _without_quotations(text)
    start = _first_of(text, ours)
    if start is not None:
        text = _above(text, start)
    text = quotes.split(text, "").text  # a signature that stood below the quotation
    if _first_of(text, ours) is not None or (reading.text.strip() and not text.strip()):
        return None
    # The page says the same, or it holds more than what was written: its quotation, a signature.
    html = reading.html if _letters(html_to_text(reading.html)) == _letters(text) else ""
    return OwnWords(text.strip(), html)


def lines_of_ours(ticket: Ticket, agent: Person) -> set[str]:
    """The letters of the lines that we wrote to that agent about that ticket, without what people
    have said in them."""
    sent = (
        OutboundMail.objects.filter(ticket=ticket, person=agent)
        .exclude(kind="reply")
        .order_by("-pk")
    )
    said = {
        _letters(ticket.subject),
        _letters(f"{ticket.requester.name} <{ticket.requester.email}>"),
    }
    lines = {
        _letters(line)
        for text in sent.values_list("text", flat=True)[:LOOKED_AT]
        for line in text.split("\n")
        if not line.startswith(">")
    }
    return {line for line in lines - said if len(line) >= LEAST} | {f"admintickets{ticket.pk}"}


def _without_quotations(text: str) -> str:
    """Without the lines behind `>`, and without the sentence above them that says who wrote
    them."""
    kept: list[str] = []
    for line in text.split("\n"):
        if not line.lstrip().startswith(">"):
            kept.append(line)
            continue
        while kept and not kept[-1].strip():
            kept.pop()
        sentence = len(kept)
        while sentence and len(kept) - sentence < 3 and kept[sentence - 1].strip():
            sentence -= 1
        for first in range(sentence, len(kept)):
            if attributions.says_who_wrote(" ".join(kept[first:])):
                del kept[first:]
                break
        kept.append("")
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()


def _first_of(text: str, ours: Collection[str]) -> int | None:
    """The line in which the first of ours, or an address that only we give, begins."""
    letters, line_of = [], []
    for number, line in enumerate(text.split("\n")):
        found = _letters(line)
        letters.append(found)
        line_of += [number] * len(found)
        if any(
            read_token(address) is not None
            for address in re.findall(r"[\w.+-]{1,64}@[\w.-]{1,255}", line[:2000])
        ):
            letters.append("\0")
            line_of.append(number)
    whole = "".join(letters)
    places = [place for place in (whole.find(one) for one in (*ours, "\0")) if place >= 0]
    return line_of[min(places)] if places else None


def _above(text: str, start: int) -> str:
    """What stands above our mail, without what introduces that."""
    lines = text.split("\n")[:start]
    for number in range(max(0, len(lines) - ABOVE), len(lines)):
        if quotes.introduces(lines[number]):
            return "\n".join(lines[:number]).strip()
    return "\n".join(lines).strip()


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).lower()
