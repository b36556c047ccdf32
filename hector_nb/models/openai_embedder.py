"""Embedders behind the OpenAI protocol (`POST …/embeddings`): OpenAI, Ollama, vLLM, llama.cpp, Gemini's compatible endpoint.

It is the `Embedder` of `memory/base.py`, which this room may not know; `bootstrap/` brings them together.
"""

import asyncio
import math
import struct
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Self

import aiohttp

from hector_nb.config.schema import LLMConfig
from hector_nb.errors import ConfigError, ModelError
from hector_nb.models.connection import Access, Connection
from hector_nb.models.openai_protocol import parse, to_json
from hector_nb.models.provider_errors import Failed

_BATCH = 64
"""Texts in one request; providers allow 100 and more."""
_DEFAULT_MODELS = {"openai": "text-embedding-3-small", "google": "gemini-embedding-001"}


class OpenAICompatibleEmbedder:
    """An embedder at an OpenAI-compatible endpoint.

    Args:
        access: Where it is.
        model: The provider's name of it.
        sleep: Waits between tries.

    Attributes:
        name: The model and, as soon as something was embedded, the dimension of its vectors.
    """

    def __init__(
        self, access: Access, *, model: str, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._connection = Connection(access, "/embeddings", model=model, accept="application/json", sleep=sleep)
        self.name = f"{model}/?"
        self._model = model
        self._dimension: int | None = None

    @classmethod
    def from_config(cls, config: LLMConfig, *, environ: Mapping[str, str]) -> Self:
        """The embedder of an `llms` entry; the key comes from `environ` where the entry has none.

        Raises:
            ConfigError: the address or the model's name is missing.
        """
        model = config.model or _DEFAULT_MODELS.get(config.provider)
        if not model:
            raise ConfigError(f"An embedder of the provider {config.provider} needs `model`.")
        return cls(Access.from_config(config, environ=environ), model=model)

    async def embed(self, texts: Sequence[str]) -> Sequence[bytes]:
        """A vector for each text.

        Raises:
            ModelError: the provider failed, or what it sent cannot be used.
        """
        self._connection.check_key()
        vectors: list[bytes] = []
        for start in range(0, len(texts), _BATCH):
            vectors += await self._embed(texts[start : start + _BATCH])
        return vectors

    async def aclose(self) -> None:
        """Close the connections."""
        await self._connection.aclose()

    async def _embed(self, texts: Sequence[str]) -> list[bytes]:
        # Some providers refuse a text without a character; any other will do in its place.
        body = {"model": self._model, "input": [text or "." for text in texts], "encoding_format": "float"}
        answer = await self._ask(to_json(body))
        return [self._vector(numbers) for numbers in self._numbers(answer, len(texts))]

    async def _ask(self, body: bytes) -> Any:
        attempt = 0
        while True:
            try:
                async with self._connection.post(body, spoke=lambda: False) as response:
                    return await self._read(response)
            except Failed as failed:
                await self._connection.wait(failed, attempt)
            attempt += 1

    async def _read(self, response: aiohttp.ClientResponse) -> Any:
        data = await response.content.read()
        try:
            return parse(data)
        except ValueError as error:
            raise self._connection.provider.garbage("does not answer in JSON", data) from error

    def _numbers(self, answer: Any, count: int) -> list[Any]:
        """The vectors as they were sent, in the order of the texts."""
        items = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise self._unusable("did not send vectors")
        if len(items) != count:
            raise self._unusable(f"sent {len(items)} vectors for {count} texts")
        places = [item.get("index", place) for place, item in enumerate(items)]
        if not all(isinstance(place, int) for place in places) or sorted(places) != list(range(count)):
            raise self._unusable("sent vectors in no order")
        return [items[places.index(place)].get("embedding") for place in range(count)]

    def _vector(self, numbers: Any) -> bytes:
        if not isinstance(numbers, list) or not numbers:
            raise self._unusable("sent an empty vector")
        try:
            length = math.hypot(*numbers)
        except (TypeError, OverflowError):
            length = math.nan
        if not math.isfinite(length) or length == 0:
            raise self._unusable("sent a vector that is no direction (zero, not finite, or no numbers)")
        if self._dimension is None:
            self._dimension = len(numbers)
            self.name = f"{self._model}/{self._dimension}"
        elif self._dimension != len(numbers):
            raise self._unusable(f"changed the dimension of its vectors from {self._dimension} to {len(numbers)}")
        return struct.pack(f"<{len(numbers)}f", *(number / length for number in numbers))

    def _unusable(self, what: str) -> ModelError:
        return ModelError(
            f"The embedder `{self._model}` at `{self._connection.host}` {what}.",
            hint="Is it an embedding model? Restart after it was changed.",
        )
