"""What `%hector` and `%%hector` do.

The session belongs to the notebook, where the kernel knows its path: the first message to an agent makes one, titled like the notebook,
and all following messages go on in it, also those of a later kernel, until `new` begins another. A cell that runs again takes its old
turn back first (`cell_turns.py`), so that Run All repeats the conversation instead of prolonging it. `use` goes on with any other session.
"""

import inspect
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from IPython.core.error import UsageError

from hector_nb import __version__
from hector_nb.errors import AgentNotFound, HectorError
from hector_nb.frontends.answer_forms import json_markdown, json_of
from hector_nb.frontends.aside import Aside, AsideInTerminal, AsideOutput
from hector_nb.frontends.cell_approvals import Allowed, CellApprovals
from hector_nb.frontends.cell_turn import CellTurn
from hector_nb.frontends.cell_turns import CellRun, CellTurns, TakenBack, running_cell
from hector_nb.frontends.chat_command import open_chat
from hector_nb.frontends.connect import fetching
from hector_nb.frontends.inline import AboveAnswer, AnswerView, FinalOutput, LiveOutput, TerminalOutput, publish
from hector_nb.frontends.interpolate import interpolate
from hector_nb.frontends.last_error import LastError
from hector_nb.frontends.listing import Shown, local
from hector_nb.frontends.looking import ledger_view
from hector_nb.frontends.magics_arguments import COMMANDS, CommandArguments, PromptArguments, parse_cell, parse_line
from hector_nb.frontends.magics_completion import Completer, is_free
from hector_nb.frontends.notebook_commands import run_command, show_connection
from hector_nb.frontends.notebook_service import NotebookService
from hector_nb.frontends.notebook_sessions import NotebookSessions
from hector_nb.frontends.reply import CellReply
from hector_nb.frontends.running_turn import RunningTurn
from hector_nb.frontends.succession import Succession
from hector_nb.service import AgentInfo, SendMessage

_SHOWN_NAMES = frozenset({"In", "Out", "_", "__", "___", "_hector"})


class Notebook:
    """The state of the magics of one shell."""

    def __init__(
        self,
        shell: Any,
        service: NotebookService | None = None,
        errors: LastError | None = None,
        succession: Succession | None = None,
    ) -> None:
        self._shell = shell
        self._succession = succession or Succession(shell)
        self._service = service or NotebookService()
        self._errors = errors or LastError(shell)
        self._allowed: Allowed = set()
        self._turns = CellTurns()
        self._sessions = NotebookSessions(os.environ.get("JPY_SESSION_NAME"))

    def line(self, line: str) -> Any:
        """`%hector`: the value that an assignment gets."""
        arguments = parse_line(line)
        with _TidyErrors():
            match arguments:
                case PromptArguments():
                    return self._ask(arguments)
                case CommandArguments(name="help"):
                    return Shown(inspect.cleandoc(self._shell.find_line_magic("hector").__doc__))
                case CommandArguments(name="version"):
                    return Shown(__version__)
                case CommandArguments(name="chat"):
                    return open_chat(self._filled(arguments), self._service, self._sessions, allowed=self._allowed)
                case CommandArguments():
                    return run_command(self._filled(arguments), self._service, self._sessions)
                case None:
                    return show_connection(self._service, self._sessions)

    def cell(self, line: str, cell: str) -> None:
        """`%%hector`."""
        arguments = parse_cell(line, cell)
        with _TidyErrors():
            try:
                self._ask(arguments)
            except AgentNotFound as error:
                if arguments.agent not in COMMANDS:
                    raise
                raise UsageError(f"{error.message} Commands have one %: %hector {arguments.agent}") from None

    def complete(self, magic: str | None, text: str) -> list[tuple[str, str]]:
        """What may follow at the end of a line, and what each of it is; `magic` is the line from `%hector` on, None inside a cell's prompt."""
        return Completer(self._service, self._sessions, self._variables)(magic, text)

    def is_free(self, magic: str) -> bool:
        """Whether anything at all may follow at the end of a line, and not only what `complete` offers."""
        return is_free(magic)

    def close(self) -> None:
        """Free what was opened."""
        self._service.close()

    def _filled(self, arguments: CommandArguments) -> CommandArguments:
        """The command with the notebook's values in it: `%hector forget {memories[0].memory_id}`."""

        def fill(text: str | None, *, secrets: bool = False) -> str | None:
            return None if text is None else interpolate(text, self._variables(), secrets=secrets)

        return replace(
            arguments,
            session=fill(arguments.session),
            query=fill(arguments.query),
            turn=fill(arguments.turn),
            text=fill(arguments.text),
            file=fill(arguments.file),
            url=fill(arguments.url),
            token=fill(arguments.token, secrets=True),
            memory_ids=tuple(interpolate(each, self._variables()) for each in arguments.memory_ids),
        )

    def _ask(self, arguments: PromptArguments) -> CellReply:
        request = self._prompt(arguments)
        info, session_id = self._service.ask(lambda service: self._sessions.choose(service, arguments))
        taken = self._take_back(arguments, info, session_id)
        view, aside = self._views(arguments, info)
        turn = CellTurn(
            self._start(info, replace(request, session_id=session_id)),
            info=info,
            session_id=session_id,
            view=view,
            aside=aside,
            cell=self._shell.execution_count,
            approvals=self._approvals(view),
            look=lambda turn_id: self._service.ask(
                lambda asked: ledger_view(asked, info, turn_id, session_id=session_id)
            ),
            form=(lambda text: json_markdown(json_of(text))) if arguments.format == "json" else None,
            kept=taken.kept.session_id if taken.kept else None,
        )
        about = list(self._about_the_session(session_id, taken))
        try:
            reply = turn.show()
        except (KeyboardInterrupt, HectorError) as error:
            if turn.is_answered or isinstance(error, KeyboardInterrupt):
                self._keep(turn.reply(), arguments)
            if about:
                view.note("\n".join(about))
            raise
        self._keep(reply, arguments)
        if arguments.format == "json" and arguments.out:
            self._shell.user_ns[arguments.out] = reply.json
        if arguments.format == "code":
            about += self._offer_code(reply)
        view.note("\n".join([footer(reply, timed=not _is_set("HECTOR_NB_DETERMINISTIC")), *about]))
        return reply

    def _prompt(self, arguments: PromptArguments) -> SendMessage:
        prompt = arguments.prompt if arguments.raw else interpolate(arguments.prompt, self._variables())
        if arguments.err:
            prompt = f"{prompt}\n\n{self._errors.text()}"
        # The cell stops its turn itself.
        return SendMessage(message=prompt, on_disconnect="continue")

    def _run(self) -> CellRun | None:
        return running_cell(self._shell, self._succession.first)

    def _take_back(self, arguments: PromptArguments, info: AgentInfo, session_id: str) -> TakenBack:
        """Take back what this cell has said when it ran before."""
        run = self._run()
        if run is None or arguments.append:
            return TakenBack()
        return self._service.ask(lambda asked: self._turns.take_back(asked, info.name, session_id, run))

    def _start(self, info: AgentInfo, request: SendMessage) -> RunningTurn:
        run, session_id = self._run(), request.session_id
        if run is None or session_id is None:
            return self._service.start(info.name, request)
        return self._service.start(
            info.name,
            request,
            on_stored=lambda service, turn_id: self._turns.note(service, info.name, session_id, run, turn_id),
        )

    def _offer_code(self, reply: CellReply) -> Iterator[str]:
        """Put the code of an answer into a new cell, or say that there is none."""
        if (code := reply.code) is None:
            yield "There is no code in this answer, so there is no new cell."
        else:
            self._shell.set_next_input(code)

    def _about_the_session(self, session_id: str, taken: TakenBack) -> Iterator[str]:
        """What became of the session before this answer, where somebody might wonder."""
        resumed = self._sessions.resumed.pop(session_id, None)
        if taken.above:
            cells = " and ".join(f"[{number}]" for number in taken.above)
            yield f"What {cells} just said was taken back with this cell's old turn, which stood before it. Run all cells once more, and it stays."
        if (kept := taken.kept) is not None:
            yield f"This cell's old turn was replaced. What followed is kept: %hector use {kept.agent} -s {kept.session_id}"
        elif resumed is not None and resumed.message_count:
            yield f"Goes on with this notebook's session of {local(resumed.last_active_at)}; %hector new begins another."

    def _views(self, arguments: PromptArguments, info: AgentInfo) -> tuple[AnswerView, Aside]:
        """What shows the answer, and what shows all else."""
        stream = arguments.stream and not _is_recorded()
        markdown = arguments.format != "text"
        told = {
            "thinking": arguments.thinking or info.reasoning.show_thinking,
            "tools": info.reasoning.show_tool_execution,
            "debug": arguments.debug or info.reasoning.show_debug_info,
        }
        if not hasattr(self._shell, "kernel"):
            stream = stream and arguments.format != "json"
            return TerminalOutput(stream=stream), AsideInTerminal(**told)
        if not stream:
            return FinalOutput(markdown=markdown, publish=publish), AsideOutput(publish, live=False, **told)
        view = LiveOutput(waiting=lambda: _waiting(info), markdown=markdown, publish=publish)
        return view, AsideOutput(AboveAnswer(view, publish), live=True, **told)

    def _approvals(self, view: AnswerView) -> CellApprovals:
        """What asks the person before a tool is used."""
        kernel = getattr(self._shell, "kernel", None)
        return CellApprovals(
            allowed=self._allowed,
            publish=AboveAnswer(view, publish) if kernel is not None else None,
            kernel=kernel,
        )

    def _keep(self, reply: CellReply, arguments: PromptArguments) -> None:
        self._shell.user_ns["_hector"] = reply
        if arguments.out:
            self._shell.user_ns[arguments.out] = reply

    def _variables(self) -> Mapping[str, Any]:
        """The notebook's variables, without what IPython keeps there for itself."""
        hidden = self._shell.user_ns_hidden
        return {
            name: value
            for name, value in self._shell.user_ns.items()
            if name in _SHOWN_NAMES or name not in hidden or hidden[name] is not value
        }


class _TidyErrors:
    """Errors and interrupts leave the cell as one line, not as a tour of this package."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, HectorError | KeyboardInterrupt):
            text = f"{type(error).__name__}: {error}".removesuffix(": ")
            error._render_traceback_ = lambda: text.splitlines()  # type: ignore[union-attr]


def model_and_host(info: AgentInfo) -> str:
    """Who gets the text."""
    return f"{info.model} at {info.host}" if info.host else f"{info.model} in this process"


def _waiting(info: AgentInfo) -> str:
    return f"{fetching() or f'Waiting for {model_and_host(info)} …'} ■ stops it."


def footer(reply: CellReply, *, timed: bool = True) -> str:
    """A line about an answer: who gave it, its tokens (`~`: counted here, not by the provider), its time, what was recalled."""
    model = f"{reply.model} at {reply.host}" if reply.host else reply.model
    count = reply.usage.completion_tokens
    tokens = f"{'~' if reply.usage.estimated else ''}{count:,} {'token' if count == 1 else 'tokens'}"
    parts = [reply.agent, model, tokens, *([f"{reply.seconds:.1f} s"] if timed else [])]
    if reply.recalled:
        parts.append(f"used {reply.recalled} {'memory' if reply.recalled == 1 else 'memories'}")
    return " · ".join(parts)


def _is_set(variable: str) -> bool:
    return os.environ.get(variable, "") not in ("", "0")


def _is_recorded() -> bool:
    """Whether a program compares this cell's outputs, or updates are not wanted."""
    return (
        os.environ.get("HECTOR_NB_STREAM") == "0"
        or "PYTEST_VERSION" in os.environ
        or "PYTEST_CURRENT_TEST" in os.environ
    )
