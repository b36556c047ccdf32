"""What each command does. Those that begin or take back turns wait for one another; questions, stops and words on calls do not wait."""

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hector_nb.errors import HectorError, SessionNotFound
from hector_nb.frontends.widget import inspector, protocol, taking_back
from hector_nb.frontends.widget.cards import session_head
from hector_nb.frontends.widget.conversation import Conversation
from hector_nb.frontends.widget.problems import problem_of
from hector_nb.frontends.widget.turns import ACTIVE
from hector_nb.service import all_messages
from hector_nb.wire.export import FORMATS, export, file_name

_log = logging.getLogger("hector_nb.frontends")
_SESSIONS = 30


class Commands:
    """Does what a front end asks, and gives each command its one reply.

    Args:
        chat: The chat.
        freeze: Replaces the chat's outputs; called on the event loop.
    """

    def __init__(self, chat: Conversation, *, freeze: Callable[[str], None]) -> None:
        self._chat = chat
        self._freeze = freeze

    async def obey(self, content: Any) -> None:
        """Do one command and reply. A message that has no id is none, and nothing happens."""
        command_id = content.get("id") if isinstance(content, dict) else None
        if not isinstance(command_id, str):
            return
        reply: dict[str, Any] = {"t": "reply", "id": command_id}
        try:
            data = await self._do(protocol.read_command(content))
            if data is not None:
                reply["data"] = data
        except HectorError as error:
            reply["error"] = problem_of(error, self._chat.info)
        except Exception as error:  # noqa: BLE001 -- the person must hear of it, whatever it is
            _log.exception("A command failed for a reason that is ours")
            reply["error"] = problem_of(error)
        self._chat.outbox.flush()
        self._chat.outbox.send(reply)

    async def _do(self, command: protocol.Command) -> Any:
        match command:
            case protocol.Sync():
                self._chat.outbox.flush()
                self._chat.outbox.send({"t": "snapshot", "snapshot": self._chat.record.snapshot()})
            case protocol.Stop(turn_id=turn_id):
                await self._stop(turn_id)
            case protocol.Unqueue(queued=queued):
                waiting = self._chat.record.get("queue")
                self._chat.record.set(["queue"], [each for each in waiting if each["id"] != queued])
            case protocol.Decide():
                await self._decide(command)
            case (
                protocol.Sessions()
                | protocol.Export()
                | protocol.Output()
                | protocol.Context()
                | protocol.Memories()
                | protocol.Correct()
                | protocol.Forget()
                | protocol.Restore()
            ):
                return await self._answer(command)
            case _:
                async with self._chat.changing:
                    await self._change(command)
        return None

    async def _change(self, command: protocol.Command) -> None:
        chat = self._chat
        match command:
            case protocol.Send(text=text):
                await chat.say(text, command.id)
            case protocol.Retry(turn_id=turn_id):
                if self._shows(turn_id):
                    await taking_back.retry(chat, turn_id)
            case protocol.Edit(turn_id=turn_id, text=text, fork=forks):
                if self._shows(turn_id):
                    await taking_back.edit(chat, turn_id, text, fork=forks)
            case protocol.Fork(turn_id=turn_id):
                if turn_id is None or self._shows(turn_id):
                    await taking_back.fork(chat, turn_id)
            case protocol.Rewind(turn_id=turn_id):
                if self._shows(turn_id):
                    await taking_back.rewind(chat, turn_id)
            case protocol.New(agent=agent):
                await chat.begin(await chat.service.get_agent(agent or chat.info.name))
            case protocol.Open(session_id=session_id):
                await chat.open(await chat.service.find_session(session_id))
            case protocol.Rename(title=title):
                await chat.rename(title)
            case protocol.End():
                await chat.end()
            case protocol.Delete(forget=forget):
                await self._delete(forget=forget)
            case protocol.Freeze():
                self._freeze(await markdown(chat))
            case protocol.Earlier():
                await chat.earlier()

    async def _answer(self, command: protocol.Command) -> Any:
        chat = self._chat
        match command:
            case protocol.Sessions(query=query, cursor=cursor):
                return await sessions(chat, query, cursor)
            case protocol.Export(format=form):
                return await exported(chat, form)
            case protocol.Output(call_id=call_id):
                session = chat.here()
                return {"text": await chat.service.get_tool_output(session.agent, session.session_id, call_id)}
            case protocol.Context(turn_id=turn_id):
                return await inspector.context(chat, turn_id)
            case protocol.Memories(query=query, cursor=cursor):
                return await inspector.memories(chat, query, cursor)
            case protocol.Correct(memory_id=memory_id, text=text):
                return await inspector.correct(chat, memory_id, text)
            case protocol.Forget(memory_id=memory_id):
                return await inspector.forget(chat, memory_id)
            case protocol.Restore(memory_id=memory_id):
                return await inspector.restore(chat, memory_id)
        return None

    def _shows(self, turn_id: str) -> bool:
        """Whether a click is not stale."""
        return self._chat.record.find("turn_id", turn_id, "turns") is not None

    async def _stop(self, turn_id: str) -> None:
        chat = self._chat
        place = chat.record.find("turn_id", turn_id, "turns")
        if place is None or chat.session is None:
            return
        if chat.record.get("turns", place, "status") in ACTIVE:
            chat.record.set(["turns", place, "status"], "stopping")
            chat.outbox.tell()
            session = chat.session
            await chat.service.cancel_turn(session.agent, session.session_id, turn_id=turn_id)
        elif (chat.record.get("turns", place, "problem") or {}).get("retry_at") is not None:
            chat.record.set(["turns", place, "problem", "retry_at"], None)

    async def _decide(self, command: protocol.Decide) -> None:
        place = self._chat.record.find("turn_id", command.turn_id, "turns")
        if place is None:
            return
        part = self._chat.record.find("call_id", command.call_id, "turns", place, "parts")
        if part is not None and self._chat.record.get("turns", place, "parts", part, "approval") is not None:
            await self._chat.approvals.decide(command.call_id, command.decision, always=command.always)

    async def _delete(self, *, forget: bool) -> None:
        chat = self._chat
        if chat.session is not None:
            with suppress(SessionNotFound):
                session = chat.session
                await chat.service.delete_session(session.agent, session.session_id, forget=forget)
        await chat.begin(chat.info)


async def sessions(chat: Conversation, query: str, cursor: str | None) -> dict[str, Any]:
    """A page of the sessions with all agents, newest activity first."""
    page = await chat.service.list_sessions(None, limit=_SESSIONS, cursor=cursor, query=query.strip() or None)
    found = [
        {**session_head(each), "agent": each.agent, "running": each.running_turn is not None} for each in page.items
    ]
    return {"sessions": found, "next_cursor": page.next_cursor}


async def exported(chat: Conversation, form: str) -> dict[str, str]:
    """The conversation as a file."""
    session = chat.here()
    messages = await all_messages(chat.service, session.agent, session.session_id)
    text = "".join(export(session, messages, form))
    return {"filename": file_name(session, form), "mime": FORMATS[form].media_type.partition(";")[0], "text": text}


async def markdown(chat: Conversation) -> str:
    """The conversation as safe Markdown."""
    if (session := chat.session) is None:
        return "*Nothing was said yet.*"
    messages = await all_messages(chat.service, session.agent, session.session_id)
    return "".join(export(session, messages, "markdown"))
