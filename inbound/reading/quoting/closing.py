"""Where a writer's signature begins, below their words: a name after dashes, or what a mail program
adds for itself ("Sent from my phone")."""

import re

MAX_LINE = 200  # characters; a longer line is text
MAX_LINES = 12  # from the end; what is longer is no signature

_DASHES = re.compile(r"^(?:-- ?|—|__+|--+)$")
_SIGNED = re.compile(r"^[-—–]{1,2} ?[A-ZÀ-Þ][\w.'-]*(?: [A-ZÀ-Þ][\w.'-]*){0,3}$")
# What phones and web mailers are called where they name themselves in English.
_PROGRAMS = (
    "my|a|the|Outlook|Mail|Yahoo|Samsung|Gmail|Proton|Spark|Front|BlueMail|WhatsApp|AOL|Nine"
)
_ADDED = (
    rf"(?:Sent|Get) (?:from|via|with|using) (?:{_PROGRAMS})\b[^,.!?]{{0,60}}",  # English
    # Outlook's apps, in English, French, Spanish and German
    r"(?:(?:Get|Télécharger|Obtenir|Obtener|Holen Sie sich) )?Outlook (?:for|für|pour|para)"
    r" (?:iOS|Android|Mac)(?: (?:beziehen|holen))?(?:\s?<[^<>\s]{1,120}>)?",
    r"(?:Von meinem|Gesendet (?:von|mit)) .{0,80}(?:gesendet)?",  # German
    r"Envoyé (?:de|depuis) (?:mon|Outlook|Yahoo).{0,60}",  # French
    r"Enviado (?:desde|do) (?:mi|meu|Outlook|Yahoo|Correo).{0,60}",  # Spanish, Portuguese
    r"Inviato da(?:l mio)? .{0,60}",  # Italian
    r"Verzonden (?:vanaf|met|vanuit) .{0,60}",  # Dutch
    r"Skickat från .{0,60}",  # Swedish
    r"Sendt fra .{0,60}",  # Danish, Norwegian
    r"Отправлено с .{0,60}",  # Russian
    r"发自我的.{0,60}",  # Chinese
)
_SENT_FROM = re.compile(rf"[*_\[(]*+(?:{'|'.join(_ADDED)})$", re.IGNORECASE)


def signature_start(lines: list[str], end: int) -> int:
    """The first line of the signature among those before `end`, or `end` where there is none."""
    floor = max(0, end - MAX_LINES)
    from_below = range(end - 1, floor - 1, -1)
    last = next((position for position in from_below if lines[position].strip()), 0)
    if last > 1 and _SIGNED.match(lines[last].strip()) and not lines[last - 1].strip():
        return last
    for position in from_below:
        line = lines[position]
        if _says_sent_from(line) or (_DASHES.match(line.rstrip("\r")) and position > 0):
            return position
    return end


def _says_sent_from(line: str) -> bool:
    folded = " ".join(line[:MAX_LINE].split()).rstrip(" *_])")
    return len(line) < MAX_LINE and bool(_SENT_FROM.match(folded))
