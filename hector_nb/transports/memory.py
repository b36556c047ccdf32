"""REST: the memory of sessions. What is remembered, what a model saw, correcting and forgetting."""

from hector_nb.errors import InvalidRequest
from hector_nb.transports.bodies import Correction, Nothing, read_limit
from hector_nb.transports.handlers import RestHandler, check_session_id, guarded
from hector_nb.wire.memory_codec import encode_ledger, encode_memory, encode_recalled, encode_session_memory


class MemoryHandler(RestHandler):
    """`/agents/{agent}/sessions/{id}/memory`."""

    @guarded("read")
    async def get(self, agent: str, session_id: str) -> None:
        """What the model would see now, and one page of the memories that the session may recall, newest first."""
        memory = await (await self.service()).get_memory(
            agent,
            check_session_id(session_id),
            limit=read_limit(self.query("limit"), default=50),
            cursor=self.query("cursor") or None,
        )
        self.reply(encode_session_memory(memory))


class MemorySearchHandler(RestHandler):
    """`/agents/{agent}/sessions/{id}/memory/search`."""

    @guarded("read")
    async def get(self, agent: str, session_id: str) -> None:
        """The memories that a text would recall, best first."""
        query = self.query("q")
        if query is None:
            raise InvalidRequest("`q` is missing.", hint="Say what to look for, for example ?q=birthday.")
        limit = read_limit(self.query("limit"), default=10)
        found = await (await self.service()).search_memory(agent, check_session_id(session_id), query, limit=limit)
        self.reply({"memories": [encode_recalled(each) for each in found]})


class OneMemoryHandler(RestHandler):
    """`/agents/{agent}/sessions/{id}/memory/{mem_id}`."""

    @guarded("write")
    async def patch(self, agent: str, session_id: str, memory_id: str) -> None:
        """Correct a memory; that is what is recalled from now on."""
        service = await self.service()
        await service.get_session(agent, check_session_id(session_id))
        text = self.body(Correction).text
        self.reply(encode_memory(await service.correct_memory(agent, session_id, memory_id, text)))

    @guarded("write")
    async def delete(self, agent: str, session_id: str, memory_id: str) -> None:
        """Erase a memory."""
        await (await self.service()).forget_memory(agent, check_session_id(session_id), memory_id)
        self.set_status(204)
        self.finish()


class RestoreHandler(RestHandler):
    """`/agents/{agent}/sessions/{id}/memory/{mem_id}/restore`."""

    @guarded("write")
    async def post(self, agent: str, session_id: str, memory_id: str) -> None:
        """Put back a memory that was forgotten a moment ago."""
        self.body(Nothing)
        memory = await (await self.service()).restore_memory(agent, check_session_id(session_id), memory_id)
        self.reply(encode_memory(memory))


class TurnContextHandler(RestHandler):
    """`/agents/{agent}/turns/{turn_id}/context`."""

    @guarded("read")
    async def get(self, agent: str, turn_id: str) -> None:
        """What a turn's model saw, whatever the session; so it is for one-off turns."""
        self.reply(encode_ledger(await (await self.service()).get_context(agent, turn_id)))


class ContextHandler(RestHandler):
    """`/agents/{agent}/sessions/{id}/turns/{turn_id}/context`."""

    @guarded("read")
    async def get(self, agent: str, session_id: str, turn_id: str) -> None:
        """What a turn's model saw."""
        ledger = await (await self.service()).get_context(agent, turn_id, session_id=check_session_id(session_id))
        self.reply(encode_ledger(ledger))
