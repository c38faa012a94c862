"""Which of the languages that we write in a mail is written in."""

import re

from inbound.reading.message import ParsedMail

LANGUAGES = ("en", "de", "fr", "es")
# Short words that every longer text has and the other languages don't.
_WORDS = {
    "en": "the and is are you not have with this that for was please thanks my it we can would hello",
    "de": "der die das und ist nicht ich sie wir mit ein eine einen auf für bitte danke habe kann mein hallo",
    "fr": "le les des et est je vous nous pas une avec pour dans merci bonjour mon que qui sur suis avez",
    "es": "el los las y es que de por con una para no gracias hola mi en se está pero tengo puedo usted",
}
_KNOWN = {language: frozenset(words.split()) for language, words in _WORDS.items()}
LEAST = 3  # words that speak for a language before it is believed
SCANNED = 4000  # characters


def guess(parsed: ParsedMail) -> str:
    """One of LANGUAGES, or "" where it is not plain. The words count before what the mail program claims."""
    words = re.findall(r"[^\W\d_]+", parsed.text[:SCANNED].lower())
    score = sorted(
        ((sum(word in known for word in words), language) for language, known in _KNOWN.items()), reverse=True
    )
    (best, language), (second, _) = score[:2]
    if best >= LEAST and best >= 1.3 * second:
        return language
    # RFC 3282: Content-Language says what the mail is in, Accept-Language what its reader understands.
    for name in ("content-language", "accept-language"):
        for tag in re.findall(r"[a-z]{2}(?=[-,;\s]|$)", parsed.header(name).lower()):
            if tag in LANGUAGES:
                return str(tag)
    return ""
