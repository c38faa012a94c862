"""A mail that somebody has forwarded: who wrote the original, and what. Inline, as mail programs
put it below their own headers in the language of their owner, or attached."""

import re
from dataclasses import dataclass, replace

from inbound.reading import forwarded_header, quotes
from inbound.reading.message import Address, Attachment, ParsedMail
from inbound.reading.parse import parse

MAX_LINES = 2000


# Fwd: as mail programs of our customers' languages write it.
_FORWARDS = re.compile(
    r"\s{0,9}(?:fwd?|fw|wg|wtr|tr|rv|rd|i|enc|doorst|vb|pd|vs)\s?[:：]\s{0,9}", re.IGNORECASE
)
# What stands between dashes, or alone, above the original.
_DIVIDER = re.compile(
    r"(?:begin |anfang |début |inicio )?(?:(?:der|du|del) )?(?:forwarded message|original message"
    r"|weitergeleiteten? (?:nachricht|e-mail)|ursprüngliche nachricht"
    r"|message (?:transféré|réexpédié|d'origine|original)|mensaje (?:reenviado|original))\s?:?",
    re.IGNORECASE,
)
# A divider that says that what follows is handed on, where the subject has lost its Fwd:.
_SAYS_SO = re.compile(
    r"^[-_=~* ]{0,40}(?:(?:begin )?forwarded message|(?:anfang der )?weitergeleiteten? nachricht"
    r"|(?:début du )?message (?:transféré|réexpédié)|(?:inicio del )?mensaje reenviado)"
    r"\s?:?[-_=~* \r]{0,40}$",
    re.IGNORECASE | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Forwarded:
    """`note` is what the one who forwarded it wrote above. `files` are the attached original's
    own."""

    sender: Address
    subject: str
    text: str
    note: str
    message_id: str = ""
    part: int = 0  # the attachment that is the original, where it is one
    files: tuple[Attachment, ...] = ()


def find(parsed: ParsedMail) -> Forwarded | None:
    """The original, where the mail is a forward of one mail and says who wrote it."""
    # What the program that forwarded it has written below comes first: a mail that was attached to
    # the original is the affair of whoever wrote that.
    is_forward = _FORWARDS.match(parsed.subject) or _SAYS_SO.search(parsed.text[:20_000])
    inline = _inline(parsed) if is_forward else None
    attached = [file for file in parsed.attachments if file.content_type == "message/rfc822"]
    if inline is not None or len(attached) != 1 or _shows_a_header(parsed):
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


def _shows_a_header(parsed: ParsedMail) -> bool:
    lines = parsed.text.replace("\r", "").split("\n")[:MAX_LINES]
    return any(forwarded_header.header_at(lines, start) for start in range(len(lines)))


def _attached(parsed: ParsedMail, file: Attachment) -> Forwarded | None:
    original = parse(file.data)
    if not original.from_.address:
        return None
    # No part of the mail itself has such a number.
    files = tuple(replace(found, part=20_000 + found.part) for found in original.attachments)
    return Forwarded(
        original.from_,
        original.subject,
        original.text.strip(),
        _without_signature(parsed.text),
        original.message_id,
        file.part,
        files,
    )


def _inline(parsed: ParsedMail) -> Forwarded | None:
    lines = parsed.text.replace("\r", "").split("\n")
    for start in range(min(len(lines), MAX_LINES)):
        found = forwarded_header.header_at(lines, start)
        if found is None:
            continue
        said, end = found
        above = lines[:start]
        while above and _is_divider(above[-1][:200].strip("-_=~* >\t\xa0")):
            above.pop()
        sender = forwarded_header.sender(said)
        if sender is None:
            return None
        return Forwarded(
            sender,
            forwarded_header.subject(said) or without_prefix(parsed.subject),
            "\n".join(_unquoted(lines[end:])).strip(),
            _without_signature("\n".join(above)),
        )
    return None


def _is_divider(line: str) -> bool:
    return not line or bool(_DIVIDER.fullmatch(line))


def _unquoted(lines: list[str]) -> list[str]:
    """Some programs mark every line of the original."""
    full = [line for line in lines if line.strip()]
    if full and all(line.startswith(">") for line in full):
        return [re.sub(r"^> ?", "", line) for line in lines]
    return lines


def _without_signature(text: str) -> str:
    return quotes.split(text, "").text.strip()
