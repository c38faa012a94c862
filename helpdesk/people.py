"""Finding people by address. A person may have several; each address is one person's."""

from collections.abc import Iterable

from helpdesk.models import Person, PersonAddress

NOWHERE = "@invalid"  # RFC 2606 2: the domain of the addresses that stand for people who named none


def can_be_written_to(person: Person) -> bool:
    return not person.email.endswith(NOWHERE)


def find(address: str) -> Person | None:
    """The person with that address, whatever its case."""
    return find_all([address]).get(address.lower())


def find_all(addresses: Iterable[str]) -> dict[str, Person]:
    """Lower-case address → person, for those that are somebody's: two queries for any number."""
    wanted = {address.lower() for address in addresses if address}
    if not wanted:
        return {}
    found = {person.email: person for person in Person.objects.filter(email__in=wanted)}
    if rest := wanted - found.keys():
        extra = PersonAddress.objects.filter(address__in=rest).select_related("person")
        found |= {row.address: row.person for row in extra}
    return found
