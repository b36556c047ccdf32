"""REST: agents, sessions, messages. JSON in, JSON out; one handler for each path, listed in `routes.py`."""

import asyncio

from hector_nb.service import SendMessage, SessionService, TurnStream, collect
from hector_nb.sessions import STATUSES, Session
from hector_nb.transports.bodies import (
    CancelTurn,
    HistoryPoint,
    NewMessage,
    NewSession,
    Nothing,
    SessionChange,
    read_choice,
    read_flag,
    read_limit,
)
from hector_nb.transports.handlers import RestHandler, check_session_id, guarded
from hector_nb.wire import openapi
from hector_nb.wire.codec import (
    encode_agent,
    encode_message,
    encode_page,
    encode_reply,
    encode_session,
    encode_tool,
    encode_turn,
)


class AgentsHandler(RestHandler):
    """`/agents`."""

    @guarded("read")
    async def get(self) -> None:
        """The agents, with model, tools and memory settings."""
        agents = await (await self.service()).list_agents()
        self.reply({"agents": [encode_agent(agent) for agent in agents]})


class ToolsHandler(RestHandler):
    """`/agents/{agent}/tools`."""

    @guarded("read")
    async def get(self, agent: str) -> None:
        """What the agent can call now."""
        tools = await (await self.service()).list_tools(agent)
        self.reply({"tools": [encode_tool(tool) for tool in tools]})


class AllSessionsHandler(RestHandler):
    """`/hector/sessions`."""

    @guarded("read")
    async def get(self) -> None:
        """One page of the caller's sessions with every agent, newest activity first."""
        await reply_with_sessions(self, None)


class AnySessionHandler(RestHandler):
    """`/hector/sessions/{id}`."""

    @guarded("read")
    async def get(self, session_id: str) -> None:
        """One session, whatever its agent."""
        self.reply(encode_session(await (await self.service()).find_session(check_session_id(session_id))))


class SessionsHandler(RestHandler):
    """`/agents/{agent}/sessions`."""

    @guarded("write")
    async def post(self, agent: str) -> None:
        """Create a session: 201; the same id again: 200 and the same session."""
        service = await self.service()
        await service.get_agent(agent)
        body = self.body(NewSession)
        session, created = await service.create_session(
            agent,
            session_id=body.session_id,
            title=body.title,
            metadata=body.metadata,
            idempotency_key=self.idempotency_key,
        )
        reply_with_session(self, session, created=created)

    @guarded("read")
    async def get(self, agent: str) -> None:
        """One page of the caller's sessions with this agent, newest activity first."""
        await reply_with_sessions(self, agent)


class SessionHandler(RestHandler):
    """`/agents/{agent}/sessions/{id}`."""

    @guarded("read")
    async def get(self, agent: str, session_id: str) -> None:
        """One session."""
        session = await (await self.service()).get_session(agent, check_session_id(session_id))
        self.reply(encode_session(session))

    @guarded("write")
    async def patch(self, agent: str, session_id: str) -> None:
        """Change title or metadata."""
        service = await self.service()
        await service.get_session(agent, check_session_id(session_id))
        body = self.body(SessionChange)
        session = await service.update_session(agent, session_id, title=body.title, metadata=body.metadata)
        self.reply(encode_session(session))

    @guarded("write")
    async def delete(self, agent: str, session_id: str) -> None:
        """Stop what runs in it, then erase it."""
        forget = read_flag("forget", self.query("forget")) or False
        await (await self.service()).delete_session(agent, check_session_id(session_id), forget=forget)
        self.set_status(204)
        self.finish()


class EndHandler(RestHandler):
    """`/agents/{agent}/sessions/{id}/end`."""

    @guarded("write")
    async def post(self, agent: str, session_id: str) -> None:
        """Stop what runs in it and mark it complete; it stays readable."""
        self.body(Nothing)
        self.reply(encode_session(await (await self.service()).end_session(agent, check_session_id(session_id))))


class ForkHandler(RestHandler):
    """`/agents/{agent}/sessions/{id}/fork`."""

    @guarded("write")
    async def post(self, agent: str, session_id: str) -> None:
        """A new session that shares this one's history, up to a message or whole."""
        after = self.body(HistoryPoint).after
        session = await (await self.service()).fork_session(agent, check_session_id(session_id), after=after)
        reply_with_session(self, session, created=True)


class RewindHandler(RestHandler):
    """`/agents/{agent}/sessions/{id}/rewind`."""

    @guarded("write")
    async def post(self, agent: str, session_id: str) -> None:
        """The same session without what follows a message, or emptied."""
        after = self.body(HistoryPoint).after
        session = await (await self.service()).rewind_session(agent, check_session_id(session_id), after=after)
        self.reply(encode_session(session))


class MessagesHandler(RestHandler):
    """`/agents/{agent}/sessions/{id}/messages`."""

    @guarded("execute")
    async def post(self, agent: str, session_id: str) -> None:
        """Send a message and wait for the whole answer."""
        await answer(self, agent, check_session_id(session_id))

    @guarded("read")
    async def get(self, agent: str, session_id: str) -> None:
        """One page of the transcript, each oldest first; with `order=newest` the last page comes first."""
        page = await (await self.service()).list_messages(
            agent,
            check_session_id(session_id),
            limit=read_limit(self.query("limit"), default=100, most=1000),
            cursor=self.query("cursor") or None,
            newest=read_choice("order", self.query("order"), ("oldest", "newest")) == "newest",
        )
        self.reply(encode_page(page, "messages", encode_message))


class OneOffMessagesHandler(RestHandler):
    """`/agents/{agent}/messages`."""

    @guarded("execute")
    async def post(self, agent: str) -> None:
        """Ask once, without a session of one's own."""
        await answer(self, agent, None)


class CancelHandler(RestHandler):
    """`/agents/{agent}/sessions/{id}/cancel`."""

    @guarded("execute")
    async def post(self, agent: str, session_id: str) -> None:
        """Stop the running turn; what was said so far is kept."""
        service = await self.service()
        turn = await service.cancel_turn(agent, check_session_id(session_id), turn_id=self.body(CancelTurn).turn_id)
        self.reply({"cancelled": turn is not None, "turn": encode_turn(turn) if turn else None})


class ContractHandler(RestHandler):
    """`/hector/openapi.json`."""

    @guarded("read")
    async def get(self) -> None:
        """What this API is, as an OpenAPI document."""
        self.finish(await asyncio.to_thread(openapi.served, self.settings["base_url"]))


async def reply_with_sessions(handler: RestHandler, agent: str | None) -> None:
    """Answer with the page of the caller's sessions that the query asks for."""
    status = read_choice("status", handler.query("status"), STATUSES)
    page = await (await handler.service()).list_sessions(
        agent,
        limit=read_limit(handler.query("limit"), default=50),
        cursor=handler.query("cursor") or None,
        status=status,
        query=handler.query("q") or None,
    )
    handler.reply(encode_page(page, "sessions", encode_session))


def reply_with_session(handler: RestHandler, session: Session, *, created: bool) -> None:
    """Answer with a session and where it is: 201 if it is new."""
    folder = handler.request.path.partition("/sessions")[0]
    handler.set_header("Location", f"{folder}/sessions/{session.session_id}")
    handler.reply(encode_session(session), status=201 if created else 200)


async def start_turn(handler: RestHandler, service: SessionService, agent: str, session_id: str | None) -> TurnStream:
    """The turn that a request's body asks for."""
    await service.get_agent(agent)
    body = handler.body(NewMessage)
    request = SendMessage(
        message=body.message,
        session_id=session_id,
        if_busy=body.if_busy,
        idempotency_key=handler.idempotency_key,
        on_disconnect=body.on_disconnect,
    )
    return await service.stream_message(agent, request)


async def answer(handler: RestHandler, agent: str, session_id: str | None) -> None:
    """Send a message and reply with the whole answer."""
    stream = await start_turn(handler, await handler.service(), agent, session_id)
    with handler.engine.telemetry.reading("rest"):
        reply = await handler.while_connected(collect(stream))
    if reply is not None:
        handler.reply(encode_reply(reply))
