"""Whether a mail is a machine's answer to something: a vacation notice, an "out of office"."""

import re

from inbound.reading.machines.signs import keyword, null_sender
from inbound.reading.message import Envelope, ParsedMail

# How an automatic reply's subject begins, after a Re: and a bracket.
_SUBJECTS = (
    r"auto(?:matic|mated)?[\s:-]*"
    r"(?:re(?:ply|sponse|sponder)|answer|confirmation|message)?\s?[:\]]",  # English
    r"auto(?:matic|mated)[\s-]+(?:re(?:ply|sponse)|response)",
    r"autore(?:ply|sponse)",
    r"out\s+of\s+(?:the\s+)?office",  # Outlook
    r"ooo\b.{0,3}:",
    r"away\s+from\s+(?:the\s+|my\s+)?(?:office|mail|e-?mail|desk)",
    r"on\s+(?:vacation|holiday|leave)\b",
    r"vacation\s+(?:reply|response|message|notice)",
    r"i(?:'|\s?a)m\s+(?:away|on\s+(?:vacation|holiday|leave)|out\s+of)",
    r"automatische\s+(?:antwort|empfangsbestätigung)",  # German
    r"abwesen(?:d|heits)",
    r"abwesenheitsnotiz",
    r"réponse\s+automatique",  # French
    r"absen(?:t|ce)\s+(?:du|de)",
    r"respuesta\s+automática",  # Spanish
    r"fuera\s+de\s+(?:la\s+)?oficina",
    r"resposta\s+automática",  # Portuguese
    r"risposta\s+automatica",  # Italian
    r"automatisch\s+antwoord",  # Dutch
    r"afwezig",
    r"autosvar",  # Swedish, Danish, Norwegian
    r"automatiskt\s+svar",  # Swedish
    r"automatisk\s+svar",  # Danish, Norwegian
    r"自动回复",  # Chinese, simplified
    r"自動回覆",  # Chinese, traditional
    r"自動応答",  # Japanese
    r"自動返信",
    r"автоответ",  # Russian
    r"autoodpowied",  # Polish
    r"automatická\s+odpověď",  # Czech
)
AUTO_SUBJECT = re.compile(
    rf"^\s*(?:(?:re|aw|sv|antw)\s?:\s*)?\[?(?:{'|'.join(_SUBJECTS)})", re.IGNORECASE
)
# What only an automatic reply has for its whole subject, or before a colon.
_WHOLE_SUBJECTS = (
    r"auto(?:matic|mated)?[ -]?(?:reply|response|answer)",  # English
    r"automatische (?:antwort|empfangsbestätigung)",  # German
    r"abwesenheits(?:notiz|nachricht|meldung|assistent)",
    r"réponse automatique",  # French
    r"message d['’]absence",
    r"respuesta automática",  # Spanish
    r"out of (?:the )?office(?: (?:auto)?reply)?",  # English
    r"ooo",
    r"resposta automática",  # Portuguese
    r"risposta automatica",  # Italian
    r"automatisch antwoord",  # Dutch
    r"autosvar",  # Swedish, Danish, Norwegian
    r"automatiskt svar",  # Swedish
    r"automatisk svar",  # Danish, Norwegian
    r"自动回复",  # Chinese, simplified
    r"自動回覆",  # Chinese, traditional
    r"自動応答",  # Japanese
    r"自動返信",
    r"автоответ",  # Russian
    r"autoodpowiedź",  # Polish
    r"automatická odpověď",  # Czech
)
_SAYS_IT_IS_AUTOMATIC = re.compile(
    rf"(?:(?:re|aw|sv|antw) ?: ?)?\[?(?:{'|'.join(_WHOLE_SUBJECTS)})(?: ?[:：\]]|$)", re.IGNORECASE
)
_HEADERS = (
    "x-autoreply x-autorespond x-autoresponder x-auto-reply x-vacation x-mailer-autoresponder"
).split()


def auto_reply(parsed: ParsedMail, envelope: Envelope) -> tuple[str, str] | None:
    """The reason to take it for one, and what shows it."""
    submitted = keyword(parsed.header("auto-submitted"))
    if submitted == "auto-replied":
        return "auto-submitted", submitted
    for name in _HEADERS:
        if name in parsed.headers and parsed.header(name).lower() != "no":
            return "auto-reply-header", name
    precedence = parsed.header("precedence").lower()
    if precedence in {"auto_reply", "auto-reply"}:
        return "precedence", precedence
    if match := AUTO_SUBJECT.match(parsed.subject):
        # RFC 3834 5: half of the responders set no Auto-Submitted, but one of these.
        if _suppresses(parsed):
            return "auto-response-suppress", match[0][:100]
        if null_sender(parsed, envelope):
            return "null-sender-and-subject", match[0][:100]
        if precedence in {"bulk", "junk"}:
            return "precedence-and-subject", match[0][:100]
    return None


def wants_no_answer(parsed: ParsedMail) -> tuple[str, str] | None:
    """Signs too weak to call it a machine's, and strong enough not to send it an automatic mail."""
    if _suppresses(parsed):
        return "auto-response-suppress", parsed.header("x-auto-response-suppress")[:100]
    if match := _SAYS_IT_IS_AUTOMATIC.match(parsed.subject):
        return "words-of-an-automatic-reply", match[0][:100]
    return None


def _suppresses(parsed: ParsedMail) -> bool:
    """[MS-OXCMAIL] 2.1.3.2.20: what its sender does not want to get in answer."""
    asked = {word.strip() for word in parsed.header("x-auto-response-suppress").lower().split(",")}
    return bool(asked & {"all", "autoreply", "oof"})
