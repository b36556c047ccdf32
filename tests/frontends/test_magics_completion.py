"""What the Tab key offers."""

from collections.abc import Iterator

import pytest

from hector_nb.frontends.magics_arguments import COMMANDS
from hector_nb.frontends.magics_completion import is_free, wanted
from tests.frontends.kernel import NO_HURRY, Kernel


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("%hector use ", "agents"),
        ("%hector use as", "agents"),
        ("%hector tools ", "agents"),
        ("%hector -a ", "agents"),
        ("%hector -a helper -s ", "sessions"),
        ("%hector use helper ", ""),
        ("%hector use helper -s ", "sessions"),
        ("%hector forget ", "memories"),
        ("%hector forget mem_1 ", "memories"),
        ("%hector correct mem", "memories"),
        ("%hector correct mem_1 ", ""),
        ("%hector why ", "turns"),
        ("%hector --format ", "formats"),
        ("%%hector ", "agents"),
        ("%%hector helper --session ", "sessions"),
        ("%hector what is ", ""),
        ("%hector --agent=", "agents"),
        ("%hector --agent=co", "agents"),
        ("%hector export --format=m", "file formats"),
    ],
)
def test_names_are_offered_where_one_is_expected(line: str, names: str) -> None:
    assert wanted(line)[1] == names


def test_words_are_offered_where_they_make_sense() -> None:
    assert set(COMMANDS) <= set(wanted("%hector ")[0])
    assert "--thinking" in wanted("%hector --new --th")[0]
    assert "--query" in wanted("%hector memory --")[0]
    assert wanted("%hector memory --query where ")[0] == ()
    assert wanted("%hector correct mem_1 She ")[0] == ()
    assert wanted("%hector what is ")[0] == ()
    assert wanted("%hec")[0] == ()


@pytest.mark.parametrize(
    "line", ["%hector forget ", "%hector history ", "%%hector helper ", "%hector connect ", "%hector -f "]
)
def test_nothing_but_what_fits_is_offered_where_only_that_may_stand(line: str) -> None:
    assert not is_free(line)


@pytest.mark.parametrize(
    "line", ["%hector what is ", "%hector export no", "%hector memory -q bees ", "%hector -- a", "%hect"]
)
def test_anything_may_follow_in_prompts_and_file_names(line: str) -> None:
    assert is_free(line)


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    kernel = Kernel(tmp_path_factory.mktemp("kernel"))
    assert kernel.run(f"%load_ext hector_nb\n{NO_HURRY}").status == "ok"
    yield kernel
    kernel.close()


def _complete(kernel: Kernel, line: str) -> list[str]:
    return [match for match in kernel.complete(line) if not match.startswith("%")]


def test_the_kernel_offers_commands_agents_sessions_and_memories(kernel: Kernel) -> None:
    assert "memory" in _complete(kernel, "%hector mem")
    assert "--session" in _complete(kernel, "%%hector keeper --se")
    assert _complete(kernel, "%hector use keep") == ["keeper"]
    kernel.run("%hector use keeper\n%hector My sister Clara keeps bees in Lyon.")
    assert _complete(kernel, "%hector use keeper -s sess_")[0].startswith("sess_")
    kernel.run("m = %hector memory")
    assert _complete(kernel, "%hector forget mem_")[0].startswith("mem_")
    assert _complete(kernel, "%hector why turn_")[0].startswith("turn_")
    assert "keeper" in _complete(kernel, "%%hector ")


def test_memory_is_looked_into_corrected_and_forgotten(kernel: Kernel) -> None:
    kernel.run("%hector use keeper\n%hector --new My brother Tom plays the oboe.")
    assert "used 1 memory" in str(kernel.run("%hector --new What does my brother Tom play?").outputs)
    why = kernel.run("%hector why").of("execute_result")[0]["data"]
    assert "My brother Tom plays the oboe." in why["text/plain"]
    assert "My brother Tom plays the oboe." in why["text/html"]
    kernel.run("found = %hector memory --query What does Tom play?")
    kernel.run("fact = [each for each in found if 'oboe' in each.text][0]")
    kernel.run("%hector correct {fact.memory_id} My brother Tom plays the horn.")
    assert "horn" in str(kernel.run("%hector memory").of("execute_result")[0]["data"])
    cell = kernel.run("%hector --new What does my brother Tom play?")
    assert "horn" in kernel.run("print([each.text for each in _hector.context.memories])").stdout, cell.outputs
    assert "erased" in str(kernel.run("%hector forget {fact.memory_id}").of("execute_result"))
    assert "horn" not in str(kernel.run("%hector memory").of("execute_result")[0]["data"])
    gone = kernel.run("%hector forget {fact.memory_id}")
    assert gone.of("error")[0]["ename"] == "MemoryNotFound"
    assert kernel.run("%hector why turn_nothing").of("error")[0]["ename"] == "TurnNotFound"
    kernel.run("%hector new")
    assert kernel.run("%hector why").of("error")[0]["ename"] == "InvalidRequest"
    assert kernel.run("%hector use assistant\n%hector memory --query x").of("error")[0]["ename"] == "InvalidRequest"


def test_options_are_offered_where_nothing_else_fits_and_python_is_kept_out(kernel: Kernel) -> None:
    assert kernel.complete("%hector history ") == ["--session", "-s", "--limit", "-n"]
    assert kernel.complete("%hector forget ") == ["--session", "-s"]
    assert kernel.complete("%hector connect ") == ["--token"]
    assert "--thinking" in kernel.complete("%%hector counter ")


def test_an_option_with_its_value_behind_an_equals_sign_is_completed(kernel: Kernel) -> None:
    kernel.run("%hector")
    assert kernel.complete("%hector --agent=coun") == ["counter"]


def test_only_sessions_of_the_agent_that_is_named_are_offered(kernel: Kernel) -> None:
    kernel.run("%hector -a counter -s of-counter hi")
    kernel.run("%hector -a talker -s of-talker hi")
    assert "of-counter" in kernel.complete("%hector use counter -s ")
    assert "of-talker" not in kernel.complete("%hector use counter -s ")


def test_variables_that_are_named_like_secrets_are_not_offered(kernel: Kernel) -> None:
    kernel.run("my_value = my_token = 1")
    assert kernel.complete("%hector Explain {my_") == ["my_value"]
