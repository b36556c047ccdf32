"""The HTTP client under the SDKs: it gives up connecting soon, and responses are closed when their reader is done.

Google's SDK leaves a response open that is not read to its end, until Python's garbage collection finds it; the provider would go on
generating, and charging, for nobody.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar

import httpx2

CONNECT_TIMEOUT = 10.0
_opened: ContextVar[list[httpx2.Response] | None] = ContextVar("opened", default=None)


def open_http(timeout: float) -> httpx2.AsyncClient:
    """A client for any number of answers at once; `timeout` is the longest silence, in seconds."""
    return httpx2.AsyncClient(
        timeout=httpx2.Timeout(timeout, connect=CONNECT_TIMEOUT),
        limits=httpx2.Limits(max_connections=None, max_keepalive_connections=100),
        event_hooks={"request": [_connect_soon], "response": [_note]},
    )


@asynccontextmanager
async def closing_responses() -> AsyncIterator[list[httpx2.Response]]:
    """Close at the end what `noting` has put into the list."""
    responses: list[httpx2.Response] = []
    try:
        yield responses
    finally:
        for response in responses:
            await response.aclose()


@contextmanager
def noting(responses: list[httpx2.Response]) -> Iterator[None]:
    """Within it, the responses that this task opens are put into the list. Nothing may be yielded from it."""
    token = _opened.set(responses)
    try:
        yield
    finally:
        _opened.reset(token)


async def _connect_soon(request: httpx2.Request) -> None:
    """SDKs give one number for every kind of time-out."""
    timeout = request.extensions.get("timeout")
    if timeout:
        timeout["connect"] = min(CONNECT_TIMEOUT, timeout.get("connect") or CONNECT_TIMEOUT)


async def _note(response: httpx2.Response) -> None:
    responses = _opened.get()
    if responses is not None:
        responses.append(response)
