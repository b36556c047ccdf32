"""`hector memory`: what the model sees, what is remembered, and setting it right. It looks into a session; the newest unless one is named."""

from typing import TYPE_CHECKING, Annotated

import typer

from hector_nb.frontends.cli.completion import agent_names, session_ids
from hector_nb.frontends.cli.confirm import confirm
from hector_nb.frontends.cli.options import (
    AgentArgument,
    ConfigOption,
    CursorOption,
    JsonOption,
    YesOption,
    at_place,
    chosen_config,
)
from hector_nb.frontends.cli.place import Place, with_service
from hector_nb.frontends.words import counted

if TYPE_CHECKING:
    from hector_nb.service import AgentInfo, SessionService
    from hector_nb.sessions import Session

app = typer.Typer(
    no_args_is_help=True, help="Show what the model sees and remembers; search, correct and forget memories."
)
AgentOption = Annotated[
    str | None,
    typer.Option("--agent", "-a", help="Only memories of this agent.", show_default=False, autocompletion=agent_names),
]
LookIntoOption = Annotated[
    str | None,
    typer.Option(
        "--session",
        "-s",
        metavar="ID",
        help="Look into this session.",
        show_default="the newest",
        autocompletion=session_ids,
    ),
]
IdArgument = Annotated[str, typer.Argument(metavar="MEM_ID", help="The memory.", show_default=False)]


@app.command()
@at_place
def show(
    place: Place,
    agent: AgentArgument = None,
    session: LookIntoOption = None,
    turn: Annotated[
        str | None,
        typer.Option("--turn", metavar="TURN", help="What this turn's model saw, part by part.", show_default=False),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="Memories on one page.")] = 20,
    cursor: CursorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what the model would see now against its budget, and what is remembered; or what it saw in a turn."""

    async def work(service: "SessionService") -> None:
        if turn is not None:
            await _show_turn(service, agent, session, turn, as_json=as_json)
        else:
            await _show_session(service, agent, session, limit=limit, cursor=cursor, as_json=as_json)

    with_service(place, work)


async def _show_turn(
    service: "SessionService", agent: str | None, session: str | None, turn: str, *, as_json: bool
) -> None:
    from hector_nb.frontends.cli.console import make_console
    from hector_nb.frontends.cli.ledger import print_ledger
    from hector_nb.frontends.cli.options import choose_agent
    from hector_nb.wire.codec import dumps
    from hector_nb.wire.memory_codec import encode_ledger

    info = await choose_agent(service, agent, session)
    ledger = await service.get_context(info.name, turn, session_id=session)
    if as_json:
        typer.echo(dumps(encode_ledger(ledger)))
    else:
        title = (await service.get_session(info.name, ledger.session_id)).title
        print_ledger(make_console(), ledger, settings=info.memory.get("working"), title=title, whole=True)


async def _show_session(
    service: "SessionService", agent: str | None, session: str | None, *, limit: int, cursor: str | None, as_json: bool
) -> None:
    from hector_nb.frontends.cli.console import make_console
    from hector_nb.frontends.cli.ledger import print_ledger
    from hector_nb.frontends.cli.remembered import print_memories, session_of
    from hector_nb.wire.codec import dumps
    from hector_nb.wire.memory_codec import encode_session_memory

    info, found = await session_of(service, agent, session)
    memory = await service.get_memory(info.name, found.session_id, limit=limit, cursor=cursor)
    if as_json:
        typer.echo(dumps(encode_session_memory(memory)))
        return
    console = make_console()
    if cursor is None:
        title = found.title or found.session_id
        print_ledger(console, memory.ledger, settings=info.memory.get("working"), title=title)
        console.print()
    print_memories(console, memory, info.name)
    if memory.next_cursor:
        typer.echo(f"More: --cursor {memory.next_cursor}", err=True)


@app.command()
@at_place
def search(
    place: Place,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="What to look for, in quotes.", show_default=False)],
    agent: AgentArgument = None,
    session: LookIntoOption = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100, help="The most memories.")] = 10,
    as_json: JsonOption = False,
) -> None:
    """Find the memories that a text would recall, best first."""

    async def work(service: "SessionService") -> None:
        from hector_nb.frontends.cli.console import make_console
        from hector_nb.frontends.cli.remembered import print_recalled, session_of
        from hector_nb.wire.codec import dumps
        from hector_nb.wire.memory_codec import encode_recalled

        info, found = await session_of(service, agent, session)
        memories = await service.search_memory(info.name, found.session_id, query, limit=limit)
        if as_json:
            typer.echo(dumps({"memories": [encode_recalled(each) for each in memories]}))
        elif memories:
            print_recalled(make_console(), memories)
        else:
            typer.echo("Nothing is remembered that fits.", err=True)

    with_service(place, work)


@app.command()
@at_place
def correct(
    place: Place,
    memory_id: IdArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What is true instead, in quotes.", show_default=False)],
    agent: AgentOption = None,
    session: LookIntoOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a memory another text. That is what is recalled from now on."""

    async def work(service: "SessionService") -> None:
        from hector_nb.frontends.cli.remembered import quoted, with_memory
        from hector_nb.memories import Memory
        from hector_nb.wire.codec import dumps
        from hector_nb.wire.memory_codec import encode_memory

        async def act(info: "AgentInfo", found: "Session") -> Memory:
            return await service.correct_memory(info.name, found.session_id, memory_id, text)

        memory = await with_memory(service, agent, session, memory_id, act)
        if as_json:
            typer.echo(dumps(encode_memory(memory)))
        else:
            typer.echo(f"Corrected {memory.memory_id}: {quoted(memory.text)}", err=True)

    with_service(place, work)


@app.command()
@at_place
def forget(
    place: Place,
    memory_id: IdArgument,
    agent: AgentOption = None,
    session: LookIntoOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Erase a memory, everywhere and for good."""

    async def work(service: "SessionService") -> None:
        from hector_nb.frontends.cli.remembered import find_memory, origin_of, quoted, with_memory
        from hector_nb.wire.codec import dumps

        async def act(info: "AgentInfo", found: "Session") -> None:
            if not yes:
                memory = await find_memory(service, info.name, found.session_id, memory_id)
                about = f"{origin_of(memory)} · {quoted(memory.text)}"
                confirm("Forget this?", [about], otherwise="Nothing was forgotten")
            await service.forget_memory(info.name, found.session_id, memory_id)

        await with_memory(service, agent, session, memory_id, act)
        if as_json:
            typer.echo(dumps({"memory_id": memory_id, "forgotten": True}))
        else:
            typer.echo(f"Forgotten: {memory_id}.", err=True)

    with_service(place, work)


@app.command()
def reindex(
    ctx: typer.Context, agent: AgentArgument = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Give memories that lack one a vector of the embedder that is configured now, as after a change of it."""
    import asyncio

    from hector_nb.frontends import connect
    from hector_nb.frontends.cli.progress import memories_bar
    from hector_nb.wire.codec import dumps

    with memories_bar() as report:
        done = asyncio.run(connect.reindex(chosen_config(ctx, config), agent=agent, on_progress=report))
    if as_json:
        typer.echo(dumps({"reindexed": done}))
        return
    if not done:
        typer.echo("No agent has long-term memory.", err=True)
    for name, count in done.items():
        words = f"{counted(count, 'memory')} re-indexed." if count else "nothing was missing."
        typer.echo(f"{name}: {words}", err=True)
