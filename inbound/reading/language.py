"""Which of the languages that we write in a mail is written in."""

import re

from inbound.reading.message import ParsedMail

LANGUAGES = ("en", "de", "fr", "es")
# Short words that every longer text has and the other languages don't, and what short mails are
# made of.
_WORDS = {
    "en": "the and is are you not have with this that for was please thanks my it we can would"
    " hello hi dear how when where what does do did your our order need want still yet help"
    " thank regards from has been",
    "de": "der die das und ist nicht ich sie wir mit ein eine einen auf für bitte danke habe kann"
    " mein hallo wo wann wie warum bleibt meine mir mich noch kein keine guten tag grüße"
    " gruß liebe seit von zu bei hilfe geht funktioniert rechnung bestellung paket",
    "fr": "le les des et est je vous nous pas une avec pour dans merci bonjour mon que qui sur"
    " suis avez ma mes ai toujours rien reçu commande depuis aidez svp comment quand où"
    " cordialement salut au du cette hier facture colis",
    "es": "el los las y es que de por con una para no gracias hola mi en se está pero tengo puedo"
    " usted cuándo dónde cómo llega mis buenos días buenas tardes pedido funciona ayuda"
    " favor saludos quiero necesito factura paquete todavía del al",
}
# What needs no other word beside it.
_SURE = {
    "de": "hallo danke bitte nicht guten grüße",
    "fr": "bonjour merci cordialement svp",
    "es": "hola gracias buenos buenas saludos",
    "en": "hello thanks please",
}
_KNOWN = {language: frozenset(words.split()) for language, words in _WORDS.items()}
_SURELY = {language: frozenset(words.split()) for language, words in _SURE.items()}
LEAST = 2  # words that speak for a language before it is believed
SCANNED = 4000  # characters


def guess(parsed: ParsedMail) -> str:
    """One of LANGUAGES, or "" where it is not plain. The words count before what the mail program
    claims."""
    words = re.findall(r"[^\W\d_]+", f"{parsed.subject}\n{parsed.text[:SCANNED]}".lower())
    score = sorted(
        (
            (sum(1 + (word in sure) for word in words if word in _KNOWN[language]), language)
            for language, sure in _SURELY.items()
        ),
        reverse=True,
    )
    (best, language), (second, _) = score[:2]
    if best >= LEAST and best >= 1.3 * second:
        return language
    # RFC 3282: Content-Language says what the mail is in, Accept-Language what its reader
    # understands.
    for name in ("content-language", "accept-language"):
        for tag in re.findall(r"[a-z]{2}(?=[-,;\s]|$)", parsed.header(name).lower()):
            if tag in LANGUAGES:
                return str(tag)
    return ""
