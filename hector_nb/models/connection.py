"""One address of a provider that speaks the OpenAI protocol: JSON is posted to it, failures come back as `Failed`.

`aiohttp` brings TLS, proxies, pooling and time-outs. Above it are `openai_compatible.py`, which reads streams, and
`openai_embedder.py`.
"""

import asyncio
import io
import socket
import urllib.request
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import aiohttp
from yarl import URL

from hector_nb.config.schema import LLMConfig
from hector_nb.models.endpoints import ENDPOINTS, base_url_of
from hector_nb.models.openai_protocol import parse
from hector_nb.models.provider_errors import Failed, Provider
from hector_nb.models.retries import Retries

CONNECT_TIMEOUT = 10.0
LARGE_BODY = 2**20
"""`aiohttp` writes larger `bytes` at once, and warns of it."""
LONGEST_ERROR = 65_536
ERROR_GRACE = 5.0
"""Seconds that an error's body may take."""
DRAIN_GRACE = 0.05
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True, kw_only=True)
class Access:
    """Where a provider answers and what it asks for.

    Attributes:
        base_url: Up to and including `/v1`; may hold user and password for basic authentication.
        provider: The name in `llms`.
        api_key: Sent as bearer token.
        key_variable: The environment variable that usually holds the key, for error texts.
        needs_key: Whether to refuse requests as long as there is no key.
        timeout: The longest silence, in seconds.
        max_retries: How often a request that failed for a passing reason is repeated.
    """

    base_url: str = field(repr=False)
    provider: str = "openai-compatible"
    api_key: str | None = field(default=None, repr=False)
    key_variable: str | None = None
    needs_key: bool = False
    timeout: float = 60.0
    max_retries: int = 2

    @classmethod
    def from_config(cls, config: LLMConfig, *, environ: Mapping[str, str]) -> Self:
        """That of an `llms` entry; the key comes from `environ` where the entry has none.

        Raises:
            ConfigError: the address is missing or is none.
        """
        endpoint = ENDPOINTS[config.provider]
        key = config.api_key.get_secret_value() if config.api_key else None
        if not key and not config.base_url:
            key = next((environ[name] for name in endpoint.key_variables if environ.get(name)), None)
        return cls(
            base_url=base_url_of(config.provider, config.base_url, environ),
            provider=config.provider,
            api_key=key,
            key_variable=endpoint.key_variables[0] if endpoint.key_variables else None,
            needs_key=bool(endpoint.key_variables) and not config.base_url,
            timeout=config.timeout,
            max_retries=config.max_retries,
        )


class Connection:
    """Posts to one path of a provider.

    Args:
        access: Where the provider answers.
        path: Follows the base URL.
        model: The provider's name of the model, for error texts.
        accept: The content type that is asked for.
        sleep: Waits between tries.

    Attributes:
        host: Host and port, as people read them.
        headers: Sent with each request.
        provider: Who fails, in the words of its errors.
    """

    def __init__(
        self,
        access: Access,
        path: str,
        *,
        model: str,
        accept: str,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        parts = urlsplit(access.base_url)
        self.host = parts.netloc.rsplit("@", 1)[-1]
        self._url = URL(access.base_url.rstrip("/") + path).with_user(None)
        self._access = access
        self._retries = Retries(most=access.max_retries, sleep=sleep)
        self.headers = {"Content-Type": "application/json", "Accept": accept, "Accept-Encoding": "identity"}
        password = unquote(parts.password or "")
        if access.api_key:
            self.headers["Authorization"] = f"Bearer {access.api_key}"
        elif parts.username:
            credentials = f"{unquote(parts.username)}:{password}".encode()
            self.headers["Authorization"] = f"Basic {b64encode(credentials).decode()}"
        ollama = access.provider == "ollama"
        self.provider = Provider(
            model=model,
            host=self.host,
            key_variable=access.key_variable,
            unreachable_hint="Is Ollama running? `ollama serve` starts it." if ollama else None,
            unknown_model_hint=f"`ollama pull {model}` fetches it." if ollama else None,
            secrets=tuple(secret for secret in (access.api_key, password) if secret),
        )
        self._session: aiohttp.ClientSession | None = None

    def check_key(self) -> None:
        """Refuse where the provider needs a key and there is none.

        Raises:
            ModelRefused: so it is.
        """
        if self._access.needs_key and not self._access.api_key:
            raise self.provider.missing_key()

    @asynccontextmanager
    async def post(self, body: bytes, *, spoke: Callable[[], bool]) -> AsyncIterator[aiohttp.ClientResponse]:
        """One try: the answer, if its status is 200. `spoke` tells whether anything of it has been passed on.

        Raises:
            Failed: no answer, or its end is missing.
        """
        async with self._translated_errors(spoke), self._response(body) as response:
            yield response

    async def wait(self, failed: Failed, attempt: int, *, spoke: bool = False) -> None:
        """Wait until it is time for the next try; `attempt` counts from 0.

        Raises:
            ModelError: there is to be none; it is why the last one failed.
        """
        if spoke:
            raise failed.error from failed.__cause__
        await self._retries.pause(failed, attempt)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    @asynccontextmanager
    async def _response(self, body: bytes) -> AsyncIterator[aiohttp.ClientResponse]:
        if self._session is None:
            self._session = _open_session(self._url, self._access.timeout)
        data = io.BytesIO(body) if len(body) > LARGE_BODY else body
        response = await self._session.post(self._url, data=data, headers=self.headers, allow_redirects=False)
        try:
            if response.status != HTTPStatus.OK:
                raise self.provider.bad_status(response.status, await _error_body(response), response.headers)
            yield response
            await _drain(response)
        finally:
            response.close()  # kept for the next request if it was read to its end, else cut

    @asynccontextmanager
    async def _translated_errors(self, spoke: Callable[[], bool]) -> AsyncIterator[None]:
        try:
            yield
        except aiohttp.ConnectionTimeoutError as error:
            raise self._unreachable("did not answer") from error
        except aiohttp.ServerTimeoutError as error:
            raise self.provider.silent(self._access.timeout) from error
        except aiohttp.ClientConnectorError as error:
            raise self._not_connected(error) from error
        except aiohttp.ClientResponseError as error:
            raise self.provider.garbage("does not answer in HTTP") from error
        except (aiohttp.ClientError, OSError) as error:
            raise self.provider.cut(spoke=spoke()) from error

    def _unreachable(self, what: str, hint: str | None = None) -> Failed:
        return self.provider.unreachable(f"`{self.host}` {what}", hint)

    def _not_connected(self, error: aiohttp.ClientConnectorError) -> Failed:
        if isinstance(error, aiohttp.ClientProxyConnectionError):
            return self.provider.unreachable(
                "the proxy cannot be reached", "Check HTTP_PROXY, HTTPS_PROXY and NO_PROXY."
            )
        if isinstance(error, aiohttp.ClientConnectorDNSError) or isinstance(error.os_error, socket.gaierror):
            return self.provider.unreachable(
                f"the name `{self.host}` is not known", "Check `base_url` and the network."
            )
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            return self._unreachable("has no valid certificate")
        if isinstance(error, aiohttp.ClientConnectorSSLError):
            return self._unreachable("failed the TLS handshake", "Is its address http instead of https?")
        if isinstance(error.os_error, ConnectionRefusedError):
            return self._unreachable("refused the connection")
        return self._unreachable(f"could not be connected ({error.os_error.strerror or type(error.os_error).__name__})")


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


async def _error_body(response: aiohttp.ClientResponse) -> Any:
    """The beginning of an error's body, decoded where it is JSON."""
    with suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(ERROR_GRACE):
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
