from inbound.reading.mime.flowed import unflow


def test_soft_breaks_are_undone_and_hard_ones_stay() -> None:
    assert unflow("one \ntwo\nthree", delsp=False) == "one two\nthree"
    assert unflow("on \ne", delsp=True) == "one"


def test_a_line_flows_into_its_own_quotation_alone() -> None:
    assert unflow("> a \n> b\nc", delsp=False) == "> a b\nc"
    assert unflow("> a \nb", delsp=False) == "> a \nb"


def test_the_line_above_a_signature_is_no_soft_break_and_a_space_that_was_stuffed_goes() -> None:
    assert unflow("a\n-- \nCleo", delsp=False) == "a\n-- \nCleo"
    assert unflow(" > no quotation", delsp=False) == "> no quotation"
