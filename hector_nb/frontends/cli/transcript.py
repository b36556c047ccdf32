"""What was said in a session, printed."""

from rich.console import Console
from rich.text import Text

from hector_nb.frontends.cli.console import can_draw
from hector_nb.frontends.cli.flow import MarkdownFlow
from hector_nb.frontends.render import plain
from hector_nb.messages import Message
from hector_nb.service import SessionService, transcript_of
from hector_nb.sessions import Session


async def print_transcript(service: SessionService, session: Session, console: Console) -> None:
    """Questions as they were typed, answers as Markdown; plain text where the output is no terminal."""
    first = True
    async for message in transcript_of(service, session.agent, session.session_id):
        if not first:
            console.print()
        first = False
        _print_message(message, session.agent, console)


def _print_message(message: Message, agent: str, console: Console) -> None:
    name = agent if message.role == "assistant" else message.role
    if message.status != "complete":
        name += f" ({message.status})"
    console.print(Text(name, "bold"))
    if message.role == "assistant" and can_draw():
        flow = MarkdownFlow()
        flow.feed(plain(message.content))
        for part in flow.settle(final=True):
            console.print(part)
    else:
        console.print(Text(plain(message.content)), soft_wrap=True)
