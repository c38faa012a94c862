"""The mailbox that stands for the installation."""

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from helpdesk.models import OutboundMail
from inbound.default_mailbox import default_mailbox
from inbound.models import Mailbox
from tests.support.api import Api
from tests.support.mail import mailbox

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _none_yet() -> None:
    Mailbox.objects.all().delete()


def test_there_is_none_where_there_is_no_mailbox() -> None:
    assert default_mailbox() is None
    assert default_mailbox("identity") is None


def test_it_is_the_one_that_was_there_first_whatever_its_address() -> None:
    first = Mailbox.objects.create(address="zebra@example.com")
    Mailbox.objects.create(address="apes@example.com")
    assert default_mailbox() == first
    assert default_mailbox("identity") == first


def test_one_that_is_switched_off_is_not_taken() -> None:
    Mailbox.objects.create(address="former@example.com", is_active=False)
    assert default_mailbox() is None
    now = Mailbox.objects.create(address="support@example.com")
    assert default_mailbox() == now
    assert default_mailbox("identity") == now


def test_what_is_asked_for_with_it_is_read_in_the_same_query() -> None:
    Mailbox.objects.create(address="support@example.com")
    with CaptureQueriesContext(connection) as seen:
        found = default_mailbox("identity")
        assert getattr(found, "identity", None) is None
    assert len(seen) == 1


def test_no_code_goes_out_in_the_name_of_a_mailbox_that_is_switched_off() -> None:
    cache.clear()
    Mailbox.objects.filter(pk=mailbox("old@example.com").pk).update(is_active=False)
    desk = mailbox("desk@example.com")
    mailbox("sales@example.com")
    Api()("POST", "/api/send_otp/", {"email": "cleo@example.net"})
    assert OutboundMail.objects.get(kind="code").mailbox == desk
