"""Programs run in the root, within limits, and nothing that they started outlives the call."""

import asyncio
import os
import shlex
import shutil
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from hector_nb.config.schema import ToolConfig
from hector_nb.tools import process
from hector_nb.tools.execute_command import ExecuteCommand
from hector_nb.tools.toolbox import CheckedCall, ToolOutcome
from tests.tools.calling import box, call, outcome

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(os.name != "posix", reason="execute_command is for POSIX systems")]

STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
depth = int(sys.argv[1])
print("begun", depth, flush=True)
with open("pids", "a") as file:
    file.write(f"{os.getpid()}\\n")
if depth:
    subprocess.Popen([sys.executable, __file__, str(depth - 1)])
time.sleep(600)
"""


@pytest.fixture(autouse=True)
def short_grace(monkeypatch):
    monkeypatch.setattr(process, "_GRACE", 0.1)


def made(folder, **settings):
    return box(ExecuteCommand.from_config(ToolConfig(**settings), folder=folder))


async def run(folder, command, **settings) -> ToolOutcome:
    async with asyncio.timeout(30):
        return await outcome(made(folder, **settings), call("execute_command", command=command))


def python(program: str) -> str:
    return f"python -c {shlex.quote(program)}"


async def ended(pids) -> None:
    """Wait until processes are gone, or only their corpses are left."""
    async with asyncio.timeout(30):
        while any(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in pids):
            await asyncio.sleep(0.01)


async def pids_in(folder: Path, count: int) -> list[int]:
    """The process ids that a program wrote, once there are so many."""
    async with asyncio.timeout(30):
        while True:
            found = (folder / "pids").read_text().split() if (folder / "pids").exists() else []
            if len(found) >= count:
                return [int(pid) for pid in found]
            await asyncio.sleep(0.01)


async def test_the_page_s_program_runs(tmp_path):
    (tmp_path / "hello.py").write_text("print('Hello')")
    assert await run(tmp_path, "python hello.py") == ToolOutcome(text="Hello")


async def test_it_runs_in_the_root_with_this_interpreter_and_an_empty_input(tmp_path):
    program = "import os, sys; print(os.getcwd(), os.environ['PWD'], sys.executable, repr(sys.stdin.read()))"
    (tmp_path / "sub").mkdir()
    sub = tmp_path / "sub"
    assert (await run(tmp_path, python(program), root="sub")).text == f"{sub} {sub} {sys.executable} ''"


async def test_a_program_that_prints_nothing_says_so(tmp_path):
    assert await run(tmp_path, python("")) == ToolOutcome(text="(no output)")


async def test_a_failure_keeps_the_output_and_tells_the_code(tmp_path):
    done = await run(tmp_path, python("import sys; print('so far'); print('bad', file=sys.stderr); sys.exit(3)"))
    assert done == ToolOutcome(text="so far\nbad\n[exit code 3]", is_error=True)


async def test_a_failure_without_a_word_tells_the_code(tmp_path):
    assert (await run(tmp_path, python("exit(1)"))).text == "[exit code 1]"


async def test_a_signal_is_named(tmp_path):
    done = await run(tmp_path, python("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"))
    assert done == ToolOutcome(text="[ended by SIGSEGV]", is_error=True)


@pytest.mark.parametrize("command", ["ls; rm x", "ls && rm x", "ls $(rm x)", "ls `rm x`", "ls\nrm x", "echo a > x"])
async def test_a_shell_s_work_is_refused_before_anybody_is_asked_and_nothing_happens(tmp_path, command):
    (tmp_path / "x").write_text("precious")
    refused = await made(tmp_path).check(call("execute_command", command=command))
    assert isinstance(refused, ToolOutcome)
    assert "There is no shell here" in refused.text
    assert (tmp_path / "x").read_text() == "precious"


async def test_a_program_that_is_not_there_is_named(tmp_path):
    assert (await run(tmp_path, "frobnicate --all")).text == "There is no program frobnicate."


async def test_a_file_that_is_no_program_is_named(tmp_path):
    (tmp_path / "notes").write_text("x")
    assert (await run(tmp_path, "./notes")).text == "There is no program ./notes."
    (tmp_path / "notes").write_bytes(b"\x7fELFgarbage")
    (tmp_path / "notes").chmod(0o755)
    assert "./notes cannot be started: " in (await run(tmp_path, "./notes")).text


async def test_a_working_folder_that_is_missing_is_named(tmp_path):
    assert "gone does not exist" in (await run(tmp_path / "gone", "ls")).text


async def test_a_command_without_end_is_an_error_for_the_model_and_a_long_one_is_not(tmp_path):
    assert "longer than 30,000 characters" in (await run(tmp_path, "echo " + "x" * 4_000_000)).text
    assert not (await run(tmp_path, "echo " + "🦉" * 29_000)).is_error


# the allow-list


async def test_only_programs_on_the_list_run(tmp_path):
    assert (await run(tmp_path, "echo hi", allow=["echo"])).text == "hi"
    done = await run(tmp_path, "touch x", allow=["echo", "ls"])
    assert done == ToolOutcome(text="touch is not allowed. These programs are: echo, ls.", is_error=True)
    assert not (tmp_path / "x").exists()


async def test_the_list_holds_for_a_program_by_its_full_path(tmp_path):
    echo, touch = shutil.which("echo"), shutil.which("touch")
    assert (await run(tmp_path, f"{echo} hi", allow=["echo"])).text == "hi"
    assert (await run(tmp_path, "echo hi", allow=[echo])).text == "hi"
    assert "not allowed" in (await run(tmp_path, f"{touch} x", allow=["echo"])).text


@pytest.mark.parametrize("name", ["./echo", "sub/echo", "{folder}/echo", "../{name}/echo", "/usr/../{folder}/echo"])
async def test_a_namesake_in_the_root_is_not_the_program_on_the_list(tmp_path, name):
    (tmp_path / "sub").mkdir()
    for place in ("echo", "sub/echo"):
        (tmp_path / place).write_text("#!/bin/sh\ntouch harm\n")
        (tmp_path / place).chmod(0o755)
    command = name.format(folder=tmp_path, name=tmp_path.name)
    assert "not allowed" in (await run(tmp_path, command, allow=["echo"])).text
    assert not (tmp_path / "harm").exists()


async def test_a_script_of_the_root_may_be_on_the_list(tmp_path):
    (tmp_path / "build").write_text("#!/bin/sh\necho built $1\n")
    (tmp_path / "build").chmod(0o755)
    assert (await run(tmp_path, "./build all", allow=["./build"])).text == "built all"


async def test_folders_relative_to_the_root_are_no_place_to_find_programs(tmp_path, monkeypatch):
    (tmp_path / "frobnicate").write_text("#!/bin/sh\necho harm\n")
    (tmp_path / "frobnicate").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f".::{os.environ['PATH']}")
    assert (await run(tmp_path, "frobnicate")).text == "There is no program frobnicate."


@pytest.mark.parametrize(
    ("settings", "command", "asked"),
    [
        ({}, "echo hi", True),
        ({"allow": ["echo"]}, "echo hi", True),
        ({"require_approval": "rules", "allow": ["echo"]}, "echo hi", False),
        ({"require_approval": "rules"}, "echo hi", True),
        ({"require_approval": "rules", "shell": True}, "echo hi", True),
        ({"require_approval": "never"}, "echo hi", False),
    ],
)
async def test_a_person_is_asked_unless_the_rules_name_the_program(tmp_path, settings, command, asked):
    toolbox = made(tmp_path, **settings)
    checked = await toolbox.check(call("execute_command", command=command))
    assert isinstance(checked, CheckedCall)
    assert toolbox.needs_approval(checked) is asked


async def test_the_model_is_told_what_is_allowed(tmp_path):
    (schema,) = await made(tmp_path, allow=["git", "ls"]).schemas()
    assert "There is no shell" in schema.description
    assert schema.description.endswith("Allowed programs: git, ls.")


# a shell, where somebody wants one


async def test_with_a_shell_a_shell_s_work_is_done(tmp_path):
    done = await run(tmp_path, "echo $((1 + 1)) > x && cat x | tr 2 3; echo `echo y`", shell=True)
    assert done.text == "3\ny"


@pytest.mark.parametrize("command", ["", "a\x00b", "\ud800"])
async def test_with_a_shell_a_command_must_still_be_one(tmp_path, command):
    assert (await run(tmp_path, command, shell=True)).is_error


# output


async def test_a_long_output_keeps_its_beginning_and_its_end(tmp_path):
    done = await run(tmp_path, python("for n in range(300000): print(n)"), max_output=100)
    assert done.text.startswith("0\n1\n2\n")
    assert done.text.endswith("\n299998\n299999")
    assert done.full is not None
    assert "bytes were not kept …]" in done.full
    assert len(done.full) < 1_100_000


async def test_an_output_without_end_is_stopped_and_never_held(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "_FLOOD", 4 * 1024 * 1024)
    before = psutil.Process().memory_info().rss
    done = await run(tmp_path, "yes")
    assert done.is_error
    assert done.text.endswith("[stopped: it printed too much]")
    assert psutil.Process().memory_info().rss - before < 64 * 1024 * 1024


@pytest.mark.parametrize("data", ["bytes(range(256)) * 10", "b'\\xff\\xfe\\xfd' * 100", "b'ok\\0'"])
async def test_a_binary_output_is_named_with_its_size(tmp_path, data):
    done = await run(tmp_path, python(f"import sys; sys.stdout.buffer.write({data})"))
    assert done.text == f"(The output is binary: {len(eval(data)):,} bytes.)"


async def test_one_odd_byte_does_not_make_an_output_binary(tmp_path):
    done = await run(tmp_path, python("import sys; sys.stdout.buffer.write(b'caf\\xe9 is a place to be in')"))
    assert done.text == "caf\ufffd is a place to be in"


async def test_colours_are_taken_out(tmp_path):
    assert (await run(tmp_path, python("print('\\x1b[31mred\\x1b[0m')"))).text == "red"


# the environment


async def test_secrets_are_not_in_the_environment(tmp_path, monkeypatch):
    secret = {
        "OPENAI_API_KEY": "s1",
        "AWS_SECRET_ACCESS_KEY": "s2",
        "JUPYTERHUB_API_TOKEN": "s3",
        "HECTOR_TOKEN": "s4",
        "GITHUB_PAT": "s5",
        "PGPASSWORD": "s6",
        "DATABASE_URL": "postgresql://ada:s7@db/x",
        "my_secret_thing": "s8",
        "GOOGLE_APPLICATION_CREDENTIALS": "s9",
    }
    harmless = {"LANG": "C.UTF-8", "EDITOR": "vi", "TOKENIZERS_PARALLELISM": "false", "HOMEPAGE": "http://x:80/y"}
    for name, value in (secret | harmless).items():
        monkeypatch.setenv(name, value)
    text = (await run(tmp_path, python("import os; print(dict(os.environ))"))).text
    assert [name for name in secret if name in text] == []
    assert [name for name in harmless if name not in text] == []


# time and cancellation


def out_of_time_with(monkeypatch, folder, count):
    """A program's time is over once so many processes of it have begun, however fast the machine is."""

    async def wait(what, *, return_when=asyncio.ALL_COMPLETED, timeout=None):
        if return_when == asyncio.FIRST_COMPLETED:
            await pids_in(folder, count)
            timeout = 0
        return await asyncio.wait(what, return_when=return_when, timeout=timeout)

    monkeypatch.setattr(process, "asyncio", SimpleNamespace(**{**vars(asyncio), "wait": wait}))


async def test_in_time_out_everything_is_ended_and_what_was_printed_is_kept(tmp_path, monkeypatch):
    (tmp_path / "stubborn.py").write_text(STUBBORN)
    out_of_time_with(monkeypatch, tmp_path, 4)
    done = await run(tmp_path, "python stubborn.py 3", timeout=2.5)
    assert done.is_error
    assert "begun 3" in done.text
    assert done.text.endswith("[stopped: it ran longer than 2.5 s]")
    await ended(await pids_in(tmp_path, 4))


async def test_cancelling_ends_everything(tmp_path):
    (tmp_path / "stubborn.py").write_text(STUBBORN)
    task = asyncio.create_task(run(tmp_path, "python stubborn.py 2"))
    pids = await pids_in(tmp_path, 3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await ended(pids)


async def test_cancelling_twice_ends_everything_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "_GRACE", 60.0)
    (tmp_path / "stubborn.py").write_text(STUBBORN)
    task = asyncio.create_task(run(tmp_path, "python stubborn.py 1"))
    pids = await pids_in(tmp_path, 2)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await ended(pids)


async def test_a_program_that_heeds_the_request_to_end_may_clean_up(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "_GRACE", 60.0)
    out_of_time_with(monkeypatch, tmp_path, 1)
    program = "trap 'echo bye; exit 0' TERM; echo $$ >> pids; while :; do sleep 0.01; done"
    begun = time.monotonic()
    done = await run(tmp_path, program, shell=True, timeout=0.5)
    assert "bye" in done.text
    assert time.monotonic() - begun < 30
    await ended(await pids_in(tmp_path, 1))


async def test_a_child_in_the_background_does_not_keep_the_call_waiting_and_is_ended(tmp_path):
    begun = time.monotonic()
    done = await run(tmp_path, "sleep 600 & echo $! > pids; echo done", shell=True)
    assert done == ToolOutcome(text="done")
    assert time.monotonic() - begun < 30
    await ended(await pids_in(tmp_path, 1))


async def test_a_daemon_that_holds_the_output_open_does_not_keep_the_call_waiting(tmp_path):
    program = "import subprocess as s; p = s.Popen(['sleep', '600'], start_new_session=True); open('pids', 'w').write(str(p.pid)); print('done')"
    done = await run(tmp_path, python(program))
    (pid,) = await pids_in(tmp_path, 1)
    psutil.Process(pid).kill()
    assert done == ToolOutcome(text="done")


def descriptors() -> int:
    return len(list(Path("/dev/fd").iterdir()))


async def test_many_commands_at_once_leave_no_process_thread_or_descriptor(tmp_path):
    async def all_at_once():
        return await asyncio.gather(*(run(tmp_path, f"echo {number}") for number in range(20)))

    await all_at_once()
    before = descriptors(), psutil.Process().children()
    assert [done.text for done in await all_at_once()] == [str(number) for number in range(20)]
    assert (descriptors(), psutil.Process().children()) == before


async def test_it_is_not_to_be_had_on_windows(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    assert (await run(tmp_path, "dir")).text == "execute_command is not available on Windows."
