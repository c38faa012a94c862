"""Passwords of servers that the staff site keeps, from the side of an admin who would like to know
them."""

import pytest

from helpdesk.models import Person
from inbound.models import ImapAccount
from tests.support.mail import mailbox

pytestmark = pytest.mark.django_db


def imap_form(row: ImapAccount, *, prefix: str = "", **changes: str) -> dict[str, str]:
    form = {
        "mailbox": str(row.mailbox_id),
        "is_active": "on",
        "first_contact": "recent",
        "folder": "INBOX",
        "move_to": "",
        "host": row.host,
        "port": str(row.port),
        "security": row.security,
        "username": row.username,
        "auth": row.auth,
        "secret": "",
        "token_url": row.token_url,
        "client_id": row.client_id,
        "client_secret": "",
        "scope": "",
        "token_expires_at_0": "",
        "token_expires_at_1": "",
        "id": str(row.pk),
        **changes,
    }
    return {prefix + name: value for name, value in form.items()}


def an_account(**fields: str) -> ImapAccount:
    return ImapAccount.objects.create(
        mailbox=mailbox(),
        host="imap.example.com",
        username="support",
        secret="s3cret-word",
        **fields,
    )


MAILBOX_FORM = {
    "address": "support@example.com",
    "name": "X",
    "is_active": "on",
    "on_closed": "reopen",
    "sender_policy": "hold",
    "plus_addressing": "on",
    "spam_header": "",
    "identity-TOTAL_FORMS": "0",
    "identity-INITIAL_FORMS": "0",
    "imap_accounts-TOTAL_FORMS": "1",
    "imap_accounts-INITIAL_FORMS": "1",
}


ELSEWHERE = {
    "host": "thief.example.org",
    "port": "1993",
    "security": "starttls",
    "username": "other",
    "auth": "xoauth2",
    "token_url": "https://thief.example.org/token",
}


@pytest.mark.parametrize(
    ("field", "inline"),
    [
        *((field, False) for field in ELSEWHERE),
        *((field, True) for field in ELSEWHERE if field != "token_url"),
    ],
)
def test_a_stored_password_goes_to_no_other_server_without_being_entered_again(
    client, field: str, inline: bool
) -> None:
    value = ELSEWHERE[field]
    row = an_account(token_url="https://oauth.example.com/token", client_id="us")
    client.force_login(Person.objects.create_superuser("root@example.com", "x"))

    def saved(**changes: str) -> str:
        if inline:
            url, form = f"/admin/inbound/mailbox/{row.mailbox_id}/change/", MAILBOX_FORM
            form = form | imap_form(row, prefix="imap_accounts-0-", **changes)
        else:
            url, form = f"/admin/inbound/imapaccount/{row.pk}/change/", imap_form(row, **changes)
        return client.post(url, form).content.decode()

    assert "Enter it again: it was stored for another" in saved(**{field: value})
    found = ImapAccount.objects.get(pk=row.pk)
    assert getattr(found, field) == getattr(row, field)
    assert saved() == ""  # what goes nowhere else is kept
    assert ImapAccount.objects.get(pk=row.pk).secret == "s3cret-word"
    assert saved(**{field: value}, secret="another") == ""
    found = ImapAccount.objects.get(pk=row.pk)
    assert (str(getattr(found, field)), found.secret) == (value, "another")


def test_a_client_secret_goes_to_no_other_token_endpoint_without_being_entered_again(
    client,
) -> None:
    row = an_account(
        auth="xoauth2",
        token_url="https://oauth.example.com/token",
        client_id="us",
        client_secret="cl13nt",
    )
    client.force_login(Person.objects.create_superuser("root@example.com", "x"))
    form = imap_form(row, token_url="https://thief.example.org/token", secret="another")
    url = f"/admin/inbound/imapaccount/{row.pk}/change/"
    assert (
        "Enter it again: it was stored for another token endpoint"
        in client.post(url, form).content.decode()
    )
    assert ImapAccount.objects.get(pk=row.pk).token_url == "https://oauth.example.com/token"
    assert client.post(url, form | {"client_secret": "-"}).status_code == 302
    found = ImapAccount.objects.get(pk=row.pk)
    assert (found.token_url, found.client_secret) == ("https://thief.example.org/token", "")
