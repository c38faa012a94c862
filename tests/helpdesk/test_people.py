"""Many people at once: who is there stays as they are, who is not is made."""

import threading

import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from helpdesk import actions
from helpdesk.models import Person, PersonAddress
from tests.support.mail import agent, customer

pytestmark = pytest.mark.django_db


def test_who_is_missing_is_made_and_who_is_there_is_only_filled_in() -> None:
    cleo, ada, bare = customer(), agent(), Person.objects.create_user("bare@example.net")
    other = Person.objects.create_user("other@example.net", name="Other")
    PersonAddress.objects.create(person=other, address="second@example.net")
    Person.objects.filter(pk=ada.pk).update(language="")
    found = actions.people_for(
        {
            "Cleo@example.net": ("Somebody Else", "de"),
            "ada@example.com": ("X", "de"),
            "bare@example.net": ("Bare", "fr"),
            "second@example.net": ("Y", ""),
            "new@example.net": ("N" * 300, "es"),
            "nameless@example.net": ("", ""),
        }
    )
    assert set(found) == {
        "cleo@example.net",
        "ada@example.com",
        "bare@example.net",
        "second@example.net",
        "new@example.net",
        "nameless@example.net",
    }
    assert [
        found[a].pk
        for a in ("cleo@example.net", "ada@example.com", "bare@example.net", "second@example.net")
    ] == [
        cleo.pk,
        ada.pk,
        bare.pk,
        other.pk,
    ]
    for person in found.values():
        fresh = Person.objects.get(pk=person.pk)
        assert (fresh.name, fresh.language, fresh.role) == (
            person.name,
            person.language,
            person.role,
        )
    assert (found["cleo@example.net"].name, found["cleo@example.net"].language) == ("Cleo", "de")
    assert (found["ada@example.com"].name, found["ada@example.com"].language) == ("Ada", "")
    assert (found["bare@example.net"].name, found["bare@example.net"].language) == ("Bare", "fr")
    new = found["new@example.net"]
    assert (new.name, new.language, new.role, new.has_usable_password()) == (
        "N" * 200,
        "es",
        "user",
        False,
    )


def test_a_hundred_new_people_take_a_few_statements_and_known_ones_a_query() -> None:
    wanted = {f"p{n}@example.net": (f"P {n}", "en") for n in range(100)}
    with CaptureQueriesContext(connection) as asked:
        made = actions.people_for(wanted)
    assert len(made) == 100
    assert len(asked) <= 6
    with CaptureQueriesContext(connection) as asked:
        assert actions.people_for(wanted) == made
    assert len(asked) == 1
    assert actions.people_for({}) == {}


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(ValueError, match="e-mail address"):
        actions.people_for({"nobody": ("", ""), "a@example.net": ("", "")})
    assert not Person.objects.filter(email="a@example.net").exists()


@pytest.mark.django_db(transaction=True)
def test_two_who_make_the_same_people_in_opposite_orders_both_get_them() -> None:
    rounds, failed, together = 40, list[BaseException](), threading.Barrier(2)

    def work(is_backwards: bool) -> None:
        try:
            for number in range(rounds):
                addresses = [f"r{number}-{n}@example.net" for n in range(6)]
                together.wait(30)
                with transaction.atomic():
                    found = actions.people_for(
                        {a: (a, "en") for a in (addresses[::-1] if is_backwards else addresses)}
                    )
                    assert sorted(found) == addresses
                    assert len({person.pk for person in found.values()}) == 6
        except BaseException as error:
            failed.append(error)
            together.abort()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(backwards,)) for backwards in (False, True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert Person.objects.filter(email__startswith="r").count() == rounds * 6


@pytest.mark.django_db(transaction=True)
def test_two_who_fill_in_the_same_people_in_opposite_orders_both_do() -> None:
    rounds, failed, together = 30, list[BaseException](), threading.Barrier(2)
    for number in range(rounds):
        for n in range(2):
            other = Person.objects.create_user(f"f{number}-{1 - n}@example.net")
            PersonAddress.objects.create(person=other, address=f"further{number}-{n}@example.net")

    def work(kind: str) -> None:
        try:
            for number in range(rounds):
                together.wait(30)
                with transaction.atomic():
                    actions.people_for(
                        {f"{kind}{number}-{n}@example.net": (f"Name {n}", "") for n in range(2)}
                    )
        except BaseException as error:
            failed.append(error)
            together.abort()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(kind,)) for kind in ("f", "further")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
