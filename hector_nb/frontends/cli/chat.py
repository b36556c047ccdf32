"""`hector chat`: a conversation in a terminal, or one fed from a pipe. The `/` commands are in `slash.py`."""

import sys
from typing import TYPE_CHECKING

import typer

from hector_nb.frontends.cli.exits import Code
from hector_nb.frontends.cli.options import (
    AgentArgument,
    DebugOption,
    SessionOption,
    ThinkingOption,
    at_place,
    choose_agent,
)
from hector_nb.frontends.cli.place import Place, with_service

if TYPE_CHECKING:
    from hector_nb.frontends.cli.conversation import Conversation
    from hector_nb.service import SessionService


@at_place
def chat(
    place: Place,
    agent: AgentArgument = None,
    session: SessionOption = None,
    thinking: ThinkingOption = False,
    debug: DebugOption = False,
) -> None:
    """Talk with an agent. The session is kept, and can be continued from here, a notebook or over HTTP.

    /help lists what can be typed besides messages. Ctrl-C stops the answer, Ctrl-D leaves.

    From a pipe every line is a message.
    """

    async def work(service: "SessionService") -> int:
        from hector_nb.frontends.cli.conversation import Conversation

        interactive = sys.stdin.isatty() and sys.stdout.isatty()
        info = await choose_agent(service, agent, session)
        conversation = Conversation(service, info, interactive=interactive, thinking=thinking, debug=debug)
        if session is not None:
            await conversation.open(session)
        return await (_talk(conversation) if interactive else _feed(conversation))

    raise typer.Exit(with_service(place, work))


async def _talk(conversation: "Conversation") -> int:
    """The conversation with a person."""
    from hector_nb.config.home import home_folder
    from hector_nb.errors import HectorError
    from hector_nb.frontends.cli.exits import report
    from hector_nb.frontends.cli.line_input import TerminalInput
    from hector_nb.frontends.cli.slash import COMMANDS, command_in, run_command

    lines = TerminalInput(history=home_folder() / "history", commands=COMMANDS)
    conversation.introduce()
    behind = True
    while not conversation.over:
        try:
            if behind:
                behind = False
                await conversation.catch_up()
            message = await lines.next(f"Ask {conversation.agent.name}…")
            if message is None:
                break
            if command := command_in(message):
                await run_command(conversation, *command)
                conversation.console.print()
            elif message.strip():
                await conversation.say(message.removeprefix("/") if message.startswith("//") else message)
        except KeyboardInterrupt:
            conversation.tell("Ctrl-D or /quit leaves.")
        except HectorError as error:
            report(error)
    conversation.part()
    return 0


async def _feed(conversation: "Conversation") -> int:
    """The conversation with a pipe: every line is a message, whatever it begins with."""
    from hector_nb.errors import HectorError
    from hector_nb.frontends.cli.exits import exit_code, report
    from hector_nb.frontends.cli.line_input import PipedInput

    lines = PipedInput()
    code = 0
    while (message := await lines.next("")) is not None:
        try:
            if not await conversation.say(message):
                return Code.INTERRUPTED
        except HectorError as error:
            report(error)
            code = code or exit_code(error)
    return code
