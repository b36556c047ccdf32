"""`hector validate`, `hector schema` and `hector trust`: the configuration file."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from hector_nb.errors import ConfigError
from hector_nb.frontends.cli.exits import Code, report
from hector_nb.frontends.cli.options import ConfigOption, JsonOption, chosen_config, refuse_server

if TYPE_CHECKING:
    from hector_nb.config.loader import LoadedConfig


def validate(
    ctx: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="The file; the one that is used here if unset.", show_default=False),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check a configuration file and print all its problems at once. Exit code 1 if there are any."""
    import asyncio

    from hector_nb.config.loader import find_config, load_config

    if file is not None and config is not None:
        raise typer.BadParameter("Name one file: FILE or --config FILE.")
    chosen = chosen_config(ctx, file or config)
    path, loaded, found = chosen, None, None
    try:
        path = find_config(chosen)
        loaded = load_config(chosen)
        asyncio.run(_try_agents(loaded))
    except ConfigError as error:
        found = error
    if as_json:
        _print_json(path, loaded, found)
    elif found is not None:
        report(found)
    elif loaded is not None:
        _print_outcome(loaded)
    if found is not None:
        raise typer.Exit(Code.FAILED)


def _print_outcome(loaded: "LoadedConfig") -> None:
    for line in _warnings(loaded):
        typer.echo(f"Warning: {line}", err=True)
    agents = ", ".join(loaded.config.agents)
    typer.echo(
        f"{loaded.path}: OK. Agents: {agents}." if loaded.path else f"No file: the defaults apply. Agents: {agents}."
    )


def _print_json(path: Path | None, loaded: "LoadedConfig | None", error: ConfigError | None) -> None:
    from hector_nb.wire.codec import dumps

    problems = list(error.problems or [error.message]) if error else []
    valid = loaded if loaded is not None and error is None else None
    outcome = {
        "valid": valid is not None,
        "file": str(path) if path else None,
        "agents": list(valid.config.agents) if valid else [],
        "problems": problems,
        "warnings": list(_warnings(valid)) if valid else [],
    }
    typer.echo(dumps(outcome))


async def _try_agents(loaded: "LoadedConfig") -> None:
    """Make each agent whose model is named, as every way in does before its first answer; nothing is asked of anybody.

    Raises:
        ConfigError: some cannot be made, for example for a budget smaller than the system prompt; all problems at once.
    """
    from hector_nb.bootstrap.agents import make_agents

    problems: list[str] = []
    hint: str | None = None
    for name, agent in loaded.config.agents.items():
        if loaded.config.llm_name(agent) is None:
            continue
        alone = replace(loaded, config=loaded.config.model_copy(update={"agents": {name: agent}}))
        try:
            for made in (await make_agents(alone, os.environ)).values():
                await made.aclose()
        except ConfigError as error:
            hint = error.hint
            problems += [each for each in error.problems or [error.message] if each not in problems]
    if problems:
        raise ConfigError(problems=problems, hint=hint)


def _warnings(loaded: "LoadedConfig") -> Iterator[str]:
    """What is no mistake, but does not do what it seems to do."""
    from hector_nb.config.loader import wants_trust
    from hector_nb.config.trust import command

    if loaded.path is not None and wants_trust(loaded):
        yield f"This file is used as it is only where it is named, as here. Where it is just found, run first: {command(loaded.path)}"
    for name, agent in loaded.config.agents.items():
        key = loaded.config.llm_name(agent)
        if agent.tools and key is not None and loaded.config.llms[key].is_embedded:
            yield (
                f"agents.{name}.tools: the embedded model cannot call tools, so this agent cannot answer. "
                "Give it another `llm`, or take `tools` out."
            )


def schema(
    ctx: typer.Context,
    form: Annotated[
        Literal["json", "markdown"],
        typer.Option("--format", help="A JSON Schema for editors, or a page of all keys to read."),
    ] = "json",
) -> None:
    """Print what the configuration file may hold."""
    import json

    refuse_server(ctx)

    if form == "markdown":
        from hector_nb.config.reference import markdown

        typer.echo(markdown(), nl=False)
        return

    from hector_nb.config.schema import json_schema

    typer.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))


def trust(
    ctx: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="The file, which you have read.")
    ],
) -> None:
    """Let a found configuration file run programs and use your environment, as long as it stays as it is now."""
    from hector_nb.config import trust as trusted

    refuse_server(ctx)
    digest = trusted.trust(file)
    typer.echo(f"Trusted: {file} (SHA-256 {digest[:12]}…). After any change it must be trusted again.")
