"""`hector migrate`: all that one store has, into another."""

from pathlib import Path
from typing import Annotated

import typer

from hector_nb.frontends.cli.options import refuse_server


def migrate(
    ctx: typer.Context,
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="The store that there is: sqlite:///file.db or postgresql://…")
    ],
    target: Annotated[str, typer.Argument(metavar="TARGET", help="The store that gets everything.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Erase what the target has; without it, a target must be empty.")
    ] = False,
) -> None:
    """Move all sessions, turns and memories into another store, at once or not at all.

    The source stays as it is. Stop what uses it before: what is said meanwhile is not moved.
    """
    from hector_nb.bootstrap import move_store

    refuse_server(ctx)

    def tell(table: str, rows: int) -> None:
        if rows:
            typer.echo(f"{rows:>10,} {table.replace('_', ' ')}")

    move_store(_address(source), _address(target), replace=replace, tell=tell)
    typer.echo("Done. Name the new store in `storage.url`.")


def _address(url: str) -> str:
    """The address as a configuration would give it.

    Raises:
        ConfigError: it is none of a store.
    """
    from hector_nb.config.home import store_url
    from hector_nb.config.schema import Config, StorageConfig
    from hector_nb.errors import ConfigError

    if not url.startswith(("sqlite:///", "postgresql://", "postgres://")):
        raise ConfigError(
            "This is not the address of a store.",
            hint="Write sqlite:///file.db or postgresql://user:password@host/database.",
        )
    return store_url(Config(storage=StorageConfig(url=url)), folder=Path.cwd())
