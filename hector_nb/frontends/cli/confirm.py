"""Asking before something is erased."""

import sys
from collections.abc import Sequence

import typer

from hector_nb.errors import InvalidRequest


def confirm(question: str, about: Sequence[str], *, otherwise: str) -> None:
    """Go on if the person at the terminal says yes to a question `about` what the lines name.

    Raises:
        InvalidRequest: there is no terminal; `otherwise` says what has not happened.
        Abort: no.
    """
    if not sys.stdin.isatty():
        raise InvalidRequest(f"{otherwise}: nobody is there to ask.", hint="Add --yes.")
    for line in about:
        typer.echo(line, err=True)
    typer.confirm(question, abort=True, err=True)
