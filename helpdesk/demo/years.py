"""A helpdesk after years of work: as many tickets as asked for, each with three comments, its
history, its mail both ways and its ids, written straight into the tables."""

from collections.abc import Iterator
from datetime import timedelta

from helpdesk import search
from helpdesk.demo.bulk import loading
from helpdesk.demo.conversations import add_conversation
from helpdesk.demo.stock import TICKETS_EACH, Told, Years
from helpdesk.demo.words import FIRST_NAMES, LAST_NAMES, SHARES
from helpdesk.models import (
    Ticket,
)

YEARS = 3
CHUNK = 20_000


def fill(count: int) -> Iterator[int]:
    """Writes `count` tickets into a helpdesk that has none; says now and then how many there are.
    All of them are there in the end, or none. ValueError where there are tickets already."""
    if Ticket.objects.exists():
        raise ValueError("there are tickets already: so many are made in an empty helpdesk alone")
    years = Years(count)
    with loading(years.all, search.TABLE):
        _write_people(years)
        for start in range(0, count, CHUNK):
            for number in range(start, min(count, start + CHUNK)):
                _add_ticket(years, number)
            for table in years.all:
                table.write()
            yield min(count, start + CHUNK)
        search.index_all()


def _write_people(years: Years) -> None:
    for number in range(max(1, years.count // TICKETS_EACH)):
        years.people.add(
            (years.first_person + number, *_customer(number), years.now - timedelta(365 * YEARS))
        )
    years.people.write()


def _customer(number: int) -> tuple[str, str]:
    """Address and name: many share a name, nobody an address."""
    first = FIRST_NAMES[number % len(FIRST_NAMES)]
    last = LAST_NAMES[number // len(FIRST_NAMES) % len(LAST_NAMES)]
    return f"customer{number}@mail{number % 997}.example.org", f"{first} {last}"


def _add_ticket(years: Years, number: int) -> None:
    """The oldest has the lowest number. The last two of a hundred are mostly unsolved."""
    chance, count = years.chance.random, years.count
    pk = number + 1
    who = years.chance.randrange(max(1, count // TICKETS_EACH))
    opened = years.now - timedelta(seconds=YEARS * 365 * 86400 * (1 - (number + chance()) / count))
    first = min(opened + timedelta(minutes=40 + 400 * chance()), years.now)
    last = min(first + timedelta(minutes=60 + 3000 * chance()), years.now)
    status = _status(chance(), is_recent=number > count * 0.98)
    agent = None if status == "open" else years.chance.choice(years.agents)
    mailbox = years.mailboxes[max(0, int(chance() * 6) - 3)]
    language = years.chance.choices(years.languages, weights=[*SHARES.values()])[0]
    subject = f"{years.chance.choice(language.subjects)} {pk}"
    years.tickets.add(
        (
            pk,
            subject,
            years.first_person + who,
            mailbox,
            years.chance.choice(years.teams) if chance() < 0.8 else None,
            years.chance.choice(years.categories) if chance() < 0.5 else None,
            agent,
            status,
            int(1 + 3.999 * chance() ** 1.5),
            opened,
            last,
            chance() < 0.002,
            chance() < 0.05,
            last if status == "closed" else None,
            last if status == "open" else None,
            first,
        )
    )
    if chance() < 0.2:
        years.tagged.add((years.chance.choice(years.tags), pk))
    years.participants.add((pk, years.first_person + who, opened))
    address, name = _customer(who)
    answers = agent or years.chance.choice(years.agents)
    times = (opened, first, last)
    person = years.first_person + who
    add_conversation(
        years, Told(pk, mailbox, person, address, name, answers, times, subject, language)
    )


def _status(at: float, *, is_recent: bool) -> str:
    if not is_recent:
        return "closed" if at < 0.985 else "resolved"
    return (
        "open" if at < 0.35 else "assigned" if at < 0.75 else "pending" if at < 0.85 else "resolved"
    )
