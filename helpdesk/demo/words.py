"""Words as they come in four languages: some in every other comment, some in one of a hundred, most
of them hardly ever."""

import itertools
import random
from dataclasses import dataclass

# The first of a language is in every third comment of it.
COMMON = {
    "en": "please the and you our with for this that have not from your when order since now can",
    "de": "bitte die und wir mit für das ist nicht haben seit unsere wann wieder noch bei eine",
    "fr": "merci les nous avec pour dans vous est pas depuis notre quand encore une mais cette",
    "es": "gracias los con para nuestro esta desde cuando pero hemos todavía una más como sin hoy",
}
# Each in about one comment of a hundred of its language.
MIDDLING = {
    "en": "printer invoice delivery login password refund upgrade payment warranty server workshop",
    "de": "drucker rechnung lieferung anmeldung passwort erstattung zahlung garantie schlüssel",
    "fr": "imprimante facture livraison connexion remboursement paiement garantie été numéro",
    "es": "impresora factura entrega contraseña reembolso pago garantía teléfono envío",
}
SHARES = {"en": 0.55, "de": 0.25, "fr": 0.1, "es": 0.1}
FIRST_NAMES = (
    "Ada Amara Ben Chiara Cleo Elif Emil Femi Greta Hana Henrik Ines Jonas Kofi Lena Luca Mateo Mei"
    " Nadia Noor Olga Olivia Pavel Rosa Samir Sofia Tariq Tomás Ulla Wei Yara Zoë"
).split()
LAST_NAMES = (
    "Andersen Bauer Brandt Costa Diallo Dubois Fischer Garcia Grant Haddad Herrera Ivanova Jansen"
    " Kowalski Lindqvist Martin Moretti Nakamura Novak Okafor Petrov Quinn Rossi Silva Sørensen"
    " Tanaka Ueda Varga Weber Yilmaz Zhang"
).split()
_SYLLABLES = "ba ce di fo gu ka le mi no pu ra se ti vo zu sta bri klo dre fla pen tor mal ver sin"


@dataclass(frozen=True, slots=True)
class Language:
    subjects: list[str]
    sentences: list[str]


def languages(chance: random.Random) -> list[Language]:
    """What is said in each language of SHARES, in its order."""
    syllables = _SYLLABLES.split()
    seldom = ["".join(chance.choices(syllables, k=chance.randint(2, 5))) for _ in range(60_000)]
    return [_language(name, list(dict.fromkeys(seldom)), chance) for name in SHARES]


def _language(name: str, seldom: list[str], chance: random.Random) -> Language:
    common, middling = COMMON[name].split(), MIDDLING[name].split()
    usual = common[1:]
    weights = list(itertools.accumulate(1 / (rank + 20) for rank in range(len(seldom))))

    def words(number: int) -> list[str]:
        return chance.choices(usual, k=number // 2) + chance.choices(
            seldom, cum_weights=weights, k=number - number // 2
        )

    def sentence() -> str:
        found = words(9)
        if chance.random() < 0.15:
            found[0] = common[0]
        if chance.random() < 0.004 * len(middling):
            found[1] = chance.choice(middling)
        chance.shuffle(found)
        return " ".join(found).capitalize() + "."

    subjects = [" ".join([chance.choice(middling), *words(4)]).capitalize() for _ in range(10_000)]
    return Language(subjects, [sentence() for _ in range(40_000)])
