import pytest

from inbound.reading.quoting.attributions import attribution_lines, is_attribution, says_who_wrote


@pytest.mark.parametrize(
    "line",
    [
        "On Mon, Mar 2, 2026 at 10:00 AM Ada <ada@example.com> wrote:",
        "Am 02.03.2026 um 10:00 schrieb Ada:",
        "Le 2 mars 2026 à 10:00, Ada a écrit :",
        "El 2/3/26 a las 10:00, Ada escribió:",
        "2026年3月2日 10:00 Ada <ada@example.com>:",
        "> On 2 Mar 2026, at 10:00, Ada wrote:",
    ],
)
def test_programs_say_who_wrote(line: str) -> None:
    assert is_attribution(line)
    assert attribution_lines([line, "> x"], 0) == 1


@pytest.mark.parametrize(
    "line",
    ["I wrote to you twice.", "He wrote:", "This is what I need:", "On Monday it was dark.", ""],
)
def test_a_sentence_is_none(line: str) -> None:
    assert not is_attribution(line)
    assert attribution_lines([line, "x"], 0) == 0


def test_one_may_be_wrapped_and_does_not_begin_with_the_words_above_it() -> None:
    wrapped = ["On Mon, Mar 2, 2026 at 10:00 AM", "Ada <ada@example.com>", "wrote:", "> x"]
    assert attribution_lines(wrapped, 0) == 3
    assert attribution_lines(["Thanks", *wrapped], 0) == 0
    assert attribution_lines(["Thanks", *wrapped], 1) == 3


def test_who_wrote_is_said_before_a_colon() -> None:
    assert says_who_wrote("Ada wrote:")
    assert says_who_wrote("ada@example.com:")
    assert not says_who_wrote("Ada wrote")
    assert not says_who_wrote("x" * 600 + " wrote:")
