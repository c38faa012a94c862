import pytest

from inbound.reading.quoting.dividers import is_divider, is_header_block, is_rule


@pytest.mark.parametrize(
    "line",
    [
        "-----Original Message-----",
        "-------- Weitergeleitete Nachricht --------",
        "---------- Forwarded message ---------",
        "-------- Message transféré --------",
        "##- Please type your reply above this line -##",
        "Begin forwarded message:",
    ],
)
def test_programs_draw_a_line(line: str) -> None:
    assert is_divider(line)


@pytest.mark.parametrize("line", ["Original Message", "- one thing -", "-----", "-" * 500, ""])
def test_what_people_write_is_none(line: str) -> None:
    assert not is_divider(line)


def test_a_rule_is_long() -> None:
    assert is_rule(" ________________________________ ")
    assert not is_rule("-----")


def test_a_header_is_a_block_of_three_lines_that_begins_with_from() -> None:
    block = ["Von: Ada", "Gesendet: Montag", "An: Cleo", "Betreff: x"]
    assert is_header_block(block, 0)
    assert not is_header_block(block, 1)
    assert not is_header_block(["From: the shop", "I got this", "and no more"], 0)
