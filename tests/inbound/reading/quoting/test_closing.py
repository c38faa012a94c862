import pytest

from inbound.reading.quoting.closing import signature_start


@pytest.mark.parametrize(
    "line",
    [
        "-- ",
        "Sent from my phone",
        "Get Outlook for iOS",
        "Von meinem iPhone gesendet",
        "Envoyé de mon iPhone",
        "Enviado desde mi iPhone",
    ],
)
def test_a_signature_begins_with_dashes_or_with_what_a_program_adds(line: str) -> None:
    lines = ["It is broken.", "", line, "Cleo"]
    assert signature_start(lines, len(lines)) == 2


@pytest.mark.parametrize(
    "line", ["Sent to my phone", "I sent from my address, as you asked.", "- one", "Cleo"]
)
def test_words_are_none(line: str) -> None:
    lines = ["It is broken.", "", line]
    assert signature_start(lines, len(lines)) == 3


def test_it_is_looked_for_at_the_end_alone() -> None:
    lines = ["a", "-- ", *["b"] * 20]
    assert signature_start(lines, len(lines)) == len(lines)
