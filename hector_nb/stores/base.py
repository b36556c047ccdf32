"""The port to the database. It keeps sessions with their messages, turns with their event logs, approvals, and what is remembered.

A method is one transaction. What it returns is durable, so a message is safe once `begin_turn` has returned. A write is carried
out even if its caller is cancelled while it waits, and the writes of one process in the order of their calls. Several processes
may use one store.
"""

from typing import Protocol

from hector_nb.stores.base_approvals import ApprovalStore
from hector_nb.stores.base_memories import MemoryStore
from hector_nb.stores.base_sessions import SessionStore
from hector_nb.stores.base_turns import TurnStore


class Store(SessionStore, TurnStore, MemoryStore, ApprovalStore, Protocol):
    """The truth. All methods raise `StoreError` where the database fails, `StoreFull` where it has no room left."""

    async def aopen(self) -> None:
        """Open the database and bring its schema up to date."""
        ...

    async def aclose(self) -> None:
        """Finish pending writes and close."""
        ...

    async def sweep(self, *, limit: int = 500) -> int:
        """Erase a bounded number of event logs and idempotency keys whose time has passed; how many.

        A one-off session is erased with its event log. For the bytes of the files the same holds as for `delete_session`.
        """
        ...
