"""`hector call`: one message, one answer."""

import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from hector_nb.errors import InvalidRequest
from hector_nb.frontends.cli.completion import agent_names
from hector_nb.frontends.cli.exits import Code
from hector_nb.frontends.cli.options import (
    DebugOption,
    JsonOption,
    SessionOption,
    ThinkingOption,
    at_place,
    choose_agent,
    model_of,
)
from hector_nb.frontends.cli.place import Place, with_service

if TYPE_CHECKING:
    from hector_nb.service import AgentInfo, SendMessage, SessionService


class Call(TyperCommand):
    """Says in its usage that the agent comes first and may be left out."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """What may follow the command."""
        return [*super().collect_usage_pieces(ctx)[:1], "[AGENT]", "TEXT"]


@at_place
def call(
    place: Place,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[AGENT] TEXT",
            help="The message, in quotes; - reads it from standard input.",
            show_default=False,
            autocompletion=agent_names,
        ),
    ],
    session: SessionOption = None,
    as_json: JsonOption = False,
    thinking: ThinkingOption = False,
    debug: DebugOption = False,
) -> None:
    """Send one message to an agent and print the answer as it is written.

    Without AGENT the text goes to `assistant`, or to the only agent there is.

    Without --session the message stands alone, and nothing of it is kept. Ctrl-C stops the answer.

    A pipe or file gets the exact text of the answer; tools, reasoning and counts go to standard error.
    """
    if len(words) > 2:
        raise typer.BadParameter('Put the text in quotes: hector call assistant "Explain quantum computing"')
    agent_name = words[0] if len(words) == 2 else None
    text = _read_stdin() if words[-1] == "-" else words[-1]

    async def work(service: "SessionService") -> int:
        from hector_nb.service import SendMessage

        agent = await choose_agent(service, agent_name, session)
        if len(words) == 1 and words[0] in {known.name for known in await service.list_agents()}:
            raise InvalidRequest(
                f"What shall {words[0]} be told?", hint=f'hector call {words[0]} "…", or - for standard input.'
            )
        if session is not None:
            await service.create_session(agent.name, session_id=session)
        request = SendMessage(message=text, session_id=session)
        _say_where(agent)
        if as_json:
            return await _answer_as_json(service, agent, request)
        return await _answer(service, agent, request, thinking=thinking, debug=debug)

    raise typer.Exit(with_service(place, work))


async def _answer(
    service: "SessionService", agent: "AgentInfo", request: "SendMessage", *, thinking: bool, debug: bool
) -> int:
    from hector_nb.frontends.cli.approving import make_person
    from hector_nb.frontends.cli.console import make_console
    from hector_nb.frontends.cli.figures import foot
    from hector_nb.frontends.cli.screen import make_screen
    from hector_nb.frontends.cli.turn import AnswerOnScreen, choose_view

    started = time.monotonic()
    view = choose_view(agent.reasoning, thinking=thinking, debug=debug)
    person = make_person(make_console())
    done = await AnswerOnScreen(service, agent.name, make_screen(agent.model), view, person).play(request)
    if done is None:
        return Code.INTERRUPTED
    if done.finish_reason != "stop":
        _say(foot(done, time.monotonic() - started))
    return _code(done.finish_reason)


async def _answer_as_json(service: "SessionService", agent: "AgentInfo", request: "SendMessage") -> int:
    import asyncio

    from hector_nb.frontends.cli.approving import Nobody
    from hector_nb.frontends.cli.questions import Answering
    from hector_nb.frontends.cli.turn import cancel, on_interrupt
    from hector_nb.service import collect
    from hector_nb.wire.codec import dumps, encode_reply

    stream = await service.stream_message(agent.name, replace(request, on_disconnect="continue"))
    stopping: set[asyncio.Task[object]] = set()

    def stop() -> None:
        stopping.add(asyncio.create_task(cancel(service, agent.name, stream)))

    with on_interrupt(stop):
        reply = await collect(Answering(stream, service, agent.name, Nobody()))
    typer.echo(dumps(encode_reply(reply)))
    return _code(reply.finish_reason)


def _code(finish_reason: str) -> int:
    return Code.INTERRUPTED if finish_reason == "cancelled" else 0


def _say_where(agent: "AgentInfo") -> None:
    if sys.stderr.isatty():
        _say(f"{agent.name} · {model_of(agent)}")


def _say(line: str) -> None:
    from hector_nb.frontends.cli.console import make_console
    from hector_nb.frontends.render import plain_line

    make_console("err").print(plain_line(line), style="dim", soft_wrap=True)


def _read_stdin() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8").removesuffix("\n")
    except UnicodeDecodeError:
        raise InvalidRequest("Standard input is not UTF-8 text.") from None
