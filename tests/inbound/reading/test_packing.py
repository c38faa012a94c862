import json

import pytest

from inbound.reading.message import Envelope
from inbound.reading.packing import pack, unpack
from inbound.reading.reading import read
from tests.inbound.reading.test_shapes import FOLDER


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.eml")), ids=lambda path: path.stem)
def test_what_is_unpacked_is_what_was_packed(path) -> None:  # type: ignore[no-untyped-def]
    """Through JSON, as from the process that read it."""
    reading = read(
        path.read_bytes(), Envelope("", ("support@example.com",)), {"support@example.com"}
    )
    packed, files = pack(reading)
    assert unpack(json.loads(json.dumps(packed)), files) == reading
