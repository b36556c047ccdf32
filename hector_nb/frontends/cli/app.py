"""The commands by name. Only `typer` is imported here; everything heavier waits for its command."""

from typing import Annotated

import typer

from hector_nb._version import __version__
from hector_nb.frontends.cli import (
    agents,
    approvals,
    call,
    chat,
    memory,
    migrate,
    models,
    serve,
    session_files,
    sessions,
    setup,
)
from hector_nb.frontends.cli.exits import HELP, Commands
from hector_nb.frontends.cli.options import ConfigOption, ServerOption, TokenOption

app = typer.Typer(
    name="hector",
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=HELP,
)
app.command(cls=call.Call)(call.call)
app.command()(chat.chat)
app.command()(serve.serve)
app.command()(agents.agents)
sessions.app.command()(session_files.export)
app.add_typer(sessions.app, name="sessions")
app.command()(approvals.approvals)
app.command()(approvals.approve)
app.command()(approvals.deny)
app.add_typer(memory.app, name="memory")
app.add_typer(models.app, name="models")
app.command()(migrate.migrate)
app.command()(setup.validate)
app.command()(setup.schema)
app.command()(setup.trust)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hector {__version__}")
        raise typer.Exit


@app.callback()
def hector(
    config: ConfigOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Talk with LLM agents, look into their sessions and memory, and serve them.

    To begin: hector call "Hello". It needs no configuration; hector models says which model answers.
    """
