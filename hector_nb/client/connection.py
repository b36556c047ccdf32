"""HTTP to one server: JSON calls, streams of events, and what goes wrong as errors of ours."""

import asyncio
import io
import ipaddress
import json
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import responses
from typing import Any
from urllib.parse import quote, urlencode
from weakref import WeakSet

import aiohttp
from yarl import URL

from hector_nb._version import __version__
from hector_nb.client.address import Address
from hector_nb.client.sse import Block, BlockSplitter, TooLong
from hector_nb.errors import HectorError, InvalidRequest, NotFound, Unauthenticated, Unavailable
from hector_nb.wire.codec import dumps, to_bytes
from hector_nb.wire.status import decode_error

_CONNECT_WITHIN = 10.0
_ANSWER_WITHIN = 120.0
"""Seconds without a byte after which a call is given up."""
_LONGEST_SILENCE = 15.0
"""Seconds without even a heartbeat after which a stream counts as cut, unless its heartbeat is slower."""
_DRAIN_WITHIN = 0.2


class Cut(Exception):
    """The line broke: before an answer, or inside one. What was asked for may have been done."""

    def __init__(self, error: HectorError) -> None:
        self.error = error
        super().__init__(error.message)


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One request. `path` is made with `path_of`; None in `query` is left out; `key` makes it happen once, however often it is sent."""

    verb: str
    path: str
    query: Mapping[str, object | None] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    key: str | None = None
    after: str | None = None
    """The id of the last event that is known."""


def path_of(*segments: str) -> str:
    """A path from its segments, whatever is in them."""
    return "".join(f"/{quote(to_bytes(segment), safe='')}" for segment in segments)


_open: "WeakSet[Connection]" = WeakSet()


async def close_all() -> None:
    """Close the connections of a process that ends and has left them open; they are those of the running event loop."""
    for connection in list(_open):
        if connection.loop is asyncio.get_running_loop():
            await connection.aclose()


class Connection:
    """A server, for one event loop."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.loop = asyncio.get_running_loop()
        self._headers = {"User-Agent": f"hector_nb/{__version__}", "Accept-Encoding": "identity"}
        if address.token:
            self._headers["Authorization"] = f"Bearer {address.token}"
        self._session: aiohttp.ClientSession | None = None
        self._lines: set[Line] = set()
        self._heard = False
        self.closed = False
        _open.add(self)

    async def aclose(self) -> None:
        """Close all lines, for good."""
        self.closed = True
        _open.discard(self)
        for line in list(self._lines):
            line.close()
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def ask(self, call: Call) -> tuple[int, Any]:
        """The status and the JSON of an answer, None where it has none. A call that is safe to repeat is repeated once if its line broke.

        Raises:
            HectorError: the server says why not, or cannot be reached.
        """
        try:
            return await self._ask(call)
        except Cut as cut:
            if call.verb != "GET" and call.key is None:
                raise cut.error from cut.__cause__
        try:
            return await self._ask(call)
        except Cut as cut:
            raise cut.error from cut.__cause__

    async def _ask(self, call: Call) -> tuple[int, Any]:
        response = await self._send(call, accept="application/json", silence=_ANSWER_WITHIN)
        try:
            raw = await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Cut(self._unavailable("broke off")) from error
        finally:
            response.release()
        if not raw:
            return response.status, None
        try:
            return response.status, json.loads(raw)
        except ValueError as error:
            raise self.strange() from error

    async def open(self, call: Call) -> "Line":
        """A stream of events.

        Raises:
            Cut: the line broke before there was an answer.
            HectorError: the server says why not, or cannot be reached.
        """
        response = await self._send(call, accept="text/event-stream", silence=None)
        line = Line(response, self._unavailable("broke off"), self._lines.discard)
        self._lines.add(line)
        return line

    async def _send(self, call: Call, *, accept: str, silence: float | None) -> aiohttp.ClientResponse:
        """An answer that is not an error."""
        query = {name: _written(value) for name, value in call.query.items() if value is not None}
        text = self.address.base + call.path + (f"?{urlencode(query, errors='replace')}" if query else "")
        headers = {**self._headers, "Accept": accept}
        if call.body is not None:
            headers["Content-Type"] = "application/json"
        if call.key is not None:
            headers["Idempotency-Key"] = call.key
        if call.after is not None:
            headers["Last-Event-ID"] = call.after
        try:
            response = await self._open_session().request(
                call.verb,
                URL(text, encoded=True),
                data=None if call.body is None else io.BytesIO(to_bytes(dumps(call.body))),
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=None, connect=_CONNECT_WITHIN, sock_read=silence),
            )
        except aiohttp.ConnectionTimeoutError as error:
            raise self._silent() from error
        except aiohttp.ClientConnectorError as error:
            raise self._not_connected(error) from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Cut(self._broken_off()) from error
        except ValueError as error:
            told = "This idempotency key is not valid."
            raise InvalidRequest(told, hint="Use 1 to 255 ASCII letters, digits and signs, without spaces.") from error
        self._heard = True
        if response.status < 300:
            return response
        raise await self._refusal(response)

    def _open_session(self) -> aiohttp.ClientSession:
        if self.closed:
            raise HectorError("This connection is closed.", hint="Connect again.")
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                proxy=proxy_for(URL(self.address.base)),
            )
        return self._session

    async def _refusal(self, response: aiohttp.ClientResponse) -> HectorError:
        """Why the server does not do it."""
        body = None
        with suppress(aiohttp.ClientError, OSError, TimeoutError, ValueError):
            async with asyncio.timeout(_CONNECT_WITHIN):
                body = json.loads(await response.read())
        response.close()
        known = decode_error(body.get("error") if isinstance(body, dict) else None)
        if (
            known is not None
            and not isinstance(known, Unauthenticated)
            and known.message != responses.get(response.status)
        ):
            return known
        if response.status in {401, 403} or 300 <= response.status < 400:
            wants = "another token" if self.address.token else "a token"
            hint = f"It wants {wants}: as `token`, in HECTOR_TOKEN, or in the address with ?token= that it printed at its start."
            return Unauthenticated(f"{self.address.base} does not let us in.", hint=hint)
        if response.status == 404:
            return NotFound(f"There is no Hector at {self.address.base}.", hint="Check the address and its path.")
        if response.status >= 500:
            return self._unavailable(f"answers {response.status}")
        return self.strange()

    def strange(self) -> HectorError:
        """What answers is not one of our servers, or one of another age."""
        return HectorError(
            f"{self.address.base} does not answer as a Hector server does.", hint="Check the address and the versions."
        )

    def _not_connected(self, error: aiohttp.ClientConnectorError) -> Unavailable:
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            return self._unavailable(
                "has a certificate that is not trusted here", hint="If it is your own, name its file in SSL_CERT_FILE."
            )
        if isinstance(error, aiohttp.ClientConnectorSSLError):
            return self._unavailable("failed the TLS handshake", hint="Is its address http instead of https?")
        if proxy_for(URL(self.address.base)):
            return self._unavailable(
                "cannot be reached through the environment's proxy", hint="NO_PROXY names the hosts that need none."
            )
        return self._unavailable("cannot be reached", hint="Is the server running? `hector serve` starts one.")

    def _silent(self) -> Unavailable:
        """What does not speak TLS waits for the rest of a greeting that it does not understand."""
        hint = (
            "Is its address http instead of https?" if self.address.base.startswith("https") else "Check the address."
        )
        return self._unavailable(f"did not answer within {_CONNECT_WITHIN:.0f} seconds", hint=hint)

    def _broken_off(self) -> Unavailable:
        """What speaks TLS hangs up on those who do not."""
        if self._heard or self.address.base.startswith("https"):
            return self._unavailable("broke off")
        return self._unavailable("hangs up", hint="Is its address https instead of http?")

    def _unavailable(self, what: str, hint: str = "Try again in a moment.") -> Unavailable:
        return Unavailable(f"{self.address.base} {what}.", hint=hint)


class Line:
    """One open response of events. `status` 204: there are none. Until it is closed, its connection keeps it."""

    def __init__(self, response: aiohttp.ClientResponse, broken: HectorError, closed: "Callable[[Line], None]") -> None:
        self.status = response.status
        self.headers = response.headers
        self._response = response
        self._broken = broken
        self._closed = closed
        self._splitter = BlockSplitter()
        heartbeat = float(response.headers.get("Hector-Heartbeat", "0"))
        self._silence = max(_LONGEST_SILENCE, 3 * heartbeat)

    async def read(self) -> list[Block]:
        """The blocks that are there, waiting for at least one; none at the end.

        Raises:
            Cut: the line broke, or was silent for too long.
        """
        try:
            while True:
                async with asyncio.timeout(self._silence):
                    data = await self._response.content.readany()
                if not data:
                    return []
                if blocks := self._splitter.feed(data):
                    return blocks
        except (aiohttp.ClientError, OSError, TimeoutError, TooLong, RuntimeError) as error:
            # aiohttp's word for reading what was closed in between is a RuntimeError
            raise Cut(self._broken) from error

    async def finish(self) -> None:
        """Read the few bytes after the last event, so that the connection can be used again."""
        with suppress(aiohttp.ClientError, OSError, TimeoutError):
            async with asyncio.timeout(_DRAIN_WITHIN):
                await self._response.content.read()
        self.close()

    def close(self) -> None:
        """Leave: kept for the next request if it was read to its end, else cut."""
        self._response.close()
        self._closed(self)


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def proxy_for(url: URL) -> str | None:
    """The environment's proxy for this address; none for this machine.

    Raises:
        Unavailable: it is of a kind that cannot be used.
    """
    host = url.host or ""
    if _is_loopback(host) or urllib.request.proxy_bypass(host):
        return None
    proxy = urllib.request.getproxies().get(url.scheme)
    if not proxy or proxy.startswith(("http://", "https://")):
        return proxy
    if "://" not in proxy:
        return f"http://{proxy}"
    hint = "Set it to an http:// address, or name the host in NO_PROXY."
    raise Unavailable(f"The environment's proxy is a {proxy.partition(':')[0]} one, which is not supported.", hint=hint)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
