"""What decisions are made by, looked up by key: for one mail as it is asked, for a set of mails
beforehand and all at once.

A fact is a question to the database whose answers hang on a key: who has an address, which tickets
an id leads to. Whoever asks need not know whether others were asked about at the same time. Within
`of_a_set` an answer is kept, `ahead` asks for many keys in one query, and rows that the set itself
makes become part of the answers (`gains`). So deciding about a customer's mail needs no database
where its facts are known.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Generic, TypeVar

from django.db.models import Model

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
Row = TypeVar("Row", bound=Model)

_Known = dict["Fact[Any, Any]", dict[Any, Any]]
_known: ContextVar[_Known | None] = ContextVar("facts of a set", default=None)
_gains: dict[type[Model], list[Callable[[Any], None]]] = {}


@contextmanager
def of_a_set() -> Iterator[None]:
    """What is looked up is kept until the end. Only for a transaction in which nobody else changes
    it: whose keys are locked."""
    token = _known.set({})
    try:
        yield
    finally:
        _known.reset(token)


def forget() -> None:
    """Something was changed in a way that no fact knows of: all of it is looked up again."""
    if (known := _known.get()) is not None:
        known.clear()


def gained(row: Model) -> None:
    """A row that this set makes: it is part of what is known from now on, written or not."""
    if _known.get() is not None:
        for gain in _gains.get(type(row), ()):
            gain(row)


class Fact(Generic[K, V]):
    """An answer for each key.

    `read` answers for many keys in one query, and may leave out those for which there is `nothing`;
    `alone` is how one key is asked for outside a set, where that is quicker.
    """

    def __init__(
        self,
        read: Callable[[list[K]], Mapping[K, V]],
        nothing: Callable[[], V],
        *,
        alone: Callable[[K], V] | None = None,
    ) -> None:
        self._read, self._nothing, self._alone = read, nothing, alone

    def __call__(self, key: K) -> V:
        mine = self._mine()
        if mine is not None:
            if key not in mine:
                self.ahead([key])
            found: V = mine[key]
            return found
        if self._alone is not None:
            return self._alone(key)
        return self.all([key])[key]

    def all(self, keys: Iterable[K]) -> dict[K, V]:
        """The answer for each of the keys."""
        wanted = list(dict.fromkeys(keys))
        mine = self._mine()
        if mine is None:
            found = self._read(wanted) if wanted else {}
            return {key: found[key] if key in found else self._nothing() for key in wanted}
        self.ahead(wanted)
        return {key: mine[key] for key in wanted}

    def ahead(self, keys: Iterable[K]) -> None:
        """Looks up what is not known yet of these keys, in one query."""
        mine = self._mine()
        if mine is None:
            return
        if missing := [key for key in dict.fromkeys(keys) if key not in mine]:
            found = self._read(missing)
            mine.update((key, found[key] if key in found else self._nothing()) for key in missing)

    def is_known(self, key: K) -> bool:
        mine = self._mine()
        return mine is not None and key in mine

    def put(self, key: K, value: V) -> None:
        """The answer is that from now on, in this set."""
        mine = self._mine()
        if mine is not None:
            mine[key] = value

    def gains(self, made: type[Row], key: Callable[[Row], K], value: Callable[[Row], V]) -> None:
        """The answer for that key is `value` once such a row is made."""
        _gains.setdefault(made, []).append(lambda row: self.put(key(row), value(row)))

    def _mine(self) -> dict[K, V] | None:
        known = _known.get()
        return None if known is None else known.setdefault(self, {})


class Several(Fact[K, list[V]]):
    """A fact whose answer is several things, in their order."""

    def __init__(
        self,
        read: Callable[[list[K]], Mapping[K, list[V]]],
        *,
        alone: Callable[[K], list[V]] | None = None,
    ) -> None:
        super().__init__(read, list, alone=alone)

    def grows(
        self, made: type[Row], keys: Callable[[Row], Iterable[K]], value: Callable[[Row], V]
    ) -> None:
        """The answer for these keys has one more at its end once such a row is made."""

        def gain(row: Row) -> None:
            for key in keys(row):
                if self.is_known(key):
                    self(key).append(value(row))

        _gains.setdefault(made, []).append(gain)
