import asyncio
import json
import socket
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from hector_nb.errors import (
    ModelError,
    ModelInterrupted,
    ModelRateLimited,
    ModelRefused,
    ModelTimeout,
    ModelUnavailable,
)
from tests.fakes.upstream import DONE, FakeUpstream, cut, event, hang_up, paced, send, silence, status
from tests.models.requests import PORT_OF_NOBODY, asking, openai_model, read, text_of

pytestmark = pytest.mark.anyio
KEY = "sk-test-0123456789abcdef"


@pytest.fixture
async def upstream():
    async with FakeUpstream() as server:
        yield server


class Naps:
    """Takes the place of `asyncio.sleep` and keeps how long the waits were."""

    def __init__(self):
        self.seconds = []

    async def __call__(self, seconds):
        self.seconds.append(seconds)


@pytest.fixture
def naps():
    return Naps()


@pytest.fixture
async def make(upstream, naps):
    models = []

    def make(**settings):
        defaults = {
            "model": "fake",
            "base_url": upstream.url,
            "api_key": KEY,
            "key_variable": "FAKE_API_KEY",
            "timeout": 5,
            "sleep": naps,
        }
        models.append(openai_model(**(defaults | settings)))
        return models[-1]

    yield make
    for model in models:
        await model.aclose()


def said(text, **more):
    return {"error": {"message": text, **more}}


TOO_LONG = "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens."


@pytest.mark.parametrize(
    ("code", "body", "error", "words", "hint"),
    [
        (401, said("Incorrect API key provided"), ModelRefused, "refused the key", "FAKE_API_KEY, or `api_key`"),
        (403, said("No access", type="permission_error"), ModelRefused, "No access", "FAKE_API_KEY"),
        (404, said("The model `fake` does not exist"), ModelRefused, "does not know the model `fake`", "`model`"),
        (400, said("invalid model ID"), ModelRefused, "does not know the model `fake`", "`model`"),
        (400, said(TOO_LONG, code="context_length_exceeded"), ModelRefused, "longer than `fake`", "context_window"),
        (400, said("bad temperature"), ModelRefused, "bad temperature", None),
        (413, b"<html>too large</html>", ModelRefused, "longer than `fake`", "context_window"),
        (422, {"detail": "no such field"}, ModelRefused, "refused the request", None),
        (307, b"", ModelRefused, "redirect", "base_url"),
        (429, said("Slow down"), ModelRateLimited, "Slow down", "Try again later"),
        (429, said("No credit", code="insufficient_quota"), ModelRefused, "quota is used up", "plan"),
        (500, said("boom"), ModelError, r"failed \(500\). It says: boom", None),
        (500, b"<html><body>Internal error</body></html>", ModelError, r"failed \(500\)\.$", None),
        (503, "warming up", ModelUnavailable, "overloaded or down", None),
        (504, b"", ModelTimeout, "gave up waiting", None),
        (400, [said("Gemini sends a list")], ModelRefused, "Gemini sends a list", None),
    ],
)
async def test_a_status_is_explained(upstream, make, code, body, error, words, hint):
    upstream.then(status(code, body))
    with pytest.raises(error, match=words) as caught:
        await read(make(max_retries=0))
    assert type(caught.value) is error
    assert hint is None or hint in caught.value.hint


@pytest.mark.parametrize(
    ("behaviour", "error", "words"),
    [
        pytest.param(send(), ModelError, "empty answer", id="nothing"),
        pytest.param(send(DONE), ModelError, "empty answer", id="only the end mark"),
        pytest.param(status(200, b"<html>Log in</html>"), ModelError, "sent text/html instead", id="a page"),
        pytest.param(status(200, {"hello": 1}), ModelError, "sent application/json instead", id="other json"),
        pytest.param(status(200, [1]), ModelError, "not an answer", id="a list"),
        pytest.param(status(200, said("over")), ModelError, "over", id="an error as the answer"),
        pytest.param(send(b"data: {oops\n\n"), ModelError, "not JSON", id="broken json"),
        pytest.param(send(b"data: \xff\xfe\n\n"), ModelError, "not JSON", id="no text"),
        pytest.param(send(b"data: 3\n\n"), ModelError, "not an answer", id="a number"),
        pytest.param(send(b"hello there\n"), ModelInterrupted, "before its answer", id="no fields"),
        pytest.param(cut("Hel"), ModelInterrupted, "midst of its answer", id="cut"),
        pytest.param(cut("Hel", reset=True), ModelInterrupted, "midst of its answer", id="reset"),
        pytest.param(cut("Hel", chunked=False), ModelInterrupted, "midst of its answer", id="closed"),
        pytest.param(cut(), ModelInterrupted, "before its answer", id="cut before the first token"),
        pytest.param(hang_up(), ModelInterrupted, "before its answer", id="hung up"),
        pytest.param(hang_up(reset=True), ModelInterrupted, "before its answer", id="hung up with a reset"),
        pytest.param(send(event(said("the GPU is on fire"))), ModelError, "GPU is on fire", id="error in the stream"),
        pytest.param(
            send(b"event: error\n" + event({"type": "overloaded_error", "message": "Overloaded"})),
            ModelUnavailable,
            "Overloaded",
            id="named error in the stream",
        ),
        pytest.param(
            send(event(said("Slow down", code=429))), ModelRateLimited, "Slow down", id="status in the stream"
        ),
    ],
)
async def test_an_answer_that_is_none_is_explained(upstream, make, behaviour, error, words):
    upstream.then(behaviour)
    with pytest.raises(error, match=words) as caught:
        await read(make(max_retries=0))
    assert type(caught.value) is error
    assert text_of(await read(make())) == "Hello world", "the next request works"


async def test_an_explanation_that_comes_in_pieces_is_read_whole(upstream, make):
    gate = asyncio.Event()

    async def behave(exchange):
        await exchange.head(400, {"Content-Type": "application/json"})
        await exchange.send(b'{"error": {"mess')
        await gate.wait()
        await exchange.send(b'age": "too hot"}}')
        await exchange.end()

    upstream.then(behave)
    task = asyncio.create_task(read(make()))
    await upstream.received(1)
    asyncio.get_running_loop().call_later(0.05, gate.set)
    with pytest.raises(ModelRefused, match="too hot"):
        await task


async def test_a_host_that_takes_no_connection_is_given_up(make):
    with socket.socket() as full:  # a listener whose queue is full takes no more connections
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        try:
            for one in waiting:
                one.setblocking(False)
                one.connect_ex(address)
            with pytest.raises(ModelUnavailable, match="did not answer"):
                await read(make(base_url=f"http://127.0.0.1:{address[1]}/v1", timeout=0.2, max_retries=0))
        finally:
            for one in waiting:
                one.close()


async def test_an_error_after_the_first_words_is_raised_after_them(upstream, make, naps):
    upstream.then(send(event({"choices": [{"delta": {"content": "Hel"}}]}), event(said("boom", code=500))))
    got = []
    with pytest.raises(ModelError, match="boom"):
        async for delta in make().stream(asking()):
            got.append(delta)  # noqa: PERF401 - a comprehension would lose what came before the error
    assert text_of(got) == "Hel"
    assert (naps.seconds, len(upstream.requests)) == ([], 1), "what was passed on is never asked for again"


@pytest.mark.parametrize("behaviour", [silence(), silence(head=False), silence("Hel")])
async def test_silence_is_a_timeout(upstream, make, behaviour):
    upstream.then(behaviour)
    async with asyncio.timeout(30):
        with pytest.raises(ModelTimeout, match=r"sent nothing for 0\.5 s"):
            await read(make(timeout=0.5))
    await upstream.idle()
    assert len(upstream.requests) == 1


async def test_a_slow_answer_is_no_timeout_as_long_as_something_comes(upstream, make):
    text = "abcdefghijklmnopqrstu"
    upstream.then(paced(*text, gap=0.1))
    assert text_of(await read(make(timeout=2))) == text


@pytest.mark.parametrize(
    "trouble",
    [status(408), status(409), status(429), status(500), status(502), status(503), hang_up(), cut()],
)
async def test_passing_trouble_is_tried_again(upstream, make, naps, trouble):
    upstream.then(trouble, trouble)
    assert text_of(await read(make())) == "Hello world"
    assert len(upstream.requests) == 3
    first, second = naps.seconds
    assert 0.375 <= first <= 0.625
    assert 0.75 <= second <= 1.25


async def test_an_overload_told_in_the_stream_is_tried_again(upstream, make, naps):
    upstream.then(send(event(said("busy", type="overloaded_error"))))
    assert text_of(await read(make())) == "Hello world"
    assert len(naps.seconds) == 1


@pytest.mark.parametrize("code", [400, 401, 403, 404, 422])
async def test_refusals_are_not_tried_again(upstream, make, code):
    upstream.then(status(code, said("no")))
    with pytest.raises(ModelRefused):
        await read(make())
    assert len(upstream.requests) == 1


async def test_tries_are_limited(upstream, make, naps):
    upstream.default = status(500)
    with pytest.raises(ModelError):
        await read(make(max_retries=3))
    assert (len(upstream.requests), len(naps.seconds)) == (4, 3)


async def test_retry_after_in_seconds_is_kept(upstream, make, naps):
    upstream.then(status(429, headers={"Retry-After": "7"}))
    await read(make())
    assert naps.seconds == [7.0]


async def test_retry_after_in_milliseconds_is_kept(upstream, make, naps):
    upstream.then(status(429, headers={"retry-after-ms": "250", "Retry-After": "1"}))
    await read(make())
    assert naps.seconds == [0.25]


async def test_retry_after_as_a_date_is_kept(upstream, make, naps):
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    upstream.then(status(503, headers={"Retry-After": date}))
    await read(make())
    assert 25 < naps.seconds[0] <= 30


@pytest.mark.parametrize("value", ["soon", "nan", "-3", "Wed, 99 Foo 2026", ""])
async def test_a_retry_after_that_makes_no_sense_is_ignored(upstream, make, naps, value):
    upstream.then(status(429, headers={"Retry-After": value}))
    await read(make())
    assert 0.375 <= naps.seconds[0] <= 0.625


async def test_a_wait_that_is_too_long_is_left_to_the_caller(upstream, make, naps):
    upstream.then(status(429, said("tomorrow"), headers={"Retry-After": "3600"}))
    with pytest.raises(ModelRateLimited) as caught:
        await read(make())
    assert caught.value.details == {"retry_after": 3600.0}
    assert "3600 s" in caught.value.hint
    assert naps.seconds == []


async def test_a_refused_connection_names_model_and_host(make, naps):
    model = make(base_url=f"http://127.0.0.1:{PORT_OF_NOBODY}/v1")
    with pytest.raises(ModelUnavailable) as caught:
        await read(model)
    assert caught.value.message == (f"`fake` cannot be reached: `127.0.0.1:{PORT_OF_NOBODY}` refused the connection.")
    assert len(naps.seconds) == 2


async def test_ollama_that_does_not_run_is_told_how_to_start(make):
    model = make(base_url=f"http://127.0.0.1:{PORT_OF_NOBODY}/v1", provider="ollama", max_retries=0)
    with pytest.raises(ModelUnavailable) as caught:
        await read(model)
    assert "ollama serve" in caught.value.hint


async def test_an_unknown_host_is_named(make):
    with pytest.raises(ModelUnavailable, match=r"the name `nowhere\.invalid` is not known"):
        await read(make(base_url="http://nowhere.invalid/v1", max_retries=0))


async def test_a_proxy_that_cannot_be_reached_is_named(make, monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://user:{KEY}@127.0.0.1:{PORT_OF_NOBODY}")
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(ModelUnavailable, match="the proxy cannot be reached") as caught:
        await read(make(base_url="http://provider.example/v1", max_retries=0))
    assert KEY not in str(caught.value)


@asynccontextmanager
async def serving(reply):
    """A server that answers anything with these bytes; its port."""

    async def connected(reader, writer):
        await reader.read(100)
        writer.write(reply)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_a_server_without_tls_behind_https_is_explained(make):
    async with serving(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        with pytest.raises(ModelUnavailable, match="failed the TLS handshake"):
            await read(make(base_url=f"https://127.0.0.1:{port}/v1", max_retries=0))


async def test_something_that_does_not_speak_http_is_explained(make):
    async with serving(b"220 mail.example ESMTP\r\n") as port:
        with pytest.raises(ModelError, match="does not answer in HTTP"):
            await read(make(base_url=f"http://127.0.0.1:{port}/v1", max_retries=0))


@pytest.mark.parametrize(
    "behaviour",
    [
        status(401, said(f"Incorrect API key provided: {KEY}.")),
        status(401, said("Incorrect API key provided: sk-proj-****************cdef.")),
        status(400, {"error": f"bad header Bearer {KEY}"}),
        status(200, f"<html>{KEY}</html>".encode()),
        send(event(said(f"key {KEY}"))),
        send(b"data: " + KEY.encode() + b"\n\n"),
    ],
)
async def test_the_key_is_in_no_error(upstream, make, behaviour):
    upstream.then(behaviour)
    with pytest.raises(ModelError) as caught:
        await read(make(max_retries=0))
    shown = f"{caught.value} {caught.value.details} {caught.value!r} {json.dumps(caught.value.__cause__, default=repr)}"
    assert KEY not in shown
    assert "cdef" not in shown


async def test_user_and_password_of_the_address_are_used_and_not_shown(upstream, make):
    upstream.then(status(500, b""))
    model = make(base_url=f"http://ann:p%40ss@{upstream.host}/v1", api_key=None, max_retries=0)
    with pytest.raises(ModelError) as caught:
        await read(model)
    assert upstream.requests[0].headers["authorization"] == "Basic YW5uOnBAc3M="
    assert "p@ss" not in str(caught.value)
    assert "ann" not in f"{caught.value} {model.host}"
