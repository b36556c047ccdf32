"""`hector serve`."""

from typing import Annotated, Literal

import typer

from hector_nb.frontends.cli.options import ConfigOption, chosen_config


def serve(
    ctx: typer.Context,
    host: Annotated[str | None, typer.Option(help="The address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[
        int | None, typer.Option("--port", "-p", min=0, max=65535, help="The port; 0: any.", show_default="8080")
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(help="What callers must show; else HECTOR_TOKEN, else one is made.", show_default=False),
    ] = None,
    no_token: Annotated[bool, typer.Option("--no-token", help="Let everybody in; only on loopback.")] = False,
    base_url: Annotated[str, typer.Option(metavar="PATH", help="The path under which everything is.")] = "/",
    grpc_port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="The port for gRPC; 0: any.", show_default="no gRPC"),
    ] = None,
    log_format: Annotated[
        Literal["text", "json"] | None,
        typer.Option(
            help="How the log is written, to standard error; json has a line for each turn, too. Else HECTOR_LOG_FORMAT.",
            show_default="text",
        ),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Serve the agents over HTTP: REST, server-sent events and WebSocket; and over gRPC. Ctrl-C stops the server."""
    from hector_nb import serve as server

    server.serve(
        config=chosen_config(ctx, config),
        host=host,
        port=port,
        token=token,
        no_token=no_token,
        base_url=base_url,
        grpc_port=grpc_port,
        log_format=log_format,
    )
