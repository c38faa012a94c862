"""A mail that somebody has forwarded: who wrote the original, and what. Inline, as mail programs put it below their own
headers in the language of their owner, or attached."""

import re
from dataclasses import dataclass

from inbound.reading import headers, quotes
from inbound.reading.message import Address, Attachment, ParsedMail
from inbound.reading.parse import parse

MAX_LINES, MAX_BLOCK, MAX_LINE = 2000, 12, 1000

# Fwd: as mail programs of our customers' languages write it.
_FORWARDS = re.compile(r"\s{0,9}(?:fwd?|fw|wg|wtr|tr|rv|rd|i|enc|doorst|vb|pd|vs)\s?[:：]\s{0,9}", re.IGNORECASE)
_FROM = {"from", "von", "de", "expéditeur", "remitente", "da", "van"}
_SUBJECT = {"subject", "betreff", "objet", "sujet", "asunto", "oggetto", "assunto", "onderwerp"}
_OTHERS = {
    "sent", "date", "to", "cc", "reply-to", "gesendet", "datum", "an", "kopie", "antwort an", "envoyé", "à", "copie",
    "répondre à", "enviado", "enviado el", "fecha", "para", "responder a", "bcc", "importance", "wichtigkeit", "pour", "copie à", "inviato", "data", "a", "verzonden", "aan", "enviada em", "enviado em",
}  # fmt: skip
_LINE = re.compile(r"[\s>*]{0,20}([^\W\d_][\w\- ]{0,15}?)\s?\*?\s?[:：]\*?[\s\xa0]{0,20}(.*)")
_DIVIDER = re.compile(
    r"(?:begin |anfang |début |inicio )?(?:(?:der|du|del) )?(?:forwarded message|original message|weitergeleiteten? (?:nachricht|e-mail)"
    r"|ursprüngliche nachricht|message (?:transféré|réexpédié|d'origine|original)|mensaje (?:reenviado|original))\s?:?",
    re.IGNORECASE,
)  # fmt: skip


# A divider that says that what follows is handed on, where the subject has lost its Fwd:.
_SAYS_SO = re.compile(
    r"^[-_=~* ]{0,40}(?:(?:begin )?forwarded message|(?:anfang der )?weitergeleiteten? nachricht|(?:début du )?message (?:transféré|réexpédié)"
    r"|(?:inicio del )?mensaje reenviado)\s?:?[-_=~* \r]{0,40}$",
    re.IGNORECASE | re.MULTILINE,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Forwarded:
    """`note` is what the one who forwarded it wrote above. `files` are the attached original's own."""

    sender: Address
    subject: str
    text: str
    note: str
    message_id: str = ""
    part: int = 0  # the attachment that is the original, where it is one
    files: tuple[Attachment, ...] = ()


def find(parsed: ParsedMail) -> Forwarded | None:
    """The original, where the mail is a forward of one mail and says who wrote it."""
    # What the program that forwarded it has written below comes first: a mail that was attached to the original is the affair
    # of whoever wrote that.
    inline = _inline(parsed) if _FORWARDS.match(parsed.subject) or _SAYS_SO.search(parsed.text[:20_000]) else None
    attached = [file for file in parsed.attachments if file.content_type == "message/rfc822"]
    if inline is not None or _shows_a_block(parsed) or len(attached) != 1:
        return inline
    return _attached(parsed, attached[0])


def without_prefix(subject: str) -> str:
    """The subject without its Fwd:, however often."""
    for _ in range(5):
        match = _FORWARDS.match(subject)
        if not match:
            break
        subject = subject[match.end() :]
    return subject


def _shows_a_block(parsed: ParsedMail) -> bool:
    lines = parsed.text.replace("\r", "").split("\n")[:MAX_LINES]
    return any(_block(lines, start) is not None for start in range(len(lines)))


def _attached(parsed: ParsedMail, file: Attachment) -> Forwarded | None:
    original = parse(file.data)
    if not original.from_.address:
        return None
    files = tuple(
        Attachment(
            20_000 + found.part, found.name, found.content_type, found.data, found.content_id, found.is_inline
        )
        for found in original.attachments
    )  # fmt: skip
    return Forwarded(
        original.from_, original.subject, original.text.strip(), _without_signature(parsed.text), original.message_id,
        file.part, files,
    )  # fmt: skip


def _inline(parsed: ParsedMail) -> Forwarded | None:
    lines = parsed.text.replace("\r", "").split("\n")
    for start in range(min(len(lines), MAX_LINES)):
        found = _block(lines, start)
        if found is None:
            continue
        said, end = found
        above = lines[:start]
        while above and _is_divider(above[-1][:200].strip("-_=~* >\t\xa0")):
            above.pop()
        sender = next((told for name, told in said if name in _FROM), "")
        subject = next((told for name, told in said if name in _SUBJECT), "")
        address = _address(sender)
        if address is None:
            return None
        return Forwarded(
            address, subject or without_prefix(parsed.subject), "\n".join(_unquoted(lines[end:])).strip(),
            _without_signature("\n".join(above)),
        )  # fmt: skip
    return None


def _is_divider(line: str) -> bool:
    return not line or bool(_DIVIDER.fullmatch(line))


def _block(lines: list[str], start: int) -> tuple[list[tuple[str, str]], int] | None:
    """The header lines that begin there, and where they end: From and at least two others, one below the other."""
    said: list[tuple[str, str]] = []
    position = start
    while position < len(lines) and len(said) < MAX_BLOCK:
        line = lines[position]
        match = _LINE.match(line[:MAX_LINE])
        name = match[1].strip().lower() if match else ""
        if match and name in _FROM | _SUBJECT | _OTHERS:
            said.append((name, match[2].strip().strip("*").strip()))
        elif said and line.strip(" >") and said[-1][0] not in _FROM and not line.strip(" >").endswith(":"):
            said[-1] = (said[-1][0], f"{said[-1][1]} {line.strip(' >')}"[:MAX_LINE])  # a long line that was broken
        elif not line.strip(" >") and position + 1 < len(lines) and 0 < len(said) < 3:
            pass  # Apple Mail's and Outlook's HTML leave empty lines between them
        else:
            break
        position += 1
    names = [name for name, _ in said]
    if not any(name in _FROM for name in names) or len(names) < 3 or not _LINE.match(lines[start][:MAX_LINE]):
        return None
    return said, position


def _address(value: str) -> Address | None:
    value = re.sub(r"\[mailto:([^\]\s]{1,320})\]", r"<\1>", value)[:MAX_LINE]
    # "Cleo Kern <cleo@nordwind.example <mailto:cleo@nordwind.example>>", as Thunderbird and Apple Mail write text
    value = re.sub(r"\s?<mailto:[^>\s]{1,320}>", "", value)
    found = [address for address in headers.addresses(value) if "@" in address.address]
    return found[0] if found else None


def _unquoted(lines: list[str]) -> list[str]:
    """Some programs mark every line of the original."""
    full = [line for line in lines if line.strip()]
    if full and all(line.startswith(">") for line in full):
        return [re.sub(r"^> ?", "", line) for line in lines]
    return lines


def _without_signature(text: str) -> str:
    return quotes.split(text, "").text.strip()
