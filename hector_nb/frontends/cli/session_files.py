"""`hector sessions export`: a conversation as a file."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TextIO

import typer

from hector_nb.errors import InvalidRequest
from hector_nb.frontends.cli.options import at_place
from hector_nb.frontends.cli.place import Place, with_service
from hector_nb.frontends.cli.sessions import SessionArgument

if TYPE_CHECKING:
    from hector_nb.service import SessionService

_FORMATS = {".json": "json", ".md": "markdown", ".markdown": "markdown", ".ipynb": "ipynb"}
"""The format that a file's name asks for."""


@at_place
def export(
    place: Place,
    session_id: SessionArgument,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to write.", show_default="standard output"),
    ] = None,
    form: Annotated[
        Literal["json", "markdown", "ipynb"] | None,
        typer.Option(
            "--format", "-f", help="What to write; json imports again.", show_default="by the file's name, else json"
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Write all that was said in a session as JSON, Markdown or a notebook."""
    chosen = form or (_FORMATS.get(output.suffix.lower(), "json") if output else "json")

    async def work(service: "SessionService") -> None:
        session = await service.find_session(session_id)
        if output is None:
            await _write(service, session_id, session.agent, chosen, sys.stdout)
            return
        try:
            with output.open("w" if force else "x", encoding="utf-8", newline="\n") as file:
                await _write(service, session_id, session.agent, chosen, file)
        except FileExistsError:
            raise InvalidRequest(f"{output} is there already.", hint="--force writes over it.") from None

    with_service(place, work)


async def _write(service: "SessionService", session_id: str, agent: str, form: str, file: TextIO) -> None:
    """A page at a time, so that a long conversation is never whole in memory."""
    from hector_nb.service import transcript_of
    from hector_nb.wire.export import FORMATS

    session = await service.get_session(agent, session_id)
    exporter = FORMATS[form].exporter()
    file.write(exporter.begin(session))
    async for message in transcript_of(service, agent, session_id):
        file.write(exporter.message(message))
    file.write(exporter.end())
