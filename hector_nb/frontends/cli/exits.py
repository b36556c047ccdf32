"""What exit codes mean, and how an error looks: one red line, and beneath it what to do."""

import os
from enum import IntEnum
from typing import Any

import typer
from typer.core import TyperGroup

from hector_nb.errors import ConfigError, HectorError, InvalidRequest, NotFound

HELP = (
    "Exit codes: 0 done, 1 failed (the model, the store, a busy session), 2 wrong usage or invalid message, "
    "3 configuration, 4 no such agent, session, memory or waiting call, 130 interrupted."
)


class Code(IntEnum):
    """The exit codes."""

    FAILED = 1
    USAGE = 2
    CONFIGURATION = 3
    NOT_FOUND = 4
    INTERRUPTED = 130


def exit_code(error: Exception) -> Code:
    """The exit code for an error."""
    match error:
        case ConfigError():
            return Code.CONFIGURATION
        case InvalidRequest():
            return Code.USAGE
        case NotFound():
            return Code.NOT_FOUND
        case _:
            return Code.FAILED


def report(error: Exception) -> None:
    """Print an error to standard error; a traceback only where `HECTOR_DEBUG` asks for it."""
    from hector_nb.frontends.cli.console import make_console
    from hector_nb.frontends.render import plain

    console = make_console("err")
    if os.environ.get("HECTOR_DEBUG", "") not in {"", "0"}:
        console.print_exception()
    message, hint = _words(error)
    console.print(plain(message), style="red", soft_wrap=True)
    if hint:
        console.print(plain(hint), style="dim", soft_wrap=True)


def _words(error: Exception) -> tuple[str, str | None]:
    match error:
        case HectorError():
            return error.message, error.hint
        case OSError(strerror=str(reason)):
            return f"{error.filename}: {reason}" if error.filename else reason, None
        case _:
            return f"Something is wrong with hector itself: {error!r}", "HECTOR_DEBUG=1 shows where."


class Commands(TyperGroup):
    """A group of commands that Ctrl-C ends with the exit code for it, and whose own words tell where no server can be named."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that the arguments name."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Exit(Code.INTERRUPTED) from None
        except Exception as error:
            if _is_unknown(error, "--server") or _is_unknown(error, "--token"):
                where: Any = getattr(error, "ctx", ctx)
                raise typer.BadParameter(_no_server(where), ctx=where) from error
            raise


def _is_unknown(error: Exception, option: str) -> bool:
    """Whether the command has no such option: typer does not export the class of that error."""
    return hasattr(error, "possibilities") and getattr(error, "option_name", None) == option


def _no_server(ctx: Any) -> str:
    if isinstance(ctx.command, TyperGroup) and not ctx.command.invoke_without_command:
        return (
            f"Name the server at the end, or before: `{ctx.find_root().command_path} --server URL {ctx.info_name} …`."
        )
    return works_here(ctx)


def works_here(ctx: Any) -> str:
    """Why a command takes no server."""
    return f"`{ctx.command_path}` works on this machine, not on a server."
