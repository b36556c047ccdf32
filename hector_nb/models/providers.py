"""Providers with a protocol of their own, Anthropic and Google, through the model layer of `pydantic-ai-slim`.

That library and the provider's SDK are imported with the first request, on a thread: they take a second. All that touches
them is in the modules `pydantic_*.py`.
"""

import asyncio
import importlib
import importlib.util
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Literal, Self, cast
from urllib.parse import urlsplit

from hector_nb.config.schema import LLMConfig
from hector_nb.errors import ModelUnavailable
from hector_nb.models.base import ModelDelta, ModelRequest
from hector_nb.models.endpoints import DEFAULT_RESERVE, ENDPOINTS, known_window, native_url_of
from hector_nb.models.provider_errors import Failed, Provider
from hector_nb.models.retries import Retries

if TYPE_CHECKING:
    from hector_nb.models.pydantic_client import PydanticClient

NativeProvider = Literal["anthropic", "google"]
SDKS: Mapping[str, str] = {"anthropic": "anthropic", "google": "google.genai"}
"""The module of each provider's SDK; its extra has the provider's name."""


def is_installed(provider: str) -> bool:
    """Whether this provider's own protocol can be spoken here. Imports nothing."""
    return _found("pydantic_ai") and _found(SDKS[provider])


def speaks_natively(llm: LLMConfig) -> bool:
    """Whether this entry is served in the provider's own protocol, not at its OpenAI-compatible endpoint.

    An address of one's own, where only the provider's own protocol is expected, is never taken for the other.
    """
    return llm.provider in SDKS and (llm.base_url is not None or is_installed(llm.provider))


def _found(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


class ProviderModel:
    """A model of a provider, in its own protocol.

    Args:
        provider: Whose protocol.
        model: The provider's name of it.
        base_url: The address in front of `/v1`.
        api_key: The provider's key.
        key_variable: The environment variable that usually holds the key, for error texts.
        temperature: Sent if given.
        max_tokens: The longest answer; unset: the provider's default.
        context_window: Tokens; unset: what is known of the model.
        timeout: The longest silence, in seconds.
        max_retries: How often a request that failed for a passing reason is repeated.
        thinking: Whether, or how much, the model reasons.
        sleep: Waits between tries.
    """

    def __init__(
        self,
        *,
        provider: NativeProvider,
        model: str,
        base_url: str,
        api_key: str | None = None,
        key_variable: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        context_window: int | None = None,
        timeout: float = 60.0,
        max_retries: int = 2,
        thinking: bool | Literal["low", "medium", "high"] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.name = model
        self.host: str | None = urlsplit(base_url).netloc.rsplit("@", 1)[-1]
        self.context_window = context_window or known_window(provider, model)
        self.max_tokens = max_tokens or min(DEFAULT_RESERVE, self.context_window // 4)
        self.encoding: str | None = None
        self.can_call_tools = True
        self.provider = provider
        self.base_url = base_url
        self.api_key = api_key
        self.temperature = temperature
        self.longest_answer = max_tokens
        self.timeout = timeout
        self.thinking = thinking
        self.words = Provider(
            model=model,
            host=self.host,
            key_variable=key_variable,
            endpoint=f"the protocol of {provider}",
            secrets=(api_key,) if api_key else (),
        )
        self._retries = Retries(most=max_retries, sleep=sleep)
        self._opening = asyncio.Lock()
        self._client: PydanticClient | None = None

    @classmethod
    def from_config(cls, config: LLMConfig, *, environ: Mapping[str, str]) -> Self:
        """The model of an `llms` entry; the key comes from `environ` where the entry has none.

        Raises:
            ConfigError: the address is none.
        """
        endpoint = ENDPOINTS[config.provider]
        key = config.api_key.get_secret_value() if config.api_key else None
        if not key and not config.base_url:
            key = next((environ[name] for name in endpoint.key_variables if environ.get(name)), None)
        return cls(
            provider=cast("NativeProvider", config.provider),
            model=config.model or cast("str", endpoint.default_model),
            base_url=native_url_of(config.provider, config.base_url),
            api_key=key,
            key_variable=endpoint.key_variables[0],
            temperature=config.temperature,
            max_tokens=config.max_tokens,
            context_window=config.context_window,
            timeout=config.timeout,
            max_retries=config.max_retries,
            thinking=config.thinking,
        )

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta]:
        """The answer as it comes. Closing the iterator, or cancelling its task, closes the connection.

        Raises:
            ModelError: no answer, or its end is missing.
        """
        if not self.api_key:
            raise self.words.missing_key()
        client = await self._open()
        attempt = 0
        while True:
            spoke = False
            try:
                async with aclosing(client.answer(request)) as deltas:
                    async for delta in deltas:
                        spoke = True
                        yield delta
                return
            except Failed as failed:
                if spoke:
                    raise failed.error from failed.__cause__
                await self._retries.pause(failed, attempt)
            attempt += 1

    async def aclose(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _open(self) -> "PydanticClient":
        async with self._opening:
            if self._client is None:
                self._client = await asyncio.to_thread(self._import_and_configure)
            return self._client

    def _import_and_configure(self) -> "PydanticClient":
        try:
            module = importlib.import_module("hector_nb.models.pydantic_client")
            client: PydanticClient = module.PydanticClient(self)
        except ImportError as error:
            raise ModelUnavailable(
                f"`{self.name}` needs pydantic-ai-slim and the provider's SDK, which are not installed.",
                hint=f'Run: pip install "hector_nb[{self.provider}]"',
            ) from error
        return client
