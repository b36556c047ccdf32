"""Models behind the OpenAI protocol: OpenAI, Ollama, vLLM, llama.cpp, OpenRouter, Gemini's and Anthropic's compatible endpoints.

This is the fast path. The answer's bytes are read as they come, split into events and decoded here; `aiohttp` brings TLS,
proxies, pooling and time-outs. A failed request is repeated only while nothing of its answer has been passed on.
"""

import asyncio
import io
import socket
import urllib.request
from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import aiohttp
from yarl import URL

from hector_nb.config.schema import LLMConfig
from hector_nb.errors import ConfigError
from hector_nb.models.answer_reader import AnswerReader
from hector_nb.models.base import ModelDelta, ModelRequest
from hector_nb.models.endpoints import (
    DEFAULT_RESERVE,
    ENDPOINTS,
    OPENAI_HOST,
    base_url_of,
    known_encoding,
    known_window,
)
from hector_nb.models.openai_protocol import chat_messages, parse, to_json, tool_schemas
from hector_nb.models.provider_errors import Failed, Provider
from hector_nb.models.retries import Retries

CONNECT_TIMEOUT = 10.0
END_GRACE = 5.0
"""Seconds that a provider has, after the reason for the end, to send usage and the end mark."""
LARGE_BODY = 2**20
"""`aiohttp` writes larger `bytes` at once, and warns of it."""
LONGEST_ERROR = 65_536
DRAIN_GRACE = 0.05
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_THINKING_BUDGETS = {"low": 1024, "medium": 4096, "high": 16_384}


class OpenAICompatibleModel:
    """A model at an OpenAI-compatible endpoint.

    Args:
        model: The provider's name of it.
        base_url: Up to and including `/v1`; may hold user and password for basic authentication.
        provider: The name in `llms`; decides how limits and thinking are asked for.
        api_key: Sent as bearer token.
        key_variable: The environment variable that usually holds the key, for error texts.
        needs_key: Whether to refuse requests as long as there is no key.
        temperature: Sent if given.
        max_tokens: The longest answer, sent if given.
        context_window: Tokens; unset: what is known of the model.
        encoding: The tiktoken encoding of its vocabulary.
        timeout: The longest silence, in seconds.
        max_retries: How often a request that failed for a passing reason is repeated.
        thinking: Whether, or how much, the model reasons.
        sleep: Waits between tries.
    """

    def __init__(
        self,
        *,
        model: str,
        base_url: str,
        provider: str = "openai-compatible",
        api_key: str | None = None,
        key_variable: str | None = None,
        needs_key: bool = False,
        temperature: float | None = None,
        max_tokens: int | None = None,
        context_window: int | None = None,
        encoding: str | None = None,
        timeout: float = 60.0,
        max_retries: int = 2,
        thinking: bool | str | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        parts = urlsplit(base_url)
        self.name = model
        self.host: str | None = parts.netloc.rsplit("@", 1)[-1]
        self.context_window = context_window or known_window(provider, model)
        self.max_tokens = max_tokens or min(DEFAULT_RESERVE, self.context_window // 4)
        self.encoding = encoding
        self.can_call_tools = True
        self._url = URL(base_url.rstrip("/") + "/chat/completions").with_user(None)
        self._timeout = timeout
        self._retries = Retries(most=max_retries, sleep=sleep)
        self._headers = {
            "Content-Type": "application/json",
            "Accept": "text/event-stream",
            "Accept-Encoding": "identity",
        }
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        elif parts.username:
            credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
            self._headers["Authorization"] = f"Basic {b64encode(credentials).decode()}"
        self._lacks_key = needs_key and not api_key
        self._settings = _settings(provider, parts.hostname, temperature, max_tokens, thinking)
        ollama = provider == "ollama"
        self._provider = Provider(
            model=model,
            host=self.host,
            key_variable=key_variable,
            unreachable_hint="Is Ollama running? `ollama serve` starts it." if ollama else None,
            unknown_model_hint=f"`ollama pull {model}` fetches it." if ollama else None,
            secrets=tuple(secret for secret in (api_key, unquote(parts.password or "")) if secret),
        )
        self._session: aiohttp.ClientSession | None = None

    @classmethod
    def from_config(cls, config: LLMConfig, *, environ: Mapping[str, str]) -> Self:
        """The model of an `llms` entry; the key comes from `environ` where the entry has none.

        Raises:
            ConfigError: the address or the model's name is missing.
        """
        endpoint = ENDPOINTS[config.provider]
        model = config.model or endpoint.default_model
        if not model:
            raise ConfigError(f"The provider {config.provider} needs `model`.")
        key = config.api_key.get_secret_value() if config.api_key else None
        if not key and not config.base_url:
            key = next((environ[name] for name in endpoint.key_variables if environ.get(name)), None)
        return cls(
            model=model,
            base_url=base_url_of(config.provider, config.base_url, environ),
            provider=config.provider,
            api_key=key,
            key_variable=endpoint.key_variables[0] if endpoint.key_variables else None,
            needs_key=bool(endpoint.key_variables) and not config.base_url,
            temperature=config.temperature,
            max_tokens=config.max_tokens,
            context_window=config.context_window,
            encoding=known_encoding(model) if config.provider == "openai" else None,
            timeout=config.timeout,
            max_retries=config.max_retries,
            thinking=config.thinking,
        )

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta]:
        """The answer as it comes. Closing the iterator, or cancelling its task, closes the connection.

        Raises:
            ModelError: no answer, or its end is missing.
        """
        if self._lacks_key:
            raise self._provider.missing_key()
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
                if reader.spoke:
                    raise failed.error from failed.__cause__
                await self._retries.pause(failed, attempt)
            attempt += 1

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _body(self, request: ModelRequest) -> dict[str, Any]:
        body = {"model": self.name, "messages": chat_messages(request, self._provider.host), **self._settings}
        if request.tools:
            body["tools"] = tool_schemas(request.tools)
        return body

    async def _answer(self, body: bytes, reader: AnswerReader) -> AsyncGenerator[list[ModelDelta]]:
        """One try: the deltas of each network read, then the end."""
        async with self._translated_errors(reader), self._response(body) as response:
            reader.expect(response.content_type)
            while not reader.ended and (data := await _next_bytes(response, reader)):
                batch = reader.feed(data)
                if batch:
                    yield batch
            yield reader.finish()

    @asynccontextmanager
    async def _response(self, body: bytes) -> AsyncIterator[aiohttp.ClientResponse]:
        if self._session is None:
            self._session = _open_session(self._url, self._timeout)
        data = io.BytesIO(body) if len(body) > LARGE_BODY else body
        response = await self._session.post(self._url, data=data, headers=self._headers, allow_redirects=False)
        try:
            if response.status != HTTPStatus.OK:
                raise self._provider.bad_status(response.status, await _error_body(response), response.headers)
            yield response
            await _drain(response)
        finally:
            response.close()  # kept for the next request if it was read to its end, else cut

    @asynccontextmanager
    async def _translated_errors(self, reader: AnswerReader) -> AsyncIterator[None]:
        try:
            yield
        except aiohttp.ConnectionTimeoutError as error:
            raise self._unreachable("did not answer") from error
        except aiohttp.ServerTimeoutError as error:
            raise self._provider.silent(self._timeout) from error
        except aiohttp.ClientConnectorError as error:
            raise self._not_connected(error) from error
        except aiohttp.ClientResponseError as error:
            raise self._provider.garbage("does not answer in HTTP") from error
        except (aiohttp.ClientError, OSError) as error:
            raise self._provider.cut(spoke=reader.spoke) from error

    def _unreachable(self, what: str, hint: str | None = None) -> Failed:
        return self._provider.unreachable(f"`{self.host}` {what}", hint)

    def _not_connected(self, error: aiohttp.ClientConnectorError) -> Failed:
        if isinstance(error, aiohttp.ClientProxyConnectionError):
            return self._provider.unreachable(
                "the proxy cannot be reached", "Check HTTP_PROXY, HTTPS_PROXY and NO_PROXY."
            )
        if isinstance(error, aiohttp.ClientConnectorDNSError) or isinstance(error.os_error, socket.gaierror):
            return self._provider.unreachable(
                f"the name `{self.host}` is not known", "Check `base_url` and the network."
            )
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            return self._unreachable("has no valid certificate")
        if isinstance(error, aiohttp.ClientConnectorSSLError):
            return self._unreachable("failed the TLS handshake", "Is its address http instead of https?")
        if isinstance(error.os_error, ConnectionRefusedError):
            return self._unreachable("refused the connection")
        return self._unreachable(f"could not be connected ({error.os_error.strerror or type(error.os_error).__name__})")


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


def _open_session(url: URL, timeout: float) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=300),
        timeout=aiohttp.ClientTimeout(total=None, connect=min(CONNECT_TIMEOUT, timeout), sock_read=timeout),
        cookie_jar=aiohttp.DummyCookieJar(),
        proxy=_proxy(url),
    )


def _proxy(url: URL) -> str | None:
    """The environment's proxy for this address, if there is one.

    aiohttp's own `trust_env` would look it up, and ~/.netrc, in a thread for each request.
    """
    host = url.host or ""
    if host in _LOOPBACK or urllib.request.proxy_bypass(host):
        return None
    return urllib.request.getproxies().get(url.scheme)


async def _next_bytes(response: aiohttp.ClientResponse, reader: AnswerReader) -> bytes:
    """What has come; nothing at the end, or where a complete answer lacks only its end mark."""
    if not reader.complete:
        return await response.content.readany()
    try:
        async with asyncio.timeout(END_GRACE):
            return await response.content.readany()
    except (TimeoutError, aiohttp.ClientError):
        return b""


async def _error_body(response: aiohttp.ClientResponse) -> Any:
    """The beginning of an error's body, decoded where it is JSON."""
    with suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(END_GRACE):
            data = b""
            while len(data) < LONGEST_ERROR and (piece := await response.content.readany()):
                data += piece
            with suppress(ValueError):
                return parse(data)
            return data[:LONGEST_ERROR].decode("utf-8", "replace")
    return ""


async def _drain(response: aiohttp.ClientResponse) -> None:
    """Read the few bytes after the end mark, so that the connection can be used again."""
    with suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(DRAIN_GRACE):
            await response.content.read()
