"""`hector approvals`, `hector approve` and `hector deny`: tool calls that wait, answered from another terminal."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from hector_nb.frontends.cli.completion import agent_names, session_ids
from hector_nb.frontends.cli.options import JsonOption, at_place
from hector_nb.frontends.cli.place import Place, with_engine, with_service

if TYPE_CHECKING:
    from hector_nb.approvals import Approval, Decision
    from hector_nb.frontends.connect import Engine
    from hector_nb.service import SessionService, TurnStream
    from hector_nb.sessions import Session

    Waiting: TypeAlias = tuple[Session, Approval]

_PAGE = 200
_PAGES = 5
"""Pages of sessions, the newest activity first, that are looked through."""
_PATIENCE = 2.0
"""Seconds after which it is said what is waited for."""
_HEARD_WITHIN = 30.0
"""Seconds after which no process is left that could go on with the turn: a dead one is noticed in half the time."""
_NOBODY = (
    "Your word is kept, but no process is there that may go on with the turn: what is approved runs only under the configuration "
    "file that the turn began with. Run this command, or hector serve, with that file (--config FILE)."
)

OnlySessionOption = Annotated[
    str | None,
    typer.Option(
        "--session",
        "-s",
        metavar="ID",
        help="Only in this session.",
        show_default="the newest 1,000",
        autocompletion=session_ids,
    ),
]
CallArgument = Annotated[str, typer.Argument(metavar="CALL_ID", help="The call.", show_default=False)]


@at_place
def approvals(
    place: Place,
    agent: Annotated[
        str | None,
        typer.Argument(metavar="AGENT", help="Only with this agent.", show_default=False, autocompletion=agent_names),
    ] = None,
    session: OnlySessionOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the tool calls that wait for a word. No answer in time means no."""

    async def work(service: "SessionService") -> "list[Waiting]":
        return [each async for each in _waiting(service, agent, session)]

    found = with_service(place, work)
    if as_json:
        from hector_nb.wire.codec import dumps, encode_approval

        encoded = [{**encode_approval(approval), "agent": session.agent} for session, approval in found]
        typer.echo(dumps({"approvals": encoded}))
    else:
        _print(found)


@at_place
def approve(place: Place, call_id: CallArgument, session: OnlySessionOption = None) -> None:
    """Allow a tool call. The turn goes on in the process that holds it; here, if that is gone."""
    raise typer.Exit(with_engine(place, lambda engine: _decide(engine, call_id, "approve", session)))


@at_place
def deny(place: Place, call_id: CallArgument, session: OnlySessionOption = None) -> None:
    """Refuse a tool call. The turn goes on without it, in the process that holds it; here, if that is gone."""
    raise typer.Exit(with_engine(place, lambda engine: _decide(engine, call_id, "deny", session)))


async def _waiting(service: "SessionService", agent: str | None, session_id: str | None) -> "AsyncIterator[Waiting]":
    """The calls that wait, and the sessions in which somebody talks."""
    from hector_nb.service import every

    if session_id is not None:
        session = await service.find_session(session_id)
        for approval in await service.list_approvals(session.agent, session_id):
            yield session, approval
        return
    sessions = every(
        lambda cursor: service.list_sessions(agent, limit=_PAGE, cursor=cursor, status="active"), pages=_PAGES
    )
    async for session in sessions:
        if session.running_turn:
            for approval in await service.list_approvals(session.agent, session.session_id):
                yield session, approval


def _print(found: "Sequence[Waiting]") -> None:
    from rich.text import Text

    from hector_nb.frontends.asking import question, time_left
    from hector_nb.frontends.cli.approving import print_call
    from hector_nb.frontends.cli.console import make_console
    from hector_nb.frontends.render import plain_line
    from hector_nb.wire.codec import encode_time

    if not found:
        typer.echo("Nothing waits.", err=True)
    console = make_console()
    for number, (session, approval) in enumerate(found):
        if not console.is_terminal:
            cells = (approval.call_id, session.session_id, session.agent, approval.name)
            arguments = json.dumps(dict(approval.arguments))  # in ASCII: nothing in it is hidden
            typer.echo("\t".join((*map(plain_line, cells), encode_time(approval.deadline) or "", arguments)))
            continue
        if number:
            console.print()
        console.print(Text(question(approval.name, session.agent), "bold yellow"))
        print_call(console, approval)
        title = plain_line(session.title)[:40] or session.session_id
        console.print(Text(f"{approval.call_id} · {title} · {time_left(approval.deadline)}", "dim"))


async def _decide(engine: "Engine", call_id: str, decision: "Decision", session_id: str | None) -> int:
    from hector_nb.errors import ApprovalNotFound
    from hector_nb.frontends.cli.approving import told

    service = engine.service
    async for session, approval in _waiting(service, None, session_id):
        if approval.call_id == call_id and session.running_turn:
            break
    else:
        raise ApprovalNotFound(f"No call {call_id!r} waits.", hint="hector approvals lists what waits.")
    turn_id = session.running_turn
    here = engine.runs(turn_id)
    asked = {each.call_id for each in await service.list_approvals(session.agent, session.session_id)}
    await service.decide_approval(session.agent, session.session_id, call_id, decision)
    typer.echo(told(decision), err=True)
    left = [each for each in await service.list_approvals(session.agent, session.session_id) if each.call_id in asked]
    if left:  # no call is made before all that were asked together have their words
        return _tell(left)
    here = here or engine.runs(turn_id)
    async with await service.follow_turn(session.agent, turn_id, session_id=session.session_id) as stream:
        after = await _until_heard(stream, call_id)
        if after is None:
            typer.echo(_NOBODY, err=True)
            return 0
        if here or engine.runs(turn_id):
            return await _go_on(service, session, turn_id, after)
    typer.echo(f"The turn goes on where it runs. See: hector sessions show {session.session_id}", err=True)
    return 0


async def _until_heard(stream: "TurnStream", call_id: str) -> int | None:
    """Wait until whoever holds the turn has heard the word.

    Returns:
        The number of the event that says so, or of the turn's last one; None: nobody has heard it.
    """
    import asyncio

    from hector_nb.events import ApprovalDecided

    patience = asyncio.create_task(_say_later())
    seq = 0
    try:
        async with asyncio.timeout(_HEARD_WITHIN):
            async for logged in stream:
                seq = logged.seq
                if isinstance(logged.event, ApprovalDecided) and logged.event.call_id == call_id:
                    break
        return seq
    except TimeoutError:
        return None
    finally:
        patience.cancel()
        with suppress(asyncio.CancelledError):
            await patience


async def _say_later() -> None:
    import asyncio

    await asyncio.sleep(_PATIENCE)
    typer.echo("The process that holds the turn does not answer. If it is gone, the turn goes on here soon.", err=True)


async def _go_on(service: "SessionService", session: "Session", turn_id: str, after: int) -> int:
    """Show the rest of the turn, until it ends or waits again."""
    from hector_nb.frontends.cli.console import can_ask, make_console
    from hector_nb.frontends.cli.exits import Code
    from hector_nb.frontends.cli.person import PersonAtTerminal
    from hector_nb.frontends.cli.screen import make_screen
    from hector_nb.frontends.cli.turn import AnswerOnScreen, choose_view

    info = await service.get_agent(session.agent)
    person = PersonAtTerminal(make_console()) if can_ask() else None
    view = choose_view(info.reasoning, thinking=False, debug=False)
    answer = AnswerOnScreen(service, info.name, make_screen(info.model), view, person)
    if done := await answer.follow(session.session_id, turn_id, after=after):
        return Code.INTERRUPTED if done.finish_reason == "cancelled" else 0
    return _tell(await service.list_approvals(session.agent, session.session_id))


def _tell(waiting: "Sequence[Approval]") -> int:
    for approval in waiting:
        typer.echo(f"The turn waits for another word: hector approve {approval.call_id}", err=True)
    return 0
