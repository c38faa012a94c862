"""What the API is asked about: a ticket, and an installation's own fields."""

import pytest

from helpdesk.models import (
    CustomField,
    Ticket,
)
from tests.support.api import a_ticket


@pytest.fixture
def ticket() -> Ticket:
    return a_ticket()


@pytest.fixture
def custom() -> None:
    make = CustomField.objects.create
    make(slug="serial", label="Serial")
    make(slug="floor", label="Floor", kind="number")
    make(slug="since", label="Since", kind="date")
    make(slug="size", label="Size", kind="choice", choices="small\nlarge")
    make(slug="urgent", label="Urgent", kind="checkbox")
    make(slug="margin", label="Margin", for_customers=False)
