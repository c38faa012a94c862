import pytest

from inbound.reading.language import guess
from inbound.reading.message import Address, ParsedMail


def mail(text: str, **headers: str) -> ParsedMail:
    found = {name.replace("_", "-"): [value] for name, value in headers.items()}
    return ParsedMail(Address("a@b.cc"), text=text, headers=found)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Where is my order?", "en"),
        ("Hallo, wo bleibt mein Paket?", "de"),
        ("Bonjour, où est mon colis ?", "fr"),
        ("Hola, ¿dónde está mi pedido?", "es"),
        ("4711", ""),
        ("Лампа не работает", ""),
    ],
)
def test_the_words_say_it_or_nothing_does(text: str, language: str) -> None:
    assert guess(mail(text)) == language


def test_the_words_count_before_what_the_program_claims() -> None:
    assert guess(mail("Hallo, wo bleibt mein Paket?", content_language="en")) == "de"
    assert guess(mail("4711", content_language="pt, es-ES")) == "es"
    assert guess(mail("4711", content_language="fr", accept_language="de")) == "fr"
    assert guess(mail("4711", accept_language="de-DE, en;q=0.8")) == "de"
    assert guess(mail("4711", content_language="xx")) == ""
