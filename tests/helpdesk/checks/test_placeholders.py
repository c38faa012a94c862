"""What an admin can write into a text of their own is what a text is filled in with."""

import pytest

from helpdesk.checks import placeholders
from helpdesk.outbound import texts


def test_every_placeholder_that_may_be_written_is_filled_in_and_no_other() -> None:
    assert [*texts.PLACEHOLDERS] == placeholders.NAMES


def test_one_that_there_is_not_is_named_with_those_that_there_are() -> None:
    placeholders.check("Dear {{customer}}, {{ number }} {{UPPER}}")
    with pytest.raises(ValueError, match=r"There is no \{\{nmber\}\}\. There are: \{\{customer"):
        placeholders.check("{{customer}} {{nmber}}")
