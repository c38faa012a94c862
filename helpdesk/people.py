"""Finding people by address. A person may have several; each address is one person's."""

from collections.abc import Iterable

from helpdesk.facts import Fact
from helpdesk.models import Person, PersonAddress
from inbound.prepared import PreparedRows, padded

NOWHERE = "@invalid"  # RFC 2606 2: the domain of the addresses that stand for people who named none


def can_be_written_to(person: Person) -> bool:
    return not person.email.endswith(NOWHERE)


def is_whole(address: str) -> bool:
    """Whether there is somebody and somewhere in it."""
    local, at, domain = address.rpartition("@")
    return bool(local and at and domain)


def find(address: str) -> Person | None:
    """The person with that address, whatever its case. For mail: see `who_signs_in`."""
    return by_address(plain(address))


def plain(address: str) -> str:
    """One spelling of an address, for signing in and for whatever is counted by address."""
    return address.strip().lower()


def who_signs_in(address: str) -> Person | None:
    """The person whom a password, a code or a link for that address lets in. One query, whosever it
    is: the time that it takes must not say."""
    return _with(plain(address), {"addresses__may_sign_in": True, "addresses__given_up_at": None})


def _with(address: str, condition: dict[str, object]) -> Person | None:
    # Not one WHERE with OR: PostgreSQL would look at everybody.
    further = Person.objects.filter(addresses__address=address, **condition)
    found = list(Person.objects.filter(email=address).union(further, all=True))
    return next(
        (person for person in found if person.email == address), found[0] if found else None
    )


def account(address: str) -> str:
    """What is counted for an account: one key, whichever of its addresses is given."""
    person = who_signs_in(address)
    return person.email if person else plain(address)


def find_all(addresses: Iterable[str]) -> dict[str, Person]:
    """Lower-case address → person, for those that are somebody's: two queries for any number."""
    found = by_address.all(address.lower() for address in addresses if address)
    return {address: person for address, person in found.items() if person is not None}


def _read(wanted: list[str]) -> dict[str, Person | None]:
    found: dict[str, Person | None] = {person.email: person for person in _by_email(padded(wanted))}
    if rest := set(wanted) - found.keys():
        extra = _by_further(padded(sorted(rest)))
        once = {person.pk: person for person in found.values() if person is not None}
        for row in extra:
            found[row.address] = once.setdefault(row.person_id, row.person)
    return found


_by_email = PreparedRows(lambda addresses: Person.objects.filter(email__in=addresses))
_by_further = PreparedRows(
    lambda addresses: PersonAddress.objects.filter(address__in=addresses).select_related("person")
)
# The person with that address, in lower case.
by_address: Fact[str, Person | None] = Fact(
    _read, lambda: None, alone=lambda address: _with(address, {})
)
by_address.gains(Person, lambda person: person.email, lambda person: person)
