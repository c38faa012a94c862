"""What is kept encrypted, as its row holds it, as Python sees it, and after its key has gone."""

from typing import Any

import pytest
from django.db import connection

from inbound.models import ImapAccount
from inbound.secrets import Locked, Unreadable, decrypt, encrypt, unsealed
from tests.support.mail import mailbox


def test_what_is_encrypted_is_another_text_each_time_and_decrypts_to_what_it_was() -> None:
    first, second = encrypt("pässword"), encrypt("pässword")
    assert first != second
    assert "pässword" not in first
    assert decrypt(first) == decrypt(second) == "pässword"


def test_nothing_stays_nothing() -> None:
    assert (encrypt(""), decrypt(""), unsealed("")) == ("", "", "")


@pytest.mark.parametrize("token", ["no token", "gAAAAAB", encrypt.__name__ * 20])
def test_what_is_no_token_is_unreadable_and_its_words_do_not_stand_in_the_error(token: str) -> None:
    with pytest.raises(Unreadable, match="FERNET_KEYS") as raised:
        decrypt(token)
    assert token not in str(raised.value)


def test_the_first_key_encrypts(settings: Any) -> None:
    before = list(settings.FERNET_KEYS)
    settings.FERNET_KEYS = ["n" * 40, *before]
    token = encrypt("hello")
    settings.FERNET_KEYS = before
    with pytest.raises(Unreadable):
        decrypt(token)


def test_a_fault_of_keys_is_temporary() -> None:
    assert issubclass(Unreadable, OSError)


def account(secret: str) -> ImapAccount:
    made = ImapAccount.objects.create(
        mailbox=mailbox(), host="imap.example.com", username="support", secret=secret
    )
    return ImapAccount.objects.get(pk=made.pk)


def stored(row: ImapAccount) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM inbound_imapaccount WHERE id = %s", [row.pk])
        return str(cursor.fetchone()[0])


@pytest.mark.django_db
def test_the_database_holds_a_sealed_field_encrypted_and_python_sees_it_plain() -> None:
    row = account("s3cret-word")
    assert "s3cret-word" not in stored(row)
    assert unsealed(row.secret) == "s3cret-word"


@pytest.mark.django_db
def test_a_row_whose_key_is_gone_is_read_and_saved_as_it_is_and_raises_where_it_is_used(
    settings: Any,
) -> None:
    row = account("s3cret-word")
    before, settings.FERNET_KEYS = settings.FERNET_KEYS, ["n" * 40]
    held = stored(row)
    locked = ImapAccount.objects.get(pk=row.pk)
    assert isinstance(locked.secret, Locked)
    with pytest.raises(Unreadable, match="enter it again"):
        unsealed(locked.secret)
    locked.is_active = False
    locked.save()
    assert stored(row) == held
    settings.FERNET_KEYS = before  # the key is put back
    assert unsealed(ImapAccount.objects.get(pk=row.pk).secret) == "s3cret-word"
