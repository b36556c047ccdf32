"""What a store in SQL needs of its database: that calls are run there, each in one transaction."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

from hector_nb.stores.sql_database import Database
from hector_nb.stores.sql_holders import SignsOfLife
from hector_nb.stores.sql_vectors import VectorFinder
from hector_nb.stores.watches import Watches

T = TypeVar("T")


class SQLConnections(ABC):
    """An open database: a call on it is a job for one of its threads."""

    _watches: Watches
    _signs: SignsOfLife
    _vectors: VectorFinder

    @abstractmethod
    async def aopen(self) -> None:
        """See `Store`."""

    @abstractmethod
    async def aclose(self) -> None:
        """See `Store`."""

    @abstractmethod
    async def _write(self, call: Callable[[Database], T]) -> T: ...

    @abstractmethod
    async def _read(self, call: Callable[[Database], T]) -> T: ...

    @abstractmethod
    def _look_up(self) -> None:
        """Somebody begins to watch."""

    def _living(self, holder: str, call: Callable[[Database], T]) -> Callable[[Database], T]:
        """The call, after which others can see whether this holder lives."""

        def living(database: Database) -> T:
            self._signs.hold(database, holder)
            return call(database)

        return living
