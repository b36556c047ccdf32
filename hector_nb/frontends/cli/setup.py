"""`hector validate`, `hector schema` and `hector trust`: the configuration file."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hector_nb.errors import ConfigError
from hector_nb.frontends.cli.exits import Code, report
from hector_nb.frontends.cli.options import chosen_config

if TYPE_CHECKING:
    from hector_nb.config.schema import Config


def validate(
    ctx: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="The file; the one that is used here if unset.", show_default=False),
    ] = None,
) -> None:
    """Check a configuration file and print all its problems at once. Exit code 1 if there are any."""
    from hector_nb.config.loader import load_config

    try:
        loaded = load_config(chosen_config(ctx, file))
    except ConfigError as error:
        report(error)
        raise typer.Exit(Code.FAILED) from None
    for line in _warnings(loaded.config):
        typer.echo(line, err=True)
    agents = ", ".join(loaded.config.agents)
    typer.echo(
        f"{loaded.path}: OK. Agents: {agents}." if loaded.path else f"No file: the defaults apply. Agents: {agents}."
    )


def _warnings(config: "Config") -> Iterator[str]:
    """What is no mistake, but does not do what it seems to do."""
    from hector_nb.frontends.cli.models import is_embedded

    for name, agent in config.agents.items():
        key = config.llm_name(agent)
        if agent.tools and key is not None and is_embedded(config.llms[key]):
            yield (
                f"Warning: agents.{name}.tools: the embedded model cannot call tools, so this agent cannot answer. "
                "Give it another `llm`, or take `tools` out."
            )


def schema() -> None:
    """Print the JSON Schema of the configuration file, for editors."""
    import json

    from hector_nb.config.schema import json_schema

    typer.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))


def trust(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="The file, which you have read.")
    ],
) -> None:
    """Let a found configuration file run programs and use your environment, as long as it stays as it is now."""
    from hector_nb.config import trust as trusted

    digest = trusted.trust(file)
    typer.echo(f"Trusted: {file} (SHA-256 {digest[:12]}…). After any change it must be trusted again.")
