import asyncio
import sys
import threading
import time
from contextlib import aclosing

import aiohttp
import pytest

from hector_nb.config.schema import LLMConfig
from hector_nb.errors import ConfigError, ModelRefused, ModelTimeout, ModelUnavailable
from hector_nb.events import TextDelta
from hector_nb.models import llama
from hector_nb.models.local import LocalModel
from tests.models.requests import WEATHER, asking, message, read, text_of

pytestmark = [pytest.mark.anyio, pytest.mark.embedded]
ENDLESS = asking("Count from 1 to 500, one number a line.", system="You write long lists.")


def generating():
    return len([thread for thread in threading.enumerate() if thread.name == "hector-generation"])


async def until(condition):
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.005)


async def test_the_embedded_model_knows_the_capital_of_france(embedded_model):
    answer = await read(
        embedded_model,
        asking("What is the capital of France?", system="You are a helpful assistant. Answer briefly and precisely."),
    )
    assert "Paris" in text_of(answer)
    end = answer[-1]
    assert end.finish_reason == "stop"
    assert end.usage.prompt_tokens > 10
    assert end.usage.completion_tokens > 0
    assert not end.usage.estimated
    assert len(answer) > 3, "it came in pieces"


async def test_it_reads_the_history(embedded_model):
    before = [message("user", "My cat is called Tom."), message("assistant", "Tom is a nice name for a cat.")]
    with_history = await read(embedded_model, asking("What is my cat called?", before=before))
    without = await read(embedded_model, asking("What is my cat called?"))
    assert with_history[-1].usage.prompt_tokens > without[-1].usage.prompt_tokens + 15


async def test_several_turns_are_answered_at_once_and_more_wait(embedded_model):
    turns = llama.SLOTS + 2
    questions = [asking(f"Say a word about the number {number}.") for number in range(turns)]
    answers = await asyncio.gather(*(read(embedded_model, question) for question in questions))
    assert all(text_of(answer) and answer[-1].usage for answer in answers)


async def test_the_event_loop_stays_free_while_it_answers(embedded_model):
    done = asyncio.Event()
    longest = 0.0

    async def watch():
        nonlocal longest
        while not done.is_set():
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            longest = max(longest, time.perf_counter() - before)

    watching = asyncio.create_task(watch())
    await read(embedded_model, asking("Name three fruits."))
    done.set()
    await watching
    assert longest < 1, "far less on a machine with nothing else to do"


async def test_leaving_early_stops_the_generation(embedded_model):
    async with aclosing(embedded_model.stream(ENDLESS)) as stream, asyncio.timeout(30):
        await anext(stream)
        assert generating() == 1
    await until(lambda: generating() == 0)


async def test_cancelling_stops_it_also_while_it_reads_a_long_prompt(embedded_model):
    task = asyncio.create_task(read(embedded_model, asking("alpha beta gamma " * 450)))
    await until(lambda: generating() == 1)
    started = time.perf_counter()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.perf_counter() - started < 2, "whoever cancels does not wait"
    await until(lambda: generating() == 0)
    assert text_of(await read(embedded_model, asking("Say yes.")))


async def test_a_conversation_longer_than_its_window_is_refused_clearly(embedded_model):
    with pytest.raises(ModelRefused, match="longer than `SmolLM2-135M-Instruct` can read") as caught:
        await read(embedded_model, asking("word " * 3000))
    assert "context_window" in caught.value.hint


async def test_tools_are_refused_by_the_embedded_model_before_it_is_even_fetched(tmp_path):
    model = LocalModel.from_config(LLMConfig(provider="local"), folder=tmp_path, cache_folder=tmp_path)
    assert not model.can_call_tools
    with pytest.raises(ModelRefused, match="`SmolLM2-135M-Instruct` cannot call tools") as caught:
        await read(model, asking("Weather in Rome?", tools=[WEATHER]))
    assert caught.value.hint == "Give this agent another `llm`, or take `tools` out."
    assert list(tmp_path.iterdir()) == []


async def test_a_file_whose_template_knows_no_tools_refuses_them_once_that_is_known(embedded_file):
    config = LLMConfig(provider="local", model=str(embedded_file), max_tokens=8)
    model = LocalModel.from_config(config, folder=".", cache_folder=".")
    assert model.can_call_tools
    with pytest.raises(ModelRefused, match="cannot call tools: its chat template knows none"):
        await read(model, asking("Weather in Rome?", tools=[WEATHER]))
    assert not model.can_call_tools
    assert text_of(await read(model, asking("Say yes."))), "without tools it answers"
    await model.aclose()


async def test_text_that_is_no_utf8_does_not_break_it(embedded_model):
    assert text_of(await read(embedded_model, asking("Say hello \ud83d")))


async def test_an_answer_is_cut_at_its_limit(embedded_file):
    model = LocalModel.from_config(
        LLMConfig(provider="local", model=str(embedded_file), max_tokens=3), folder=".", cache_folder="."
    )
    answer = await read(model, ENDLESS)
    assert answer[-1].finish_reason == "length"
    assert answer[-1].usage.completion_tokens == 3
    await model.aclose()


async def test_one_file_is_loaded_once(embedded_model, embedded_file):
    first = await embedded_model._loaded()
    assert llama.load(embedded_file, embedded_model.context_window) is first


async def test_it_is_quiet(embedded_model, capfd):
    await read(embedded_model, asking("Say yes."))
    assert capfd.readouterr() == ("", "")


async def test_its_own_port_is_closed_to_others(embedded_model):
    model = await embedded_model._loaded()
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{model._server.listening_address}/v1/models") as response:
            assert response.status == 401
        async with session.post(f"{model._server.listening_address}/v1/chat/completions", json={}) as response:
            assert response.status == 401


async def test_a_silent_generation_is_a_timeout(embedded_model):
    model = LocalModel(name="slow", locate=embedded_model._locate, timeout=0.001)
    with pytest.raises(ModelTimeout):
        await read(model, asking("one two three " * 100))
    await model.aclose()
    await until(lambda: generating() == 0)


async def test_turns_that_leave_while_it_is_loaded_do_not_stop_the_others(embedded_file):
    gate = asyncio.Event()
    located = []

    async def locate():
        located.append(1)
        await gate.wait()
        return embedded_file

    model = LocalModel(name="slow", locate=locate)
    leaving = asyncio.create_task(read(model))
    staying = asyncio.create_task(read(model))
    await until(lambda: located)
    leaving.cancel()
    gate.set()
    assert isinstance((await staying)[0], TextDelta)
    assert located == [1]
    await model.aclose()


async def test_a_failed_fetch_is_tried_again_by_the_next_request(embedded_file):
    tries = []

    async def locate():
        tries.append(1)
        if len(tries) == 1:
            raise ModelUnavailable
        return embedded_file

    model = LocalModel(name="m", locate=locate)
    with pytest.raises(ModelUnavailable):
        await read(model)
    assert text_of(await read(model))
    await model.aclose()


@pytest.mark.parametrize(
    ("content", "problem"),
    [(None, "cannot be read: No such file"), (b"hello", "is not a .gguf"), (b"GGUF" + b"x" * 999, "cannot load")],
)
async def test_a_bad_model_file_is_explained(tmp_path, content, problem):
    if content is not None:
        (tmp_path / "m.gguf").write_bytes(content)
    config = LLMConfig(provider="local", model="m.gguf")
    model = LocalModel.from_config(config, folder=tmp_path, cache_folder=tmp_path)
    with pytest.raises(ModelUnavailable, match=problem) as caught:
        await read(model)
    assert ".gguf" in str(caught.value.hint)
    await model.aclose()


async def test_a_missing_xllamacpp_is_explained(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    model = LocalModel.from_config(LLMConfig(provider="local", model="m.gguf"), folder=tmp_path, cache_folder=tmp_path)
    with pytest.raises(ModelUnavailable, match="not installed") as caught:
        await read(model)
    assert caught.value.hint == 'Run: pip install "hector_nb[local]"'
    await model.aclose()


async def test_a_wrong_address_on_the_hub_is_a_configuration_error(tmp_path):
    with pytest.raises(ConfigError, match="hf:owner/repo/file"):
        LocalModel.from_config(LLMConfig(provider="local", model="hf:x"), folder=tmp_path, cache_folder=tmp_path)


async def test_settings_reach_the_model(tmp_path):
    config = LLMConfig(provider="local", temperature=0.9, max_tokens=7, context_window=4096, thinking=False)
    model = LocalModel.from_config(config, folder=tmp_path, cache_folder=tmp_path)
    assert (model.max_tokens, model.context_window, model.host) == (7, 4096, None)
    assert model._settings["temperature"] == 0.9
    assert model._settings["chat_template_kwargs"] == {"enable_thinking": False}


async def test_a_process_that_ends_in_the_midst_of_an_answer_ends_cleanly(embedded_file):
    script = f"""
import asyncio
from pathlib import Path
from hector_nb.models.local import LocalModel
from tests.models.requests import asking

async def main():
    async def locate():
        return Path({str(embedded_file)!r})
    stream = LocalModel(name="m", locate=locate).stream(asking("Count to 500."))
    print(type(await anext(stream)).__name__, flush=True)
    raise SystemExit(7)

asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    assert (process.returncode, out, err) == (7, b"TextDelta\n", b"")
