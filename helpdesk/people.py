"""Finding people by address. A person may have several; each address is one person's."""

from collections.abc import Iterable

from helpdesk.models import Person, PersonAddress


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
