"""Models behind the OpenAI protocol: OpenAI, Ollama, vLLM, llama.cpp, OpenRouter, Gemini's and Anthropic's compatible endpoints.

This is the fast path. The answer's bytes are read as they come from `connection.py`, split into events and decoded here.
A failed request is repeated only while nothing of its answer has been passed on.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp

from hector_nb.config.schema import LLMConfig
from hector_nb.errors import ConfigError
from hector_nb.models.answer_reader import AnswerReader
from hector_nb.models.base import ModelDelta, ModelRequest
from hector_nb.models.connection import Access, Connection
from hector_nb.models.endpoints import DEFAULT_RESERVE, ENDPOINTS, OPENAI_HOST, known_encoding, known_window
from hector_nb.models.openai_protocol import chat_messages, to_json, tool_schemas
from hector_nb.models.provider_errors import Failed

END_GRACE = 5.0
"""Seconds that a provider has, after the reason for the end, to send usage and the end mark."""
_THINKING_BUDGETS = {"low": 1024, "medium": 4096, "high": 16_384}


class OpenAICompatibleModel:
    """A model at an OpenAI-compatible endpoint.

    Args:
        access: Where it is.
        model: The provider's name of it.
        temperature: Sent if given.
        max_tokens: The longest answer, sent if given.
        context_window: Tokens; unset: what is known of the model.
        encoding: The tiktoken encoding of its vocabulary.
        thinking: Whether, or how much, the model reasons.
        sleep: Waits between tries.
    """

    def __init__(
        self,
        access: Access,
        *,
        model: str,
        temperature: float | None = None,
        max_tokens: int | None = None,
        context_window: int | None = None,
        encoding: str | None = None,
        thinking: bool | str | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._connection = Connection(access, "/chat/completions", model=model, accept="text/event-stream", sleep=sleep)
        self._provider = self._connection.provider
        self.name = model
        self.host: str | None = self._connection.host
        self.context_window = context_window or known_window(access.provider, model)
        self.max_tokens = max_tokens or min(DEFAULT_RESERVE, self.context_window // 4)
        self.encoding = encoding
        self.can_call_tools = True
        self._settings = _settings(
            access.provider, urlsplit(access.base_url).hostname, temperature, max_tokens, thinking
        )

    @classmethod
    def from_config(cls, config: LLMConfig, *, environ: Mapping[str, str]) -> Self:
        """The model of an `llms` entry; the key comes from `environ` where the entry has none.

        Raises:
            ConfigError: the address or the model's name is missing.
        """
        model = config.model or ENDPOINTS[config.provider].default_model
        if not model:
            raise ConfigError(f"The provider {config.provider} needs `model`.")
        return cls(
            Access.from_config(config, environ=environ),
            model=model,
            temperature=config.temperature,
            max_tokens=config.max_tokens,
            context_window=config.context_window,
            encoding=known_encoding(config.provider, model),
            thinking=config.thinking,
        )

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta]:
        """The answer as it comes. Closing the iterator, or cancelling its task, closes the connection.

        Raises:
            ModelError: no answer, or its end is missing.
        """
        self._connection.check_key()
        body = to_json(self._body(request))
        attempt = 0
        while True:
            reader = AnswerReader(self._provider)
            try:
                async with aclosing(self._answer(body, reader)) as batches:
                    async for batch in batches:
                        for delta in batch:
                            yield delta
                return
            except Failed as failed:
                await self._connection.wait(failed, attempt, spoke=reader.spoke)
            attempt += 1

    async def aclose(self) -> None:
        """Close the connections."""
        await self._connection.aclose()

    def _body(self, request: ModelRequest) -> dict[str, Any]:
        body = {"model": self.name, "messages": chat_messages(request, self._provider.host), **self._settings}
        if request.tools:
            body["tools"] = tool_schemas(request.tools)
        return body

    async def _answer(self, body: bytes, reader: AnswerReader) -> AsyncGenerator[list[ModelDelta]]:
        """One try: the deltas of each network read, then the end."""
        async with self._connection.post(body, spoke=lambda: reader.spoke) as response:
            reader.expect(response.content_type)
            while not reader.ended and (data := await _next_bytes(response, reader)):
                batch = reader.feed(data)
                if batch:
                    yield batch
            yield reader.finish()


def _settings(
    provider: str,
    hostname: str | None,
    temperature: float | None,
    max_tokens: int | None,
    thinking: bool | str | None,
) -> dict[str, Any]:
    """All of the request's body that is the same every time."""
    settings: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
    if temperature is not None:
        settings["temperature"] = temperature
    if max_tokens is not None:
        # OpenAI's own newer models refuse the old name, most others do not know the new one.
        settings["max_completion_tokens" if hostname == OPENAI_HOST else "max_tokens"] = max_tokens
    if thinking is None:
        return settings
    if provider == "anthropic":
        budget = _THINKING_BUDGETS["medium" if thinking is True else thinking] if thinking else 0
        settings["thinking"] = {"type": "enabled", "budget_tokens": budget} if budget else {"type": "disabled"}
    else:
        settings["reasoning_effort"] = thinking if isinstance(thinking, str) else "medium" if thinking else "none"
    return settings


async def _next_bytes(response: aiohttp.ClientResponse, reader: AnswerReader) -> bytes:
    """What has come; nothing at the end, or where a complete answer lacks only its end mark."""
    if not reader.complete:
        return await response.content.readany()
    try:
        async with asyncio.timeout(END_GRACE):
            return await response.content.readany()
    except (TimeoutError, aiohttp.ClientError):
        return b""
