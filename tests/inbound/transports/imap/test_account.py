"""What an IMAP account is, and which folders are one."""

import importlib

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError

from inbound.imap_folders import is_same_folder
from inbound.models import ImapAccount, ImapCursor, ImapPassedOver, InboundMail, Mailbox
from inbound.reading.message import Envelope
from inbound.store import accept
from inbound.transports.imap.account import read_account
from inbound.transports.imap.accounts import accounts, of_row
from tests.support.mail import SUPPORT, eml, mailbox

URL = "imaps://cleo:secret@imap.example.com/Support?mailbox=support@example.com"

SAME = [
    ("INBOX", "inbox"),
    ("INBOX", "Inbox/"),
    ("INBOX", '"InBox"'),
    ("INBOX", " INBOX"),
    ("Support", "Support/"),
    ("Support", "Support."),
    ("Support", '"Support"'),
    ("Support", "/Support"),
    ("Entwürfe", "Entw&APw-rfe"),
    ("Entwürfe", "Entwu\u0308rfe"),
    ("INBOX/Support", "inbox/Support"),
    ("A & B", "A &- B"),
]
DIFFERENT = [
    ("INBOX", "Inboxes"),
    ("INBOX", "INBOX/Done"),
    ("Support", "support"),
    ("Support", "INBOX.Support"),
    ("INBOX", ""),
    ("[Gmail]/All Mail", "INBOX"),
    ("A&B", "A&B-"),
    ("Done", "Done/Done"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_two_ways_to_write_a_folder_are_one(one: str, other: str) -> None:
    assert is_same_folder(one, other)
    assert is_same_folder(other, one)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_two_folders_are_two(one: str, other: str) -> None:
    assert not is_same_folder(one, other)


def test_a_prefix_of_the_servers_for_its_users_own_folders_is_left_out() -> None:
    assert is_same_folder("INBOX.Support", "Support", ["Inbox."])
    assert is_same_folder("INBOX", "INBOX.INBOX", ["INBOX."])
    assert not is_same_folder("INBOX.Support", "Done", ["INBOX."])


def test_an_address_with_all_its_options_is_read() -> None:
    found = read_account(f"{URL}&first=all&move_to=Done%20%26%20dusted")
    assert (found.first_contact, found.move_to, found.mailbox) == (
        "all",
        "Done & dusted",
        "support@example.com",
    )
    assert read_account("imaps://cleo:secret@imap.example.com/inbox").folder == "INBOX"
    assert (
        read_account("imaps://cleo:secret@IMAP.example.com").name
        == "cleo@imap.example.com:993/INBOX"
    )
    assert read_account("imaps://j%C3%B6rg:p%C3%A4ss@imap.example.com").password == "päss"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("&move_to=Support", "move_to= is the watched folder itself"),
        ("&move_to=Support%2F", "move_to= is the watched folder itself"),
        ("&first=unred", "first= must be one of recent, unread, all, nothing"),
        ("&moveto=Done", "moveto= is no option: there are mailbox=, first=, move_to="),
    ],
)
def test_an_option_that_is_none_is_refused(options: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as refused:
        read_account(URL + options)
    assert "secret" not in str(refused.value)


def row(**fields: object) -> ImapAccount:
    fields = {"host": "imap.example.com", "username": "cleo", "secret": "secret", **fields}
    return ImapAccount(mailbox=mailbox(), **fields)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("folder", "move_to"), [(one, other) for one, other in SAME if one == one.strip()]
)
def test_the_form_refuses_to_move_mail_to_the_watched_folder(folder: str, move_to: str) -> None:
    with pytest.raises(ValidationError) as refused:
        row(folder=folder, move_to=move_to).full_clean()
    assert list(refused.value.message_dict) == ["move_to"]
    row(folder=folder, move_to="Done").full_clean()


@pytest.mark.django_db
def test_two_accounts_for_one_folder_are_refused_and_watched_once(settings) -> None:
    row().save()
    second = row(host="IMAP.example.com", folder="Inbox")
    with pytest.raises(ValidationError) as refused:
        second.full_clean()
    assert list(refused.value.message_dict) == ["folder"]
    row(folder="Support").full_clean()
    second.save()  # as it was before
    settings.IMAP_ACCOUNTS = [read_account("imaps://cleo:secret@imap.example.com/inbox")]
    assert [account.name for account in accounts()] == ["cleo@imap.example.com:993/INBOX"]


@pytest.mark.django_db
def test_what_was_read_under_another_way_to_write_the_account_is_known_after_the_upgrade() -> None:
    Mailbox.objects.get_or_create(address=SUPPORT)
    old, other = "a@b@IMAP.example.com:993/Inbox", "x@imap.example.com:993/Support"
    for name in (old, other):
        ImapCursor.objects.create(account=name, uid_validity=3, last_uid=9)
        ImapPassedOver.objects.create(account=name, uid_validity=3, uid=8, reason="broken")
        accept(
            eml(name, message_id="a@imap"),
            Envelope(None, (SUPPORT,)),
            "imap",
            key=f"imap:{name}:3:9",
        )
    migration = importlib.import_module("inbound.migrations.0011_imap_leases")
    migration.as_it_was(apps, None)
    names = {"a@b@imap.example.com:993/INBOX", other}
    assert of_row(row(host="IMAP.example.com", username="a@b", folder="Inbox")).name in names
    assert set(ImapCursor.objects.values_list("account", "moved_uid")) == {
        (name, 9) for name in names
    }
    assert set(ImapPassedOver.objects.values_list("account", flat=True)) == names
    assert set(InboundMail.objects.values_list("transport_key", flat=True)) == {
        f"imap:{name}:3:9" for name in names
    }
