"""The header of the original that a mail program writes above a mail it hands on, in the language
of its owner: "Von: … Gesendet: … An: … Betreff: …"."""

import re

from inbound.reading import headers
from inbound.reading.message import Address

MAX_BLOCK, MAX_LINE = 12, 1000

_FROM = {"from", "von", "de", "expéditeur", "remitente", "da", "van"}
_SUBJECT = {"subject", "betreff", "objet", "sujet", "asunto", "oggetto", "assunto", "onderwerp"}
_OTHERS = {
    *("sent", "date", "to", "cc", "bcc", "reply-to", "importance"),  # English
    *("gesendet", "datum", "an", "kopie", "antwort an", "wichtigkeit"),  # German
    *("envoyé", "à", "copie", "copie à", "répondre à", "pour"),  # French
    *("enviado", "enviado el", "fecha", "para", "responder a"),  # Spanish
    *("enviada em", "enviado em"),  # Portuguese
    *("inviato", "data", "a"),  # Italian
    *("verzonden", "aan"),  # Dutch
}
_LINE = re.compile(r"[\s>*]{0,20}([^\W\d_][\w\- ]{0,15}?)\s?\*?\s?[:：]\*?[\s\xa0]{0,20}(.*)")

Said = list[tuple[str, str]]  # (lower-case name, value) of each line


def header_at(lines: list[str], start: int) -> tuple[Said, int] | None:
    """The header lines that begin there, and where they end: From and at least two others, one
    below the other."""
    said: Said = []
    position = start
    while position < len(lines) and len(said) < MAX_BLOCK:
        if not _goes_on(said, lines, position):
            break
        position += 1
    names = [name for name, _ in said]
    if len(names) < 3 or not _FROM.intersection(names) or not _LINE.match(lines[start][:MAX_LINE]):
        return None
    return said, position


def _goes_on(said: Said, lines: list[str], position: int) -> bool:
    """Whether that line is one of the header's; what it says is added."""
    line = lines[position]
    match = _LINE.match(line[:MAX_LINE])
    name = match[1].strip().lower() if match else ""
    if match and name in _FROM | _SUBJECT | _OTHERS:
        said.append((name, match[2].strip().strip("*").strip()))
        return True
    bare = line.strip(" >")
    if said and bare and said[-1][0] not in _FROM and not bare.endswith(":"):
        # A long line that was broken.
        before, told = said[-1]
        said[-1] = before, f"{told} {bare}"[:MAX_LINE]
        return True
    # Apple Mail's and Outlook's HTML leave empty lines between them.
    return not bare and position + 1 < len(lines) and 0 < len(said) < 3


def sender(said: Said) -> Address | None:
    """The address in it, with its name."""
    value = next((told for name, told in said if name in _FROM), "")
    value = re.sub(r"\[mailto:([^\]\s]{1,320})\]", r"<\1>", value)[:MAX_LINE]
    # "Cleo Kern <cleo@nordwind.example <mailto:cleo@nordwind.example>>", as Thunderbird and Apple
    # Mail write text
    value = re.sub(r"\s?<mailto:[^>\s]{1,320}>", "", value)
    found = [address for address in headers.addresses(value) if "@" in address.address]
    return found[0] if found else None


def subject(said: Said) -> str:
    return next((told for name, told in said if name in _SUBJECT), "")
