"""Mail whose lines end otherwise than in CRLF or LF: its row, its ticket and its bytes."""

import pytest

from inbound.models import InboundMail
from tests.inbound.reading.test_lines import ENDS, made
from tests.support.mail import receive, ticket_of


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("ends", ENDS)
def test_its_row_is_found_by_what_it_says_and_its_bytes_stay(ends: str) -> None:
    raw = ENDS[ends](made())
    row = receive(raw)
    assert (row.message_id, row.from_address) == ("1@old.mac", "cleo@example.net")
    assert row.subject.startswith("Grüße aus der Küche")
    assert row.raw is not None
    assert row.raw.content == raw
    assert ticket_of(row).subject == row.subject
    answer = ENDS[ends](
        made().replace(b"<1@old.mac>", b"<2@old.mac>").replace(b"<b@old.mac>", b"<1@old.mac>")
    )
    assert (receive(answer).ticket_number, InboundMail.objects.count()) == (row.ticket_number, 2)
