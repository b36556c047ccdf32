"""`hector sessions`: list, show, fork, end, delete; `session_files.py` has export."""

from typing import TYPE_CHECKING, Annotated

import typer

from hector_nb.frontends.cli.completion import agent_names, session_ids
from hector_nb.frontends.cli.confirm import confirm
from hector_nb.frontends.cli.options import CursorOption, JsonOption, YesOption, at_place
from hector_nb.frontends.cli.place import Place, with_service
from hector_nb.sessions import SessionStatus

if TYPE_CHECKING:
    from hector_nb.service import SessionService
    from hector_nb.sessions import Page, Session

app = typer.Typer(no_args_is_help=True, help="List, show, fork, export, end and delete sessions.")
SessionArgument = Annotated[
    str, typer.Argument(metavar="ID", help="The session.", show_default=False, autocompletion=session_ids)
]
SessionsArgument = Annotated[
    list[str], typer.Argument(metavar="ID...", help="The sessions.", show_default=False, autocompletion=session_ids)
]


@app.command("list")
@at_place
def list_sessions(
    place: Place,
    agent: Annotated[
        str | None,
        typer.Option(
            "--agent", "-a", help="Only sessions with this agent.", show_default=False, autocompletion=agent_names
        ),
    ] = None,
    status: Annotated[
        SessionStatus | None, typer.Option(help="Only sessions in this state.", show_default=False)
    ] = None,
    query: Annotated[
        str | None,
        typer.Option("--query", "-q", metavar="TEXT", help="Search titles and messages.", show_default=False),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="Sessions on one page.")] = 20,
    cursor: CursorOption = None,
    as_json: JsonOption = False,
) -> None:
    """List sessions, the newest activity first."""

    async def work(service: "SessionService") -> "Page[Session]":
        return await service.list_sessions(agent, limit=limit, cursor=cursor, status=status, query=query)

    page = with_service(place, work)
    if as_json:
        from hector_nb.wire.codec import dumps, encode_page, encode_session

        typer.echo(dumps(encode_page(page, "sessions", encode_session)))
    else:
        _print_page(page)


def _print_page(page: "Page[Session]") -> None:
    from hector_nb.frontends.cli.figures import ago
    from hector_nb.frontends.cli.tables import print_table

    rows = [(s.session_id, s.agent, s.status, str(s.message_count), ago(s.last_active_at), s.title) for s in page.items]
    if rows:
        print_table(("SESSION", "AGENT", "STATUS", "MESSAGES", "ACTIVE", "TITLE"), rows)
    else:
        typer.echo("No sessions.", err=True)
    if page.next_cursor:
        typer.echo(f"More: --cursor {page.next_cursor}", err=True)


@app.command()
@at_place
def show(place: Place, session_id: SessionArgument, as_json: JsonOption = False) -> None:
    """Print a session and all that was said in it."""

    async def work(service: "SessionService") -> None:
        from hector_nb.frontends.cli.console import make_console
        from hector_nb.frontends.cli.transcript import print_transcript
        from hector_nb.service import transcript_of
        from hector_nb.wire.codec import dumps, encode_message, encode_session

        session = await service.find_session(session_id)
        if as_json:
            messages = [
                encode_message(message) async for message in transcript_of(service, session.agent, session.session_id)
            ]
            typer.echo(dumps({**encode_session(session), "messages": messages}))
        else:
            _print_session(session)
            await print_transcript(service, session, make_console())

    with_service(place, work)


def _print_session(session: "Session") -> None:
    """The session in a few words, on standard error, so that a pipe gets the transcript alone."""
    from rich.text import Text

    from hector_nb.frontends.cli.console import make_console
    from hector_nb.frontends.cli.figures import ago, counts
    from hector_nb.frontends.render import plain_line

    words = [
        session.title,
        session.session_id,
        session.agent,
        session.status,
        counts(session),
        ago(session.last_active_at),
    ]
    line = " · ".join(plain_line(word) for word in words if word)
    make_console("err").print(Text(f"{line}\n", "dim"), soft_wrap=True)


@app.command()
@at_place
def fork(
    place: Place,
    session_id: SessionArgument,
    after: Annotated[
        str | None,
        typer.Option(metavar="MSG_ID", help="The last message that is taken over.", show_default="the newest"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a new session that shares the history of one, and print its id."""

    async def work(service: "SessionService") -> "Session":
        session = await service.find_session(session_id)
        return await service.fork_session(session.agent, session_id, after=after)

    made = with_service(place, work)
    if as_json:
        _print_json([made])
    else:
        typer.echo(made.session_id)


@app.command()
@at_place
def end(place: Place, session_id: SessionsArgument, as_json: JsonOption = False) -> None:
    """Mark sessions complete: what runs in them is stopped, their memories are stored, and they stay readable."""

    async def work(service: "SessionService") -> "list[Session]":
        sessions = [await service.find_session(each) for each in session_id]
        return [await service.end_session(session.agent, session.session_id) for session in sessions]

    ended = with_service(place, work)
    if as_json:
        _print_json(ended)
    else:
        for session in ended:
            typer.echo(f"Ended {session.session_id}.", err=True)


def _print_json(sessions: "list[Session]") -> None:
    """Each on a line of its own."""
    from hector_nb.wire.codec import dumps, encode_session

    for session in sessions:
        typer.echo(dumps(encode_session(session)))


@app.command()
@at_place
def delete(
    place: Place,
    session_id: SessionsArgument,
    forget: Annotated[
        bool, typer.Option("--forget", help="Also what they gave to memories of other sessions.")
    ] = False,
    yes: YesOption = False,
) -> None:
    """Erase sessions and all that was said in them. What runs in them is stopped."""

    async def work(service: "SessionService") -> None:
        sessions = [await service.find_session(each) for each in session_id]
        if not yes:
            many = f"these {len(sessions)} sessions" if len(sessions) > 1 else "this"
            confirm(f"Erase {many}?", [_summary(session) for session in sessions], otherwise="Nothing was deleted")
        for session in sessions:
            await service.delete_session(session.agent, session.session_id, forget=forget)
            typer.echo(f"Deleted {session.session_id}.", err=True)

    with_service(place, work)


def _summary(session: "Session") -> str:
    from hector_nb.frontends.cli.figures import counts
    from hector_nb.frontends.render import plain_line

    return f"{session.session_id} · {plain_line(session.title) or session.agent} · {counts(session)}"
