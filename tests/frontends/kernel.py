"""A real kernel, as a notebook uses it."""

import queue
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_client.manager import KernelManager

from tests.frontends.scripts import environment

PATIENCE = 60.0
"""The longest wait for anything, in seconds."""
AT_ONCE = 25.0
"""What takes a minute and is interrupted is over by then, however busy the machine is."""
NO_HURRY = """
from hector_nb.frontends import magics_completion
from hector_nb.runtime import remembering
magics_completion._PATIENCE = remembering._WAIT_FOR_OTHERS = 25.0"""
"""Lets names and memories take as long as they take on a busy machine, where a person would go on without them."""


@dataclass
class Cell:
    """An executed cell."""

    status: str
    outputs: list[dict[str, Any]] = field(default_factory=list)
    error: str = ""
    traceback: str = ""
    next_input: str | None = None

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message["content"] for message in self.outputs if message["msg_type"] == kind]

    @property
    def markdown(self) -> list[str]:
        """Every form that Markdown outputs had."""
        found = [content.get("data", {}).get("text/markdown") for content in (m["content"] for m in self.outputs)]
        return [text for text in found if text is not None]

    @property
    def stdout(self) -> str:
        return "".join(content["text"] for content in self.of("stream") if content["name"] == "stdout")

    @property
    def stderr(self) -> str:
        return "".join(content["text"] for content in self.of("stream") if content["name"] == "stderr")


class Kernel:
    """Runs cells."""

    def __init__(self, folder: Path, *, notebook: str | None = None) -> None:
        variables = {"JPY_SESSION_NAME": notebook} if notebook else {}
        self._manager = KernelManager(kernel_name="python3", transport="ipc", ip=str(folder / "kernel"))
        self._manager.start_kernel(env={**environment(folder), **variables}, cwd=str(folder))
        self._client = self._manager.blocking_client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=PATIENCE)

    def close(self) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)
        self._manager.cleanup_resources()

    def interrupt(self) -> None:
        self._manager.interrupt_kernel()

    def send(self, code: str, *, allow_stdin: bool = False, cell: str | None = None) -> str:
        """Send a cell; `cell` is its id, as a notebook names it."""
        if cell is None:
            return str(self._client.execute(code, allow_stdin=allow_stdin))
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
        message = self._client.session.msg("execute_request", content, metadata={"cellId": cell})
        self._client.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    def run(
        self,
        code: str,
        *,
        on_output: Callable[[dict[str, Any]], None] | None = None,
        on_question: Callable[[str], str | None] | None = None,
        cell: str | None = None,
    ) -> Cell:
        """Run a cell; `on_question` is the person at the keyboard, who may also say nothing (None)."""
        request = self.send(code, allow_stdin=on_question is not None, cell=cell)
        return self.wait(request, on_output=on_output, on_question=on_question)

    def complete(self, line: str) -> list[str]:
        """What the Tab key offers at the end of a line."""
        return [match for match, _ in self.complete_with_types(line)]

    def complete_with_types(self, line: str) -> list[tuple[str, str]]:
        """The same, with what a notebook shows beside each."""
        content = self._reply(self._client.complete(line))
        types = content["metadata"].get("_jupyter_types_experimental", [])
        return [(match, each["type"]) for match, each in zip(content["matches"], types, strict=True)]

    def inspect(self, code: str) -> str:
        """The help on what the cursor is behind."""
        return str(self._reply(self._client.inspect(code))["data"].get("text/plain", ""))

    def _reply(self, request: str) -> dict[str, Any]:
        while True:
            reply = self._client.get_shell_msg(timeout=PATIENCE)
            if reply["parent_header"].get("msg_id") == request:
                return dict(reply["content"])

    def wait(
        self,
        request: str,
        *,
        on_output: Callable[[dict[str, Any]], None] | None = None,
        on_question: Callable[[str], str | None] | None = None,
    ) -> Cell:
        """The cell, once it is done."""
        outputs: list[dict[str, Any]] = []
        until = time.monotonic() + PATIENCE
        while True:
            if on_question is not None:
                self._answer(on_question)
            left = until - time.monotonic()
            try:
                message = self._client.get_iopub_msg(timeout=left if on_question is None else min(left, 0.05))
            except queue.Empty:
                if on_question is None or left < 0:
                    raise
                continue
            if message["parent_header"].get("msg_id") != request:
                continue
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                break
            if message["msg_type"] not in ("status", "execute_input"):
                outputs.append(message)
                if on_output:
                    on_output(message)
        while True:
            reply = self._client.get_shell_msg(timeout=until - time.monotonic())
            if reply["parent_header"].get("msg_id") == request:
                break
        content = reply["content"]
        inputs = [each["text"] for each in content.get("payload", ()) if each["source"] == "set_next_input"]
        return Cell(
            content["status"],
            outputs,
            str(content.get("evalue", "")),
            "\n".join(content.get("traceback", ())),
            inputs[0] if inputs else None,
        )

    def _answer(self, on_question: Callable[[str], str | None]) -> None:
        try:
            question = self._client.get_stdin_msg(timeout=0)
        except queue.Empty:
            return
        if (answer := on_question(question["content"]["prompt"])) is not None:
            self._client.input(answer)
