"""Tokens are counted from a file, without a network, and never on the event loop for long."""

import asyncio
import socket
import time
from hashlib import sha1
from importlib import resources
from pathlib import Path

import pytest
import tiktoken
from tiktoken_ext import openai_public

from hector_nb.memory import vocabularies
from hector_nb.memory.tokens import SmallVocabularyCounter, TiktokenCounter
from hector_nb.memory.vocabularies import NotCachedError

pytestmark = pytest.mark.anyio
VOCABULARIES = sorted(openai_public.ENCODING_CONSTRUCTORS)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("counting tried to reach a network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where tiktoken's downloads would be; nothing at first."""
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    vocabularies.cached.cache_clear()
    return tmp_path


def cached_file(folder: Path, encoding: str) -> Path:
    """The file in which tiktoken keeps a vocabulary that it has downloaded."""
    constants = openai_public.ENCODING_CONSTRUCTORS[encoding].__code__.co_consts
    url = next(each for each in constants if isinstance(each, str) and each.endswith(f"{encoding}.tiktoken"))
    return folder / sha1(url.encode()).hexdigest()


def installed_file() -> bytes:
    return resources.files("tiktoken_ext").joinpath("data/cl100k_base.tiktoken").read_bytes()


async def test_words_are_counted_without_a_network() -> None:
    assert await TiktokenCounter().count("The capital of France is Paris.") == 7


@pytest.mark.parametrize("encoding", [*VOCABULARIES, "unheard_of"])
async def test_a_vocabulary_that_is_not_here_is_never_downloaded(encoding: str) -> None:
    counter = TiktokenCounter(encoding)
    assert await counter.count("The capital of France is Paris.") == 7
    assert counter.exact == (encoding == "cl100k_base")


async def test_without_a_known_vocabulary_the_count_is_an_estimate() -> None:
    assert not TiktokenCounter(None).exact


async def test_a_vocabulary_in_the_cache_is_read_from_there(cache_folder: Path) -> None:
    with pytest.raises(NotCachedError):
        vocabularies.cached("cl100k_base")
    cached_file(cache_folder, "cl100k_base").write_bytes(installed_file())
    text = "Ünïcode, 12345 and\n\n  spaces"
    assert vocabularies.cached("cl100k_base").encode_ordinary(text) == vocabularies.installed().encode_ordinary(text)


async def test_it_is_found_by_the_older_variable_and_in_the_usual_place(
    cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR")
    monkeypatch.setenv("DATA_GYM_CACHE_DIR", str(cache_folder))
    assert vocabularies._cache_folder() == cache_folder
    monkeypatch.delenv("DATA_GYM_CACHE_DIR")
    monkeypatch.setattr("tempfile.tempdir", str(cache_folder))
    assert vocabularies._cache_folder() == cache_folder / "data-gym-cache"
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "")
    assert vocabularies._cache_folder() is None


@pytest.mark.parametrize("content", [b"", b"IQ== 0\n", "all but the end"])
async def test_a_broken_file_in_the_cache_is_as_none(cache_folder: Path, content: bytes | str) -> None:
    data = installed_file()[:-10] if isinstance(content, str) else content
    cached_file(cache_folder, "o200k_base").write_bytes(data)
    counter = TiktokenCounter("o200k_base")
    assert await counter.count("The capital of France is Paris.") == 7
    assert not counter.exact


async def test_a_vocabulary_that_the_program_has_loaded_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    letters = {bytes([each]): each for each in range(256)}
    single = tiktoken.Encoding("o200k_base", pat_str=".", mergeable_ranks=letters, special_tokens={})
    monkeypatch.setitem(tiktoken.registry.ENCODINGS, "o200k_base", single)
    counter = TiktokenCounter("o200k_base")
    assert await counter.count("Paris") == 5
    assert counter.exact


@pytest.mark.parametrize("text", ["", "🙂" * 9, "<|endoftext|>", "\x00", "lone \ud800 surrogate", " ", "\n" * 99])
@pytest.mark.parametrize("counter", [TiktokenCounter(), SmallVocabularyCounter()])
async def test_any_text_can_be_counted(counter: TiktokenCounter, text: str) -> None:
    assert (await counter.count(text) > 0) == bool(text)


@pytest.mark.parametrize("run", ["a", "=", "漢", "🙂", "\n", "\x1c!", " \n", "ab1"])
async def test_a_mebibyte_without_spaces_takes_no_quadratic_time(run: str) -> None:
    text = run * (2**20 // len(run.encode()))
    started = time.perf_counter()
    assert await TiktokenCounter().count(text) > 1000
    assert time.perf_counter() - started < 10, "about 0.3 s; uncut, some versions of tiktoken take minutes"


async def test_a_mebibyte_of_spaces_does_not_break_tiktoken() -> None:
    assert await TiktokenCounter().count(" " * 2**20 + "a") > 1000


async def test_cutting_long_texts_changes_nothing_where_there_are_spaces() -> None:
    text = "def f(x: int) -> str:\n    return f'{x!r} and 12,345 words'  # the rest\n\n" * 500
    whole = len(vocabularies.installed().encode_ordinary(text))
    assert await TiktokenCounter().count(text) == pytest.approx(whole, rel=0.001)


async def test_a_long_text_does_not_hold_up_the_event_loop() -> None:
    counter = TiktokenCounter()
    await counter.count("warm")
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    assert await counter.count("lorem ipsum " * 80_000) > 100_000
    ticking.cancel()
    assert ticks > 10


async def test_many_who_count_at_once_at_the_start_get_the_same_answer() -> None:
    counter = TiktokenCounter()
    assert set(await asyncio.gather(*(counter.count("The capital of France") for _ in range(20)))) == {4}


async def test_for_small_vocabularies_every_digit_counts() -> None:
    plain, small = TiktokenCounter(), SmallVocabularyCounter()
    for text in ("The harbour was quiet that morning.", "3141592653589793"):
        assert await small.count(text) > await plain.count(text)
    assert await small.count("1" * 100) >= 100
    assert not small.exact
