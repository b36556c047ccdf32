"""Options that several commands share, and what is chosen by them."""

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hector_nb.frontends.cli.completion import agent_names, session_ids
from hector_nb.frontends.cli.exits import works_here
from hector_nb.frontends.cli.place import Place

if TYPE_CHECKING:
    from hector_nb.service import AgentInfo, SessionService

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="The configuration file.",
        show_default="the first found, hector.yaml here or above",
    ),
]
ServerOption = Annotated[
    str | None,
    typer.Option(
        "--server", metavar="URL", help="Use the server that runs there.", show_default="the engine in this process"
    ),
]
TokenOption = Annotated[
    str | None,
    typer.Option(help="What the server wants to see; else the URL's ?token=, else HECTOR_TOKEN.", show_default=False),
]
SessionOption = Annotated[
    str | None,
    typer.Option(
        "--session",
        "-s",
        metavar="ID",
        help="Go on in this session; an id that is new begins one.",
        show_default=False,
        autocompletion=session_ids,
    ),
]
AgentArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="AGENT",
        help="The agent; `assistant`, or the only one, if unset.",
        show_default=False,
        autocompletion=agent_names,
    ),
]
CursorOption = Annotated[
    str | None, typer.Option("--cursor", help="The next page, as the page before named it.", show_default=False)
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
ThinkingOption = Annotated[bool, typer.Option("--thinking", help="Show the model's reasoning.")]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show session, memory and token counts.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def chosen_config(ctx: typer.Context, config: Path | None) -> Path | None:
    """The file named after the command, else the one named before it, for commands that work on this machine alone."""
    refuse_server(ctx)
    return config or ctx.find_root().params.get("config")


def refuse_server(ctx: typer.Context) -> None:
    """For commands that work on this machine alone: a server that is named before them has no effect."""
    if ctx.find_root().params.get("server") is not None:
        raise typer.BadParameter(works_here(ctx))


def at_place(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options --config, --server and --token; it gets `place`, what these or those before it name."""
    options = signature(chosen_place).parameters
    own = [each for name, each in signature(command).parameters.items() if name != "place"]

    @wraps(command)
    def run(**given: Any) -> None:
        command(place=chosen_place(**{name: given.pop(name) for name in options}), **given)

    every = [each.replace(kind=Parameter.KEYWORD_ONLY) for each in (*own, *options.values())]
    run.__signature__ = Signature(every)  # type: ignore[attr-defined]
    return run


def chosen_place(
    ctx: typer.Context, config: ConfigOption = None, server: ServerOption = None, token: TokenOption = None
) -> Place:
    """What is named after the command, else what is named before it."""
    before = ctx.find_root().params
    place = Place(
        config=config or before.get("config"),
        server=server if server is not None else before.get("server"),
        token=token if token is not None else before.get("token"),
    )
    if place.server is not None and place.config is not None:
        raise typer.BadParameter("A server has its own configuration: give --server or --config.")
    if place.server is None and place.token is not None:
        raise typer.BadParameter("--token is for a server: name it with --server.")
    return place


async def choose_agent(service: "SessionService", name: str | None, session: str | None = None) -> "AgentInfo":
    """The named agent; else the one that the session belongs to; else `assistant`; else the only one.

    Raises:
        AgentNotFound: there is none of that name.
        InvalidRequest: no name, and several agents to choose from.
    """
    from hector_nb.errors import InvalidRequest, SessionNotFound

    if name is not None:
        return await service.get_agent(name)
    if session is not None:
        with suppress(SessionNotFound):
            return await service.get_agent((await service.find_session(session)).agent)
    agents = {agent.name: agent for agent in await service.list_agents()}
    if "assistant" in agents:
        return agents["assistant"]
    if len(agents) == 1:
        return next(iter(agents.values()))
    raise InvalidRequest("There are several agents.", hint=f"Name one of them: {', '.join(agents)}.")


def model_of(agent: "AgentInfo") -> str:
    """Which model gets the text, and where: for the eye."""
    return f"{agent.model} · {agent.host or 'on this machine'}"


def memory_of(agent: "AgentInfo") -> str:
    """What an agent remembers: for the eye."""
    working, longterm = agent.memory["working"], agent.memory.get("longterm")
    words = f"{working['strategy']} {working['budget']:,}"
    return f"{words} · keeps {longterm['storage_scope']}" if longterm else words
