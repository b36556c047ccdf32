"""`execute_command`: a program runs in the working folder, without a shell unless the configuration wants one.

The command becomes an argument vector. A program that `allow` does not name is refused; it is the file that counts, so a `git` that lies
in the working folder is not the `git` that is allowed. Standard input is empty, secrets are taken out of the environment
(`environment.py`), and with the call everything ends that it started (`process.py`).
"""

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from hector_nb.config.schema import ToolConfig
from hector_nb.tools.base import CallContext, RequireApproval, ToolError
from hector_nb.tools.builtin import BuiltinTool, make_schema, refusal_of
from hector_nb.tools.command_line import split, usable
from hector_nb.tools.environment import clean_environment, locate
from hector_nb.tools.fence import Fence
from hector_nb.tools.process import Finished, run_program

_TIMEOUT = 60.0
_TO_END = 10.0
"""Seconds beyond its own time limit in which a call must be over, come what may."""
_SHELL = "/bin/sh"
_MOST_ODD = 0.1
"""The part of the output that may not be UTF-8 in what still counts as text."""


class ExecuteCommand(BuiltinTool):
    """Runs programs in a folder. `limit` is in seconds; `allow` holds names found on PATH, or paths."""

    require_approval: RequireApproval = "always"

    def __init__(
        self, folder: Path, *, allow: Sequence[str] = (), shell: bool = False, limit: float = _TIMEOUT
    ) -> None:
        self._folder = folder
        self._allow = tuple(allow)
        self._shell = shell
        self._limit = limit
        self.timeout = limit + _TO_END
        self.schema = make_schema(
            "execute_command",
            _description(self._allow, shell),
            {"command": {"type": "string", "description": "The command, for example: python hello.py"}},
            required=("command",),
        )

    @classmethod
    def from_config(cls, config: ToolConfig, *, folder: Path) -> Self:
        """The tool as configured; `timeout` bounds the program, which keeps what it printed until then."""
        limit = config.timeout or _TIMEOUT
        root = Fence.from_config(config, folder=folder).root
        tool = cls(root, allow=config.allow, shell=config.shell, limit=limit).limited(config)
        tool.timeout = limit + _TO_END
        return tool

    def permits(self, arguments: Mapping[str, Any]) -> bool:
        """Whether an allow-list names the program."""
        self._program(arguments["command"], clean_environment(os.environ, folder=self._folder))
        return bool(self._allow) and not self._shell

    async def call(self, arguments: Mapping[str, Any], context: CallContext) -> str:
        """What the program printed.

        Raises:
            ToolError: it is not allowed, did not end in time, or failed; what it printed is in the text.
        """
        environment = clean_environment(os.environ, folder=self._folder)
        executable, words = self._program(arguments["command"], environment)
        if not self._folder.is_dir():
            raise ToolError(f"The working folder {self._folder} does not exist.")
        try:
            finished = await run_program(
                words, executable=executable, folder=self._folder, environment=environment, timeout=self._limit
            )
        except OSError as error:
            raise ToolError(f"{words[0]} cannot be started: {refusal_of(error)}") from error
        printed = _printed(finished)
        if finished.code == 0:
            return printed or "(no output)"
        raise ToolError("\n".join(filter(None, (printed, self._failure(finished)))))

    def _program(self, command: str, environment: Mapping[str, str]) -> tuple[str, list[str]]:
        """The file to run and its arguments.

        Raises:
            ToolError: the command cannot or may not be run.
        """
        if sys.platform == "win32":
            raise ToolError("execute_command is not available on Windows.")
        if self._shell:
            usable(command)
            return _SHELL, [_SHELL, "-c", command]
        words = split(command)
        found = locate(words[0], path=environment["PATH"], folder=self._folder)
        if self._allow and not self._is_allowed(words[0], found, environment["PATH"]):
            raise ToolError(f"{words[0]} is not allowed. These programs are: {', '.join(self._allow)}.")
        if found is None:
            raise ToolError(f"There is no program {words[0]}.")
        return found, words

    def _is_allowed(self, name: str, found: str | None, path: str) -> bool:
        if found is None:
            return name in self._allow
        return any(found == locate(each, path=path, folder=self._folder) for each in self._allow)

    def _failure(self, finished: Finished) -> str:
        if finished.flooded:
            return "[stopped: it printed too much]"
        if finished.code is None:
            return f"[stopped: it ran longer than {self._limit:g} s]"
        if finished.code < 0:
            return f"[ended by {_signal_name(-finished.code)}]"
        return f"[exit code {finished.code}]"


def _description(allow: Sequence[str], shell: bool) -> str:
    if shell:
        return "Run a command in a POSIX shell, in the working folder. Standard input is empty."
    programs = f" Allowed programs: {', '.join(allow)}." if allow else ""
    return (
        "Run one program with its arguments in the working folder. There is no shell: no pipes, redirections, variables, "
        f"globs or several commands. Standard input is empty.{programs}"
    )


def _printed(finished: Finished) -> str:
    """The output as text."""
    size = len(finished.head) + finished.dropped + len(finished.tail)
    head, tail = finished.head, finished.tail
    texts = [part.decode("utf-8", errors="replace") for part in ((head, tail) if finished.dropped else (head + tail,))]
    odd = sum(text.count("�") for text in texts)
    if b"\0" in head or b"\0" in tail or odd > _MOST_ODD * sum(map(len, texts)):
        return f"(The output is binary: {size:,} bytes.)"
    return f"\n[… {finished.dropped:,} bytes were not kept …]\n".join(texts).rstrip()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
